import { ACTIONS } from '../workflows/contract.ts';

/** Whether an action changes the host; one that nobody knows might. */
export const changes = (action: string): boolean => !Object.hasOwn(ACTIONS, action) || ACTIONS[action]!.changing;

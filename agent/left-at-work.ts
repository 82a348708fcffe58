import type { Args } from '../workflows/contract.ts';
import type { ActionHost } from './actions/action.ts';
import { ALL_ACTIONS } from './actions/all-actions.ts';
import type { Begun, EndResult } from './ledger-records.ts';

/** Whether something of an action that lost its process works on outside it. */
export async function worksOnHost(begun: Begun, host: ActionHost): Promise<boolean> {
  const action = ALL_ACTIONS.get(begun.action);
  if (action === undefined || action.name === 'exec') return false;
  return action.prepare(begun.args as Args, host).worksOn();
}

/** How an action ended that had begun under another boot: null while it is not over, undefined when nothing can tell. */
export const endAfterBoot = async (begun: Begun, host: ActionHost): Promise<EndResult | null | undefined> =>
  ALL_ACTIONS.get(begun.action)?.afterBoot?.(begun, host);

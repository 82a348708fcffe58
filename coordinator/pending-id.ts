import { pendingId } from '../workflows/contract.ts';

const PREFIX = pendingId('');

/** Of a request that waits, where an execution's id may stand too. */
export const isPendingId = (id: string): boolean => id.startsWith(PREFIX);

/** Names of what waits: `a:KEY` in the gate, `pending:KEY` everywhere else. */
import { pendingId } from '../../workflows/contract.ts';

export const keyOf = (rq: string): string => rq.slice('a:'.length);

/** From the gate's name to people's. */
export const pendingOf = (rq: string): string => pendingId(keyOf(rq));

/** From people's name to the gate's. */
export const rqOf = (pending: string): string => `a:${pending.slice('pending:'.length)}`;

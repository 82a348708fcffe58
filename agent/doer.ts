import type { SettleClaims, SettlementClaims, SignedOrder } from '../workflows/contract.ts';
import type { Performer } from './perform.ts';

/** Who does what orders ask for: this process, or the root helper beside it. */
export type Doer = Performer & {
  /** `claims` are the order's own, checked. @throws LedgerError when it cannot be told */
  readonly settle: (order: SignedOrder, claims: SettleClaims, now: number) => Promise<SettlementClaims['answer']>;
  /** Attempts on record, as far as is known. */
  readonly entries: () => number;
  /** What has begun goes on without this process, and is not to be ended with it. */
  readonly outlives: boolean;
  /** Ends what would otherwise be left behind, and resolves when that is on record. */
  readonly stop: () => Promise<void>;
};

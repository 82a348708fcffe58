import type { Logger } from 'pino';
import type { ActionOrder, ActionResult, GrantClaims } from '../workflows/contract.ts';
import type { ActionHost } from './actions/action.ts';
import type { ActionSlots } from './action-slots.ts';
import type { AllowList } from './allow-list.ts';
import type { Attempts } from './attempts.ts';
import type { Ledger } from './ledger.ts';
import type { Attempt } from './ledger-records.ts';
import type { Launcher } from './launcher.ts';
import type { ProcessMark } from './procfs.ts';
import type { Turns } from './turns.ts';

/** What was done about one order: what its receipt says. */
export type Performed = {
  readonly result: ActionResult;
  /** Null when it never began. Milliseconds by the host's clock. */
  readonly from: number | null;
  readonly to: number;
  /** The answer had been on record. */
  readonly repeated: boolean;
};

/** A grant that was signed by a coordinator for this agent. */
export type OpenedOrder = {
  readonly claims: GrantClaims;
  readonly order: ActionOrder;
  /** The later of the host's clock and the server's, in milliseconds. */
  readonly now: () => number;
  /** Whether the grant holds here and now. @throws RefusalError */
  readonly check: () => void;
};

/** What answering orders takes on one host. */
export type PerformerSetting = {
  readonly host: ActionHost;
  readonly ledger: Ledger;
  readonly attempts: Attempts;
  readonly allow: AllowList;
  readonly slots: ActionSlots;
  readonly turns: Turns;
  /** Null: this process runs actions itself, and they end with it. */
  readonly launcher: Launcher | null;
  readonly owner: ProcessMark;
  readonly brakeFile: string;
  readonly secretsDir: string | null;
  readonly log: Logger;
};

/** One order on its way. */
export type Job = OpenedOrder & { readonly attempt: Attempt; readonly signal: AbortSignal };

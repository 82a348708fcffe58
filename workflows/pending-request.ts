/** A request that waits (docs/protocol.md §7): what its workflow carries, asks its coordinator for, and ends with. Plain data only. */
import type { Evidence, Plan } from './contract.ts';
import type { EpisodeRef } from './gate/operations.ts';

/** Temporal type of the workflow that waits. */
export const PENDING_TYPE = 'pending';
/** Signal: look again now, because somebody has approved, denied or resumed. */
export const LOOK_SIGNAL = 'look';

/** A request that was checked: all that it takes to ask the gate, and to start the execution when it admits. */
export type Asked = {
  readonly protocol: number;
  readonly domain: string;
  readonly plan: Plan;
  readonly planDigest: string;
  readonly request: string;
  readonly caller: string;
  readonly reason: string | null;
  readonly evidence: Evidence;
  /** Somebody's own wish, without evidence from a source: it stays good for as long as it may wait. */
  readonly wish: boolean;
  readonly episode: EpisodeRef | null;
  readonly dryRun: boolean;
};

export type PendingRequest = Asked & {
  /** Id of the first ask: the gate's name of what waits. */
  readonly rq: string;
  /** So long whoever asked wants to wait for limits; null: he did not say. */
  readonly waitUntil: number | null;
};

export type PendingInput = {
  readonly request: PendingRequest;
  /** How often it was asked again, over all runs. */
  readonly asked: number;
  /** What the gate said last. */
  readonly wait: PendingWait;
};

/** When to ask again, and until when at most; milliseconds since the epoch. */
export type PendingWait = { readonly askAgain: number; readonly until: number };

export type PendingOutcome = 'admitted' | 'expired' | 'refused' | 'no_fault' | 'denied' | 'cancelled';
export type PendingResult = {
  readonly outcome: PendingOutcome;
  readonly execution: string | null;
  /** One sentence for people. */
  readonly message: string;
};

/** `n` counts askings, so that a repetition bears the id of what it repeats; `at` is when this one was made; `until` as the gate said last. */
export type AskAgainInput = PendingRequest & { readonly n: number; readonly at: number; readonly until: number };
export type AskAgainResult =
  | ({ readonly state: 'waits' } & PendingWait)
  | ({ readonly state: 'ended' } & PendingResult);
export type LeaveInput = { readonly rq: string; readonly why: string };

export type PendingActivities = {
  /** Asks the gate once more; when it admits, the execution has been started. */
  readonly askAgain: (input: AskAgainInput) => Promise<AskAgainResult>;
  /** Tells the gate that this request waits no more. */
  readonly leave: (input: LeaveInput) => Promise<void>;
};

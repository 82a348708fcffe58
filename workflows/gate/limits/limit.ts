/** What every kind of limit has in common: one file per kind beside this one, listed in limit-kinds.ts. */
import type { Counter } from '../counts.ts';
import type { Fleet } from '../fleet.ts';
import type { LimitRef, TargetRef } from '../operations.ts';

/** What a kind may look at: the counter of its scope key, the fleet, the breaker's streak. */
export type Look = {
  readonly now: number;
  readonly target: TargetRef;
  readonly counter: Counter;
  readonly fleet: Fleet;
  /** Nodes held by changing leases that are not down in this view of the fleet, by floor key. */
  readonly heldUp: (view: number, key: string) => number;
  readonly isHeld: (node: string) => boolean;
  /** Outcomes in a row that did not help. */
  readonly streak: number;
  /** The breaker is open. */
  readonly open: boolean;
  /** Requests that have waited longer for the same room. */
  readonly ahead: number;
};

export type Verdict = {
  readonly allowed: number;
  /** What counts against it before this request. */
  readonly current: number;
  readonly full: boolean;
  /** Earliest time there can be room; null: not known, it depends on something that has not ended. */
  readonly free: number | null;
  /** Not known for lack of a report of the fleet. */
  readonly unknown?: true;
};

export type LimitKind = {
  /** Requests may wait for its room, in the order in which they came. */
  readonly waits: boolean;
  readonly judge: (limit: LimitRef, look: Look) => Verdict;
};

import type { UnitLimits } from './actions/action.ts';
import type { Attempt, Begun } from './ledger-records.ts';

/** Starts what runs an action in a process of its own, which outlives this one. */
export type Launcher = {
  readonly kind: NonNullable<Begun['launched']>;
  /** Resolves when it was started. @throws Error when it cannot be; it may have been all the same. */
  readonly start: (begun: Begun, limits: UnitLimits) => Promise<void>;
  /** Asks it to end, and ends it by force when it does not. Resolves when nothing of it runs any more, or cannot be told. */
  readonly stop: (attempt: Attempt) => Promise<void>;
  /** What is known of it besides its processes. @throws Error when it cannot be told. */
  readonly look: (attempt: Attempt) => Promise<LaunchState>;
  /** Drops what is kept of one that has ended. */
  readonly forget: (attempt: Attempt) => Promise<void>;
};

export type LaunchState = {
  readonly active: boolean;
  /** Proof of how it was ended from outside; null when there is none. */
  readonly killed: 'timeout' | 'memory' | null;
};

import type { ActionEnd, ActionRun } from './action.ts';

/** One way of making room on one file system. */
export type Cleaning = {
  /** Where the room is made: free space is taken there. */
  readonly place: string;
  readonly rehearse: (run: ActionRun, signal: AbortSignal) => Promise<ActionEnd>;
  readonly run: (run: ActionRun, signal: AbortSignal) => Promise<ActionEnd>;
};

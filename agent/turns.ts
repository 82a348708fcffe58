import { createActionSlots } from './action-slots.ts';

/** One change at a time on a host. */
export type Turns = {
  /** @throws RefusalError `busy` when no turn came until `deadline` (ms) or `signal` aborted. */
  readonly take: (deadline: number, signal: AbortSignal) => Promise<Turn>;
};

/** Both may be called more than once. */
export type Turn = {
  /** The change stands in the ledger: whoever looks there sees it at work. */
  readonly begun: () => void;
  readonly end: () => void;
};

/** Turns of one process that does all changes of its host itself. */
export function createTurns(): Turns {
  const slots = createActionSlots(1, { limit: 'one change at a time' });
  return {
    async take(deadline, signal) {
      const end = await slots.take(deadline, signal);
      return { begun: () => undefined, end };
    },
  };
}

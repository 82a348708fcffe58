/**
 * Asks several places the same, one after the other, until one answers. The next is asked when one has failed, and also, beside it, when one has said
 * nothing for a while: a machine that is stopped, or cut off without a word, fails only much later.
 */
export type FirstAnswerOptions<T> = {
  /** Places, in the order in which they are asked. */
  readonly places: number;
  /** Milliseconds until the next place is asked as well; null: only after a failure. */
  readonly patienceMs: number | null;
  readonly signal: AbortSignal;
  /** `signal` aborts when another place's answer was taken, too. */
  readonly ask: (place: number, signal: AbortSignal) => Promise<T>;
  /** Whether this failure is the answer, wherever it comes from. */
  readonly isFinal: (error: unknown) => boolean;
};

export type PlaceFailure = { readonly place: number; readonly error: unknown };
type Outcome<T> = { readonly place: number; readonly answer: T } | PlaceFailure;

/** @throws AllFailedError, the final failure, or the signal's reason */
export async function firstAnswer<T>(options: FirstAnswerOptions<T>): Promise<{ place: number; answer: T }> {
  const { places, patienceMs, signal, ask, isFinal } = options;
  const asked = new Map<number, { readonly stop: AbortController; readonly outcome: Promise<Outcome<T>> }>();
  const failures: PlaceFailure[] = [];
  let next = 0;
  const askNext = (): void => {
    const place = next++;
    const stop = new AbortController();
    const outcome = ask(place, AbortSignal.any([signal, stop.signal])).then(
      (answer) => ({ place, answer }),
      (error: unknown) => ({ place, error }),
    );
    asked.set(place, { stop, outcome });
  };
  try {
    for (;;) {
      signal.throwIfAborted();
      if (asked.size === 0) {
        if (next === places) throw new AllFailedError(failures);
        askNext();
      }
      const outcome = await firstOf(asked.values(), next < places ? patienceMs : null);
      if (outcome === null) {
        askNext();
        continue;
      }
      asked.delete(outcome.place);
      if ('answer' in outcome) return outcome;
      signal.throwIfAborted();
      if (isFinal(outcome.error)) throw outcome.error;
      failures.push(outcome);
      if (next < places) askNext();
    }
  } finally {
    for (const { stop } of asked.values()) stop.abort();
  }
}

/** Every place failed; in the order in which they did. */
export class AllFailedError extends Error {
  override readonly name = 'AllFailedError';
  readonly failures: readonly PlaceFailure[];
  constructor(failures: readonly PlaceFailure[]) {
    super(`all ${failures.length} failed`);
    this.failures = failures;
  }
}

/** Null when none has come within the patience. */
async function firstOf<T>(
  asked: Iterable<{ readonly outcome: Promise<Outcome<T>> }>,
  patienceMs: number | null,
): Promise<Outcome<T> | null> {
  const outcomes: Promise<Outcome<T> | null>[] = Array.from(asked, ({ outcome }) => outcome);
  if (patienceMs === null) return Promise.race(outcomes);
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs);
  });
  try {
    return await Promise.race([...outcomes, waited]);
  } finally {
    clearTimeout(timer);
  }
}

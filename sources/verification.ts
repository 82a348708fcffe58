/** Proof that something is healthy: a query that must give at least one sample, continuously, for a time. */
import { beginVerification, type HealthLook, takeLook, type VerificationTerms } from '../workflows/verification.ts';
import { type MetricSource, staleness } from './metric-source.ts';
import { pause } from './pause.ts';

export type WatchOptions = VerificationTerms & {
  /** PromQL, templates filled: see `fillQuery`. */
  readonly query: string;
  readonly signal?: AbortSignal | undefined;
  /** Told of each look, e.g. to heartbeat. */
  readonly onLook?:
    | ((look: HealthLook, progress: { readonly healthyMs: number; readonly elapsedMs: number }) => void)
    | undefined;
};

export type WatchResult = {
  readonly held: boolean;
  readonly elapsedMs: number;
  readonly looks: number;
  /** The last look, which says why it did not hold; null when not one look was possible in time. */
  readonly last: HealthLook | null;
};

/**
 * Looks every `everyMs` until the query has held for `forMs` or `timeoutMs` is over.
 * @throws the signal's reason when it aborts; nothing else: a source that is away is a look that cannot tell.
 */
export async function watchUntilHealthy(source: MetricSource, options: WatchOptions): Promise<WatchResult> {
  const begun = performance.now();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), options.timeoutMs);
  const signal = options.signal === undefined ? over.signal : AbortSignal.any([options.signal, over.signal]);
  let state = beginVerification(begun);
  let looks = 0;
  try {
    while (!signal.aborted) {
      const startedAt = performance.now();
      const look = await lookForHealth(source, options.query, signal);
      if (signal.aborted) break;
      looks += 1;
      const now = performance.now();
      const step = takeLook(state, look, now, options);
      state = step.state;
      options.onLook?.(look, { healthyMs: state.healthyMs, elapsedMs: now - begun });
      if (step.verdict !== 'watching')
        return { held: step.verdict === 'held', elapsedMs: now - begun, looks, last: look };
      await pause(options.everyMs - (performance.now() - startedAt), signal);
    }
    options.signal?.throwIfAborted();
    return { held: false, elapsedMs: performance.now() - begun, looks, last: state.last };
  } finally {
    clearTimeout(timer);
  }
}

async function lookForHealth(source: MetricSource, query: string, signal: AbortSignal): Promise<HealthLook> {
  const look = await source.query(query, { signal });
  if (look.state === 'failed') return { kind: 'cannot_tell', why: look.failure.message };
  if (look.state === 'partial') return { kind: 'cannot_tell', why: look.warnings.join('; ') };
  const stale = staleness(look.evaluatedAt, Date.now());
  if (stale !== null) return { kind: 'cannot_tell', why: stale };
  // NaN is what comparisons and divisions without a meaningful result leave behind; it proves nothing.
  return look.value.some((sample) => !Number.isNaN(sample.value)) ? { kind: 'healthy' } : { kind: 'unhealthy' };
}

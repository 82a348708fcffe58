/** When something counts as proven healthy: looks, one after the other, by whatever means. Pure; used for queries and for actions alike. */
export type HealthLook =
  /** It is as it should be: a sample of the query, or the facts that were expected. */
  | { readonly kind: 'healthy' }
  /** A whole, fresh answer that says otherwise. */
  | { readonly kind: 'unhealthy'; readonly why?: string }
  /** No whole and fresh answer: neither the one nor the other. */
  | { readonly kind: 'cannot_tell'; readonly why: string };

export type VerificationTerms = { readonly forMs: number; readonly timeoutMs: number; readonly everyMs: number };

export type Verification = {
  readonly begunAt: number;
  /** Time proven healthy in the present run, milliseconds. */
  readonly healthyMs: number;
  /** The last healthy look of the present run; null when there is no run. */
  readonly lastHealthyAt: number | null;
  readonly last: HealthLook | null;
};
export type Verdict = 'watching' | 'held' | 'timed_out';

/** `now` is milliseconds of a clock that never runs backwards, here and below. */
export const beginVerification = (now: number): Verification => ({
  begunAt: now,
  healthyMs: 0,
  lastHealthyAt: null,
  last: null,
});

/**
 * Takes one look into account. A healthy run is made of healthy looks; one unhealthy look ends it and the next begins at nothing.
 * A look that cannot tell changes nothing, and the time it leaves in the dark counts only up to two intervals between two healthy
 * looks: a source that is away can delay the proof, never break or give it.
 */
export function takeLook(
  state: Verification,
  look: HealthLook,
  now: number,
  terms: VerificationTerms,
): { readonly state: Verification; readonly verdict: Verdict } {
  const next = afterLook(state, look, now, terms);
  const proven = next.lastHealthyAt !== null && next.healthyMs >= terms.forMs && look.kind === 'healthy';
  const late = now - state.begunAt > terms.timeoutMs;
  return { state: next, verdict: late ? 'timed_out' : proven ? 'held' : 'watching' };
}

function afterLook(state: Verification, look: HealthLook, now: number, terms: VerificationTerms): Verification {
  if (look.kind === 'cannot_tell') return { ...state, last: look };
  if (look.kind === 'unhealthy') return { ...state, healthyMs: 0, lastHealthyAt: null, last: look };
  const gap = state.lastHealthyAt === null ? 0 : Math.max(0, now - state.lastHealthyAt);
  const counted = Math.min(gap, 2 * terms.everyMs);
  return { ...state, healthyMs: state.healthyMs + counted, lastHealthyAt: now, last: look };
}

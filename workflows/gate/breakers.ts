/** Outcomes in a row that did not help, per workflow (or fleet-wide limit) and scope key (kind `maxIneffective`). */
import type { Outcome } from '../contract.ts';
import { scopeKey } from './counts.ts';
import type { LimitRef, TargetRef } from './operations.ts';
import type { Breaker, GateState, Lease } from './state.ts';
import { executionUnder } from './target-ref.ts';

/** Streaks beyond these are forgotten, the oldest first; never one that is open. */
const MAX_STREAKS = 5_000;

/** A fleet-wide limit may be called like a workflow; their breakers are two. */
export const breakerId = (workflow: string, limit: LimitRef, target: TargetRef): string =>
  `breaker:${limit.g === undefined ? workflow : `limit/${limit.g}`}:${scopeKey(limit.s, target)}`;

const HELPED: ReadonlySet<Outcome> = new Set(['healed']);
const DID_NOT_HELP: ReadonlySet<Outcome> = new Set(['failed', 'ineffective']);

/** An execution ended so. What neither helped nor failed to help (cancelled, no fault, refused) leaves the streak as it is. */
export function noteOutcome(state: GateState, lease: Lease, outcome: Outcome): void {
  if (lease.dry) return;
  for (const [id, limit] of breakersOf(state, lease)) {
    if (HELPED.has(outcome)) closeUnlessOpen(state, id, limit);
    if (DID_NOT_HELP.has(outcome)) lengthen(state, id, limit, lease);
  }
}

/** Coordinators may have announced several limits for one streak: it is counted once, against the strictest. */
function breakersOf(state: GateState, lease: Lease): Map<string, LimitRef> {
  const strictest = new Map<string, LimitRef>();
  for (const limit of state.rulings.get(lease.workflow)?.limits ?? []) {
    if (limit.k !== 'i') continue;
    const id = breakerId(lease.workflow, limit, lease.target);
    const other = strictest.get(id);
    if (other === undefined || limit.v < other.v) strictest.set(id, limit);
  }
  return strictest;
}

/** Once open, only a person closes it: neither an execution that helps after all, nor a limit that was raised meanwhile. */
export const isOpen = (breaker: Breaker): boolean => breaker.open || breaker.streak >= breaker.limit.v;

function closeUnlessOpen(state: GateState, id: string, limit: LimitRef): void {
  const known = state.breakers.get(id);
  if (known !== undefined && !isOpen(known) && known.streak < limit.v) state.breakers.delete(id);
}

function lengthen(state: GateState, id: string, limit: LimitRef, lease: Lease): void {
  const key = scopeKey(limit.s, lease.target);
  const known = state.breakers.get(id);
  const streak = (known?.streak ?? 0) + 1;
  const last = executionUnder(lease.workflow, lease.target, lease.ref);
  const { workflow } = known ?? lease;
  const open = known?.open === true || streak >= limit.v;
  state.breakers.delete(id);
  state.breakers.set(id, { id, workflow, limit, key, streak, open, since: state.now, last });
  if (state.breakers.size <= MAX_STREAKS) return;
  for (const [oldest, breaker] of state.breakers) {
    if (isOpen(breaker)) continue;
    state.breakers.delete(oldest);
    return;
  }
}

/** Limits were announced: a streak that fills a lower one is open from now on. */
export function applyToBreakers(state: GateState, workflow: string, limits: readonly LimitRef[]): void {
  const ours = limits.filter(({ k }) => k === 'i');
  if (ours.length === 0) return;
  for (const breaker of state.breakers.values()) {
    const { g, s } = breaker.limit;
    if (g === undefined && breaker.workflow !== workflow) continue;
    for (const limit of ours) if (limit.g === g && limit.s === s && breaker.streak >= limit.v) breaker.open = true;
  }
}

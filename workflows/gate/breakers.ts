/** Outcomes in a row that did not help, per workflow (or fleet-wide limit) and scope key (kind `maxIneffective`). */
import type { Outcome } from '../contract.ts';
import { scopeKey } from './counts.ts';
import type { LimitRef, TargetRef } from './operations.ts';
import { leaseKey, type GateState, type Lease } from './state.ts';

/** Streaks beyond these are forgotten, the oldest first; never one that is open. */
const MAX_STREAKS = 5_000;

export const breakerId = (workflow: string, limit: LimitRef, target: TargetRef): string =>
  `breaker:${limit.g ?? workflow}:${scopeKey(limit.s, target)}`;

const HELPED: ReadonlySet<Outcome> = new Set(['healed']);
const DID_NOT_HELP: ReadonlySet<Outcome> = new Set(['failed', 'ineffective']);

/** An execution ended so. What neither helped nor failed to help (cancelled, no fault, refused) leaves the streak as it is. */
export function noteOutcome(state: GateState, lease: Lease, outcome: Outcome): void {
  if (lease.dry) return;
  for (const limit of state.rulings.get(lease.workflow)?.limits ?? []) {
    if (limit.k !== 'i') continue;
    const id = breakerId(lease.workflow, limit, lease.target);
    if (HELPED.has(outcome)) closeUnlessOpen(state, id);
    if (DID_NOT_HELP.has(outcome)) lengthen(state, id, limit, lease);
  }
}

/** One that helps after the breaker opened does not close it: a person does. */
function closeUnlessOpen(state: GateState, id: string): void {
  const known = state.breakers.get(id);
  if (known !== undefined && known.streak < known.limit.v) state.breakers.delete(id);
}

function lengthen(state: GateState, id: string, limit: LimitRef, lease: Lease): void {
  const key = scopeKey(limit.s, lease.target);
  const known = state.breakers.get(id) ?? { id, workflow: lease.workflow, limit, key, streak: 0, since: 0, last: '' };
  const last = `${lease.workflow}:${lease.target.n ?? lease.target.y ?? lease.target.c ?? ''}:${leaseKey(lease.ref)}`;
  state.breakers.delete(id);
  state.breakers.set(id, { ...known, limit, streak: known.streak + 1, since: state.now, last });
  if (state.breakers.size <= MAX_STREAKS) return;
  for (const [oldest, breaker] of state.breakers) {
    if (breaker.streak >= breaker.limit.v) continue;
    state.breakers.delete(oldest);
    return;
  }
}

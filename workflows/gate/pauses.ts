/** Stop and go (docs/protocol.md §8.1). */
import type { Answer, LeaseRef, Pause, PauseScope, Resume, TargetRef } from './operations.ts';
import type { GateState, Lease, PauseHeld } from './state.ts';

/** So many outstanding permits fit an answer; the latest begin-by is always among them. */
const MAX_LISTED = 4;

/** Answered with the permits of its scope that may still begin: after the latest of them nothing new does. */
export function pause(state: GateState, operation: Pause): Answer {
  state.pauses.set(operation.id, {
    id: operation.id,
    scope: operation.sc,
    by: operation.by,
    why: operation.why,
    since: state.now,
    until: operation.until ?? null,
  });
  const outstanding: [LeaseRef, number][] = [];
  for (const lease of state.leases.values()) {
    for (const held of lease.unsettled.values()) {
      if (held.beginBy > state.now && mayBeCovered(operation.sc, lease, held.node))
        outstanding.push([lease.ref, held.beginBy]);
    }
  }
  outstanding.sort((a, b) => b[1] - a[1]);
  return { a: 'ok', perms: outstanding.slice(0, MAX_LISTED) };
}

/** Of a node that a shared queue chose only the name is known for sure: where that does not decide, it counts as covered. */
const mayBeCovered = (scope: PauseScope, { workflow, target }: Lease, node: string): boolean =>
  covers(scope, workflow, { ...target, n: node }) || (node !== target.n && (scope.k === 'y' || scope.k === 'c'));

/** Lifts one pause, or closes one breaker, by its id, so that nobody lifts another's by accident. */
export function resume(state: GateState, operation: Resume): Answer {
  state.pauses.delete(operation.pause);
  state.breakers.delete(operation.pause);
  return { a: 'ok' };
}

/** The pause that covers this workflow on this target, if any. */
export function pauseOver(state: GateState, workflow: string, target: TargetRef): PauseHeld | null {
  for (const held of state.pauses.values()) {
    const over = held.until !== null && held.until <= state.now;
    if (!over && covers(held.scope, workflow, target)) return held;
  }
  return null;
}

const covers = ({ k, v }: PauseScope, workflow: string, target: TargetRef): boolean =>
  k === 'all' ||
  (k === 'w' && v === workflow) ||
  (k === 'n' && v === target.n) ||
  (k === 'y' && v === target.y) ||
  (k === 'c' && v === target.c);

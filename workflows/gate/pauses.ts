/** Stop and go (docs/protocol.md §8.1). */
import type { Answer, Pause, Resume } from './operations.ts';
import type { GateState } from './state.ts';
import type { LeaseRef } from './operations.ts';

/** So many outstanding permits fit an answer; the latest begin-by is always among them. */
const MAX_LISTED = 4;

/** Answered with the permits that may still begin: after the latest of them nothing new does. */
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
      if (held.beginBy > state.now) outstanding.push([lease.ref, held.beginBy]);
    }
  }
  outstanding.sort((a, b) => b[1] - a[1]);
  return { a: 'ok', perms: outstanding.slice(0, MAX_LISTED) };
}

/** Lifts one pause, or closes one breaker, by its id, so that nobody lifts another's by accident. */
export function resume(state: GateState, operation: Resume): Answer {
  state.pauses.delete(operation.pause);
  state.breakers.delete(operation.pause);
  return { a: 'ok' };
}

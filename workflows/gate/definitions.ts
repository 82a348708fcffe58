/** Which limits hold: the union of all announced in the last five minutes, so the strictest wins while coordinators differ (§3.2). */
import { LimitCounts } from './counts.ts';
import { DEFINITION_MS, type Answer, type Definitions, type LimitRef } from './operations.ts';
import type { GateState } from './state.ts';

export function definitions(state: GateState, operation: Definitions): Answer {
  const known = state.definitions.get(operation.w) ?? new Map();
  state.definitions.set(operation.w, known);
  const before = known.get(operation.d);
  if (before === undefined)
    known.set(operation.d, { limits: operation.lim, changing: operation.ch, announcedAt: state.now });
  else before.announcedAt = state.now;
  for (const [digest, definition] of known) {
    if (definition.announcedAt + DEFINITION_MS < state.now) known.delete(digest);
  }
  countsOf(state, operation.w).rescope(limitsOf(state, operation.w), openLeases(state, operation.w));
  return { a: 'ok' };
}

/** Limits of a workflow, equal ones once. The latest definition holds even when nobody has announced any for long. */
export function limitsOf(state: GateState, workflow: string): readonly LimitRef[] {
  const unique = new Map<string, LimitRef>();
  for (const definition of state.definitions.get(workflow)?.values() ?? []) {
    for (const limit of definition.limits) unique.set(`${limit.k} ${limit.v} ${limit.p} ${limit.s}`, limit);
  }
  return [...unique.values()];
}

export function countsOf(state: GateState, workflow: string): LimitCounts {
  const known = state.counts.get(workflow);
  if (known !== undefined) return known;
  const made = new LimitCounts(limitsOf(state, workflow));
  state.counts.set(workflow, made);
  return made;
}

function* openLeases(state: GateState, workflow: string) {
  for (const lease of state.leases.values()) if (lease.workflow === workflow && !lease.dry) yield lease;
}

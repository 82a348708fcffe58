/** When something must not be changed: intervals that coordinators announce or people add (docs/protocol.md §8). */
import type { Answer, TargetRef, Unwindow, Window, WindowScope } from './operations.ts';
import type { GateState, WindowHeld } from './state.ts';

const MAX_WINDOWS = 500;

export function addWindow(state: GateState, operation: Window): Answer {
  const { nm: name, sc: scope, f: from, u: until, src, by, why } = operation;
  const held = { name, scope, from, until, byPerson: src === 'p', by, why: why ?? '' };
  const key = keyOf(held);
  const known = state.windows.get(key);
  if (known === undefined && state.windows.size >= MAX_WINDOWS) return { a: 'malformed', why: 'too many windows' };
  // Coordinators' closures of one block that touch or are both to come are one; a person's window is as he said last.
  const other = held.byPerson || known === undefined || known.until <= state.now ? held : known;
  state.windows.set(key, { ...held, from: Math.min(from, other.from), until: Math.max(until, other.until) });
  return { a: 'ok' };
}

/** Coordinators that differ about a block's scope announce two closures, and both hold. */
const keyOf = ({ name, scope: { w, y, c, n }, byPerson }: WindowHeld): string =>
  byPerson ? name : JSON.stringify([name, w, y, c, n]);

export const restoreWindow = (state: GateState, held: WindowHeld): void => void state.windows.set(keyOf(held), held);

export function removeWindow(state: GateState, operation: Unwindow): Answer {
  state.windows.delete(operation.nm);
  return { a: 'ok' };
}

export function trimWindows(state: GateState): void {
  for (const [name, held] of state.windows) if (held.until <= state.now) state.windows.delete(name);
}

/** Every closed window over this target, the one that opens last first. */
export function windowsOver(state: GateState, workflow: string, target: TargetRef): WindowHeld[] {
  const over: WindowHeld[] = [];
  for (const held of state.windows.values()) {
    if (held.from <= state.now && state.now < held.until && fits(held.scope, workflow, target)) over.push(held);
  }
  return over.toSorted((a, b) => b.until - a.until);
}

/**
 * Fits each list that is there. `absent`: what to think of a target without the attribute that a list names; a window had better stop it,
 * a mode meant for others had better not reach it.
 */
export function fits(scope: WindowScope, workflow: string, target: TargetRef, absent = true): boolean {
  const fit = (list: readonly string[] | undefined, value: string | undefined): boolean =>
    list === undefined || (value === undefined ? absent : list.includes(value));
  return fit(scope.w, workflow) && fit(scope.y, target.y) && fit(scope.c, target.c) && fit(scope.n, target.n);
}

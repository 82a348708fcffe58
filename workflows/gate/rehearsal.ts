/** Mode `shadow`: decided like any request, against real and virtual leases together; nothing is started (docs/protocol.md §7.3). */
import { judge } from './judge.ts';
import type { Answer, Ask } from './operations.ts';
import type { Episode, GateState, KnownDefinition, Ruling, VirtualLease } from './state.ts';
import { reasonsOf } from './waiting.ts';

/** Virtual leases beyond these end early, the oldest first. */
const MAX_REHEARSALS = 2_000;

export function rehearse(
  state: GateState,
  operation: Ask,
  definition: KnownDefinition,
  ruling: Ruling,
  episode: Episode | null,
): Answer {
  if (episode?.rehearsed === true) return { a: 'shadow', known: true };
  const { changing } = definition;
  const question = {
    workflow: operation.w,
    target: operation.t,
    changing,
    waiting: null,
    rehearsal: true,
    glass: false,
  };
  const { against } = judge(state, question);
  if (against.length > 0) return { a: 'shadow', ...reasonsOf(against) };
  if (episode !== null) episode.rehearsed = true;
  hold(state, operation, ruling, changing);
  return { a: 'shadow' };
}

function hold(state: GateState, operation: Ask, ruling: Ruling, changing: boolean): void {
  state.serial += 1;
  const { groups } = ruling;
  openRehearsal(state, {
    n: state.serial,
    workflow: operation.w,
    groups,
    target: operation.t,
    at: state.now,
    until: state.now + ruling.durationMs,
    changing,
  });
  if (state.rehearsals.size <= MAX_REHEARSALS) return;
  for (const oldest of state.rehearsals.values()) {
    closeRehearsal(state, oldest);
    return;
  }
}

export function openRehearsal(state: GateState, lease: VirtualLease): void {
  state.rehearsals.set(lease.n, lease);
  state.virtual.open(lease.workflow, lease.groups, lease);
  const { k, n: node } = lease.target;
  if (lease.changing && k === 'n' && node !== undefined)
    state.virtual.hold(node, name(lease), lease.target, state.fleet);
}

function closeRehearsal(state: GateState, lease: VirtualLease): void {
  state.rehearsals.delete(lease.n);
  state.virtual.close(lease.workflow, lease.groups, lease, state.now);
  if (lease.target.n !== undefined) state.virtual.letGo(lease.target.n, name(lease), state.fleet);
}

const name = (lease: VirtualLease): string => `virtual ${lease.n}`;

/** A virtual lease lasts as long as its declared timeouts. */
export function trimRehearsals(state: GateState): void {
  for (const lease of state.rehearsals.values()) if (lease.until <= state.now) closeRehearsal(state, lease);
}

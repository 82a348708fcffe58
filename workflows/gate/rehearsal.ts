/** Mode `shadow`: decided like any request, against real and virtual leases together; nothing is started (docs/protocol.md §7.3). */
import { keepOf, SLACK_MS } from './counts.ts';
import { judge } from './judge.ts';
import type { Answer, Ask } from './operations.ts';
import type { Episode, GateState, KnownDefinition, Ruling, VirtualLease } from './state.ts';
import { reasonsOf } from './waiting.ts';

/** Virtual leases beyond these are forgotten early, the oldest first. */
const MAX_REHEARSALS = 2_000;

export function rehearse(
  state: GateState,
  operation: Ask,
  definition: KnownDefinition,
  ruling: Ruling,
  episode: Episode | null,
): Answer {
  if (episode?.rehearsed === true) return { a: 'shadow', known: true };
  if (state.rehearsalEnds <= state.now) trimRehearsals(state);
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
  const until = state.now + ruling.durationMs;
  const { w: workflow, t: target } = operation;
  openRehearsal(state, { n: state.serial, workflow, target, at: state.now, until, changing, ended: false });
  if (state.rehearsals.size <= MAX_REHEARSALS) return;
  for (const oldest of state.rehearsals.values()) return forget(state, oldest);
}

/** Counts it as far as it has come, also when it is carried over. */
export function openRehearsal(state: GateState, lease: VirtualLease): void {
  state.rehearsals.set(lease.n, lease);
  if (!lease.ended) state.rehearsalEnds = Math.min(state.rehearsalEnds, lease.until);
  state.virtual.open(lease.workflow, groupsOf(state, lease), lease);
  const { k, n: node } = lease.target;
  if (lease.ended) return state.virtual.close(lease.workflow, groupsOf(state, lease), lease, lease.until);
  if (lease.changing && k === 'n' && node !== undefined)
    state.virtual.hold(node, name(lease), lease.target, state.fleet);
}

/** A virtual lease lasts as long as its declared timeouts; then its start counts as a real one's would. */
function end(state: GateState, lease: VirtualLease): void {
  lease.ended = true;
  state.virtual.close(lease.workflow, groupsOf(state, lease), lease, lease.until);
  if (lease.target.n !== undefined) state.virtual.letGo(lease.target.n, name(lease), state.fleet);
}

function forget(state: GateState, lease: VirtualLease): void {
  if (!lease.ended) end(state, lease);
  state.rehearsals.delete(lease.n);
}

const groupsOf = (state: GateState, { workflow }: VirtualLease): readonly string[] =>
  state.rulings.get(workflow)?.groups ?? [];

const name = (lease: VirtualLease): string => `virtual ${lease.n}`;

/** By the clock alone, so that it does not matter when anybody looks. */
export function trimRehearsals(state: GateState): void {
  state.rehearsalEnds = Number.MAX_SAFE_INTEGER;
  for (const lease of state.rehearsals.values()) {
    if (lease.until > state.now) state.rehearsalEnds = Math.min(state.rehearsalEnds, lease.until);
    if (lease.until > state.now) continue;
    if (!lease.ended) end(state, lease);
    const keptMs = keepOf(state.rulings.get(lease.workflow)?.limits ?? []);
    if (lease.until + keptMs + SLACK_MS < state.now) state.rehearsals.delete(lease.n);
  }
}

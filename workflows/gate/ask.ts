/** Admission: one request against its episode and all its limits, in one step (docs/protocol.md §2.3, §3, §4.1). */
import { observe } from './episodes.ts';
import { countsOf, limitsOf } from './definitions.ts';
import { DEFINITION_MS, START_MS, type Answer, type Ask, type ReasonRef, type TargetRef } from './operations.ts';
import { leaseKey, type Episode, type GateState, type Lease, type PauseHeld } from './state.ts';

/** So many reasons fit an answer; further ones are only counted. */
const MAX_REASONS = 3;

/** Answers that decide nothing (`unknown_definition`) are not remembered by the caller; all others are. */
export function ask(state: GateState, operation: Ask): Answer {
  const definition = state.definitions.get(operation.w)?.get(operation.d);
  if (definition === undefined || definition.announcedAt + DEFINITION_MS < state.now)
    return { a: 'unknown_definition' };
  const episode = operation.e === undefined || operation.dry ? null : observe(state, operation.e, operation.eu);
  const before = episode === null ? null : alreadyAdmitted(state, episode, operation);
  if (before !== null) return before;
  if (operation.eu < state.now) return { a: 'stale_evidence' };
  const pause = pauseOver(state, operation.w, operation.t);
  if (pause !== null) return { a: 'paused', pause: pause.id, why: pause.why.slice(0, 80) };
  const changing = definition.changing && operation.dry !== true;
  const reasons = reasonsAgainst(state, operation, changing);
  if (reasons.length > 0) {
    const more = reasons.length - MAX_REASONS;
    return { a: 'refused', r: reasons.slice(0, MAX_REASONS), ...(more > 0 ? { more } : {}) };
  }
  return admit(state, operation, episode, changing);
}

function alreadyAdmitted(state: GateState, episode: Episode, operation: Ask): Answer | null {
  if (episode.lease === null) return null;
  const lease = state.leases.get(leaseKey(episode.lease));
  const mayTryAgain = lease === undefined && episode.again !== null && episode.admittedAt + episode.again <= state.now;
  if (mayTryAgain) return null;
  return {
    a: 'duplicate',
    l: episode.lease,
    sb: lease?.startBy ?? 0,
    st: lease === undefined || lease.started,
    same: lease?.plan === operation.p,
  };
}

/** Every limit in the way. `maxUnavailable` and the rest join here, one kind each. */
function reasonsAgainst(state: GateState, operation: Ask, changing: boolean): ReasonRef[] {
  const counts = countsOf(state, operation.w);
  const reasons: ReasonRef[] = [];
  for (const limit of limitsOf(state, operation.w)) {
    const reason = counts.check(limit, operation.t, state.now);
    if (reason !== null) reasons.push(reason);
  }
  if (changing && operation.t.k === 'n' && state.nodes.has(operation.t.n ?? '')) {
    reasons.push(['node', `n:${operation.t.n}`, 1, 1, null]);
  }
  return reasons;
}

function admit(state: GateState, operation: Ask, episode: Episode | null, changing: boolean): Answer {
  const lease: Lease = {
    ref: [state.epoch, state.next],
    ask: operation.id,
    workflow: operation.w,
    target: operation.t,
    plan: operation.p,
    episode: episode?.id ?? null,
    admittedAt: state.now,
    startBy: state.now + START_MS,
    evidenceUntil: operation.eu,
    dry: operation.dry === true,
    started: false,
    permitted: false,
    changed: false,
    orphaned: false,
    stepNodes: new Map(),
    unsettled: new Map(),
    nodes: new Set(),
    looked: state.now,
  };
  state.next += 1;
  state.leases.set(leaseKey(lease.ref), lease);
  if (!lease.dry) countsOf(state, operation.w).admitted(operation.t, state.now);
  if (changing && operation.t.k === 'n' && operation.t.n !== undefined) holdNode(state, lease, operation.t.n);
  if (episode !== null) {
    episode.lease = lease.ref;
    episode.admittedAt = state.now;
  }
  return { a: 'admitted', l: lease.ref, sb: lease.startBy };
}

/** Takes the implicit limit, one changing execution per node; false when another lease holds it. */
export function holdNode(state: GateState, lease: Lease, node: string): boolean {
  const key = leaseKey(lease.ref);
  const holder = state.nodes.get(node);
  if (holder !== undefined && holder !== key) return false;
  state.nodes.set(node, key);
  lease.nodes.add(node);
  return true;
}

/** The pause that covers this workflow on this target, if any. */
export function pauseOver(state: GateState, workflow: string, target: TargetRef): PauseHeld | null {
  for (const pause of state.pauses.values()) {
    if (pause.until !== null && pause.until <= state.now) continue;
    const { k, v } = pause.scope;
    const covered =
      k === 'all' ||
      (k === 'w' && v === workflow) ||
      (k === 'n' && v === target.n) ||
      (k === 'y' && v === target.y) ||
      (k === 'c' && v === target.c);
    if (covered) return pause;
  }
  return null;
}

/** Admission: one request against its episode and all its limits, in one step (docs/protocol.md §2.3, §3, §4.1, §7). */
import { clip } from './clip.ts';
import { scopeKey } from './counts.ts';
import { modeFor } from './definitions.ts';
import { observe, saidResolved } from './episodes.ts';
import { judge, type Judgement } from './judge.ts';
import { DEFINITION_MS, START_MS, type Answer, type Ask, type ReasonRef, type TargetRef } from './operations.ts';
import { pauseOver } from './pauses.ts';
import { rehearse } from './rehearsal.ts';
import {
  leaseKey,
  type Episode,
  type GateState,
  type KnownDefinition,
  type Lease,
  type PauseHeld,
  type Ruling,
  type Waiting,
} from './state.ts';
import {
  awaitApproval,
  awaitResume,
  awaitRoom,
  enter,
  leaveFor,
  mayWait,
  overFor,
  pendingOf,
  reasonsOf,
} from './waiting.ts';

/** What the gate can carry from run to run. More at once is no remedy but a disaster, and is refused. */
const MAX_LEASES = 10_000;
const MAX_EPISODES = 11_000;
/** Starts that limits still count: at a hundred remedies a second these are five minutes. */
const MAX_STARTS = 30_000;

/** The bound that has no room for one more; what was admitted or waits already is told so all the same. */
function boundAgainst(state: GateState, { e }: Ask): ReasonRef | null {
  const known = e === undefined ? undefined : state.episodes.get(e.id);
  if (known !== undefined && (known.lease !== null || known.waiting !== null)) return null;
  const another = e !== undefined && known === undefined;
  let starts = 0;
  for (const kept of state.starts.values()) starts += kept.length;
  return (
    bound('c', MAX_LEASES, state.leases.size) ??
    (another ? bound('c', MAX_EPISODES, state.episodes.size) : null) ??
    bound('m', MAX_STARTS, starts)
  );
}

const bound = (kind: 'c' | 'm', most: number, current: number): ReasonRef | null =>
  current >= most ? [kind, 'g', most, current, null, 'gate'] : null;

/** One ask and what it meets. */
type Case = {
  readonly operation: Ask;
  readonly definition: KnownDefinition;
  readonly ruling: Ruling;
  readonly episode: Episode | null;
  /** It waits already. */
  readonly waiting: Waiting | null;
};

/** Answers that decide nothing (`unknown_definition`) are not remembered by the caller; all others are. */
export function ask(state: GateState, operation: Ask): Answer {
  const definition = state.definitions.get(operation.w)?.get(operation.d);
  const ruling = state.rulings.get(operation.w);
  if (definition === undefined || ruling === undefined || definition.announcedAt + DEFINITION_MS < state.now)
    return { a: 'unknown_definition' };
  if (operation.rq !== undefined) return askAgain(state, operation, operation.rq, definition, ruling);
  const full = boundAgainst(state, operation);
  if (full !== null) return { a: 'refused', r: [full] };
  const episode = operation.e === undefined || operation.dry ? null : observe(state, operation.e, operation.eu);
  const before = episode === null ? null : alreadyDecided(state, episode, operation);
  if (before !== null) return before;
  if (operation.eu < state.now) return { a: 'stale_evidence' };
  const pause = pauseOver(state, operation.w, operation.t);
  if (pause !== null) return pausedBy(pause);
  return decide(state, { operation, definition, ruling, episode, waiting: null });
}

/** For a request that waits: nobody sees the fault by asking again, so what was seen elsewhere counts alone. */
function askAgain(state: GateState, operation: Ask, rq: string, definition: KnownDefinition, ruling: Ruling): Answer {
  const waiting = state.waiting.get(rq);
  // Somebody's yes, and a place in line, are for the very plan and target that were shown.
  if (waiting !== undefined && !sameWish(waiting, operation)) return { a: 'reused' };
  const episode =
    operation.e === undefined || operation.dry === true ? null : (state.episodes.get(operation.e.id) ?? null);
  const end = (answer: Answer): Answer => {
    leaveFor(state, rq);
    return answer;
  };
  const over = overFor(state, operation, waiting);
  if (over !== null) return end(over);
  // Who has a yes waits for limits as long as it said, however long the yes itself took.
  if (waiting?.approval === false) waiting.until = Math.max(waiting.until, operation.wt ?? 0);
  const before = episode === null ? null : alreadyDecided(state, episode, operation);
  if (before !== null) return before.a === 'pending' ? before : end(before);
  if (episode !== null && saidResolved(episode, state.now)) return end({ a: 'ended', c: 'no_fault' });
  if (Math.max(operation.eu, episode?.evidenceUntil ?? 0) < state.now) return end({ a: 'ended', c: 'stale_evidence' });
  const pause = pauseOver(state, operation.w, operation.t);
  if (pause !== null) {
    // One that the gate dropped while nobody could ask is taken up again, never let past a pause.
    const kept = waiting ?? enter(state, operation, ruling, operation.wt ?? 0);
    return kept === null ? pausedBy(pause) : awaitResume(state, kept);
  }
  const answer = decide(state, { operation, definition, ruling, episode, waiting: waiting ?? null });
  return answer.a === 'pending' ? answer : end(answer);
}

const sameWish = ({ plan, workflow, target }: Waiting, { p, w, t }: Ask): boolean =>
  plan === p && workflow === w && scopeKey('target', target) === scopeKey('target', t);

const pausedBy = (pause: PauseHeld): Answer => ({ a: 'paused', pause: pause.id, why: clip(pause.why, 80) });

function alreadyDecided(state: GateState, episode: Episode, operation: Ask): Answer | null {
  const waiting = episode.waiting === null ? undefined : state.waiting.get(episode.waiting);
  if (waiting !== undefined && waiting.rq !== operation.rq) return { ...pendingOf(waiting, []), same: true };
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

function decide(state: GateState, one: Case): Answer {
  const { operation, definition, ruling, waiting } = one;
  const mode = modeFor(state, operation.w, operation.t);
  if (mode === 'shadow' && operation.dry !== true) return rehearse(state, operation, definition, ruling, one.episode);
  if (mode === 'ask' && operation.dry !== true && (waiting?.approvedBy ?? null) === null)
    return forApproval(state, one);
  const judged = judge(state, {
    workflow: operation.w,
    target: operation.t,
    changing: definition.changing && operation.dry !== true,
    waiting,
    rehearsal: false,
    glass: waiting?.glass === true,
  });
  if (judged.against.length === 0) return admit(state, one, judged);
  if (!mayWait(state, operation, judged.against)) return refuse(ruling, judged);
  const entered = enter(state, operation, ruling, operation.wt ?? 0);
  if (entered === null) return { ...refuse(ruling, judged), full: true };
  entered.until = Math.max(entered.until, operation.wt ?? 0);
  return awaitRoom(state, entered, judged.against);
}

const refuse = (ruling: Ruling, judged: Judgement): Extract<Answer, { a: 'refused' }> => ({
  a: 'refused',
  ...reasonsOf(judged.against),
  v: ruling.version,
});

function forApproval(state: GateState, { operation, ruling }: Case): Answer {
  const entered = enter(state, operation, ruling, state.now + ruling.approvalMs);
  return entered === null ? { a: 'refused', r: [], v: ruling.version, full: true } : awaitApproval(state, entered);
}

function admit(state: GateState, { operation, definition, ruling, episode, waiting }: Case, judged: Judgement): Answer {
  const lease = take(state, {
    ref: [state.epoch, state.next],
    operation,
    changing: definition.changing,
    glass: waiting?.glass === true,
  });
  if (episode !== null) {
    episode.lease = lease.ref;
    episode.admittedAt = state.now;
  }
  return { a: 'admitted', l: lease.ref, sb: lease.startBy, v: ruling.version, n: judged.counted };
}

type Taken = {
  readonly ref: Lease['ref'];
  readonly operation: Ask;
  readonly changing: boolean;
  readonly glass: boolean;
};

/** Makes the lease and takes all its limits. */
export function take(state: GateState, { ref, operation, changing, glass }: Taken): Lease {
  const lease: Lease = {
    ref,
    ask: operation.id,
    workflow: operation.w,
    target: operation.t,
    plan: operation.p,
    episode: operation.dry === true ? null : (operation.e?.id ?? null),
    admittedAt: state.now,
    startBy: state.now + START_MS,
    evidenceUntil: operation.eu,
    dry: operation.dry === true,
    glass,
    started: false,
    permitted: false,
    changed: false,
    orphaned: false,
    stepNodes: new Map(),
    unsettled: new Map(),
    nodes: new Map(),
    looked: state.now,
  };
  state.next = Math.max(state.next, ref[1] + 1);
  state.leases.set(leaseKey(ref), lease);
  if (lease.dry) return lease;
  const groups = state.rulings.get(lease.workflow)?.groups ?? [];
  state.real.open(lease.workflow, groups, { target: lease.target, at: state.now });
  if (changing && lease.target.k === 'n' && lease.target.n !== undefined)
    holdNode(state, lease, lease.target.n, lease.target);
  return lease;
}

/** Takes the implicit limit, one changing execution per node; false when another lease holds it. */
export function holdNode(state: GateState, lease: Lease, node: string, target: TargetRef): boolean {
  const key = leaseKey(lease.ref);
  const holder = state.real.nodes.get(node);
  if (holder !== undefined && holder !== key) return false;
  if (lease.nodes.has(node)) return true;
  state.real.hold(node, key, target, state.fleet);
  lease.nodes.set(node, { at: state.now, target });
  return true;
}

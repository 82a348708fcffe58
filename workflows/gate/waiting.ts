/**
 * Requests that wait: for room in a limit, in the order in which they came, or for a person's yes (docs/protocol.md §7). They hold no lease;
 * the pending workflow asks again for each of them.
 */
import type { Against } from './judge.ts';
import {
  WAITER_GRACE_MS,
  type Answer,
  type Approve,
  type Ask,
  type Deny,
  type Leave,
  type ReasonRef,
} from './operations.ts';
import type { GateState, Ruling, Waiting } from './state.ts';

/** Reasons of so many characters fit an answer; further ones are only counted, and told when asked for. */
const REASONS_CHARACTERS = 110;
/** Of all workflows together: what waits must fit the gate's state. */
const MAX_WAITING = 1_000;
/** One whose room has no known time asks again so soon, and a little later for each before it. */
const LOOK_AGAIN_MS = 5_000;
const PER_PLACE_MS = 500;
/** Room may come sooner than known, as when a lease gives its start back. */
const AT_LEAST_EVERY_MS = 60_000;
const PAUSED_MS = 15_000;

export function reasonsOf(against: readonly Against[]): { r: readonly ReasonRef[]; more?: number } {
  const r: ReasonRef[] = [];
  let room = REASONS_CHARACTERS;
  for (const { reason } of against) {
    room -= JSON.stringify(reason).length + 1;
    if (room < 0 && r.length > 0) break;
    r.push(reason);
  }
  const more = against.length - r.length;
  return { r, ...(more > 0 ? { more } : {}) };
}

/** Whether all that stands against it will pass by itself before its wait is over. */
export const mayWait = (state: GateState, operation: Ask, against: readonly Against[]): boolean =>
  operation.wt !== undefined &&
  operation.wt > state.now &&
  against.every(({ waits, reason: [, , , , free] }) => waits && (free === null || free <= (operation.wt ?? 0)));

/** Begins to wait; null: as many of its workflow wait already as may. */
export function enter(state: GateState, operation: Ask, ruling: Ruling, until: number): Waiting | null {
  const known = state.waiting.get(operation.rq ?? operation.id);
  if (known !== undefined) return known;
  const ofWorkflow = state.waitingOf.get(operation.w) ?? 0;
  if (ofWorkflow >= ruling.maxPending || state.waiting.size >= MAX_WAITING) return null;
  state.serial += 1;
  const made: Waiting = {
    rq: operation.rq ?? operation.id,
    request: operation.q ?? '',
    workflow: operation.w,
    target: operation.t,
    plan: operation.p,
    by: operation.by ?? '',
    episode: operation.dry === true ? null : (operation.e?.id ?? null),
    since: state.now,
    order: state.serial,
    until,
    askAgain: until,
    place: 0,
    approval: false,
    approvedBy: null,
    deniedBy: null,
    glass: false,
    reasons: [],
    queues: [],
  };
  state.waiting.set(made.rq, made);
  state.waitingOf.set(made.workflow, ofWorkflow + 1);
  const episode = made.episode === null ? undefined : state.episodes.get(made.episode);
  if (episode !== undefined) episode.waiting = made.rq;
  return made;
}

/** Waits for a person's yes. */
export function awaitApproval(state: GateState, waiting: Waiting): Answer {
  // No limit stands in its way yet: it keeps nobody from going before it.
  standIn(state, waiting, []);
  waiting.approval = true;
  // Nobody asks again before somebody has decided; the pending workflow looks in now and then, so that the gate knows it lives.
  waiting.askAgain = Math.min(waiting.until, state.now + AT_LEAST_EVERY_MS);
  return pendingOf(waiting, []);
}

/** Waits in the line of each limit in the way. */
export function awaitRoom(state: GateState, waiting: Waiting, against: readonly Against[]): Answer {
  standIn(
    state,
    waiting,
    against.flatMap(({ queue }) => (queue === null ? [] : [queue])),
  );
  waiting.approval = false;
  waiting.reasons = reasonsOf(against).r;
  waiting.place = waiting.queues.reduce((worst, queue) => {
    const line = state.queues.get(queue) ?? [];
    return Math.max(worst, placeIn(line, waiting));
  }, 0);
  const times = against.map(({ reason: [, , , , free] }) => free);
  const known = times.every((time) => time !== null) ? Math.max(state.now, ...times) : state.now + LOOK_AGAIN_MS;
  waiting.askAgain = Math.min(known + waiting.place * PER_PLACE_MS, state.now + AT_LEAST_EVERY_MS, waiting.until + 1);
  return pendingOf(waiting, against);
}

/** Waits for the end of a pause, in no line: what is not paused goes before it. Its place it has again afterwards. */
export function awaitResume(state: GateState, waiting: Waiting): Answer {
  standIn(state, waiting, []);
  waiting.askAgain = Math.min(state.now + PAUSED_MS, waiting.until + 1);
  // What stood in its way before is looked at again after the pause.
  waiting.reasons = [];
  return { ...pendingOf(waiting, []), pause: true };
}

export const pendingOf = (waiting: Waiting, against: readonly Against[]): Extract<Answer, { a: 'pending' }> => ({
  a: 'pending',
  rq: waiting.rq,
  ra: waiting.askAgain,
  u: waiting.until,
  pl: waiting.place,
  ...reasonsOf(against),
  ...(waiting.approval ? { ap: true as const } : {}),
});

/** A request that waits and is over; null: it goes on. */
export function overFor(state: GateState, operation: Ask, waiting: Waiting | undefined): Answer | null {
  const denied = waiting?.deniedBy ?? null;
  if (denied !== null) return { a: 'ended', c: 'denied', by: denied };
  // The time for a yes is its own; who has it may wait for limits as long as it said.
  const until = waiting?.approval === true ? waiting.until : Math.max(waiting?.until ?? 0, operation.wt ?? 0);
  if (until < state.now) return { a: 'ended', c: waiting === undefined ? 'not_waiting' : 'wait_over' };
  return null;
}

export function leaveFor(state: GateState, rq: string): void {
  const waiting = state.waiting.get(rq);
  if (waiting === undefined) return;
  standIn(state, waiting, []);
  state.waiting.delete(rq);
  const left = (state.waitingOf.get(waiting.workflow) ?? 1) - 1;
  if (left > 0) state.waitingOf.set(waiting.workflow, left);
  else state.waitingOf.delete(waiting.workflow);
  const episode = waiting.episode === null ? undefined : state.episodes.get(waiting.episode);
  if (episode?.waiting === rq) episode.waiting = null;
}

/** How many of a line came before it, whether it stands there or not. */
function placeIn(line: readonly Waiting[], { order }: Waiting): number {
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((line[middle]?.order ?? order) >= order) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Keeps the order in which they came, whenever they join. */
function standIn(state: GateState, waiting: Waiting, queues: readonly string[]): void {
  for (const queue of waiting.queues) {
    if (queues.includes(queue)) continue;
    const line = state.queues.get(queue) ?? [];
    const place = placeIn(line, waiting);
    if (line[place] === waiting) line.splice(place, 1);
    if (line.length === 0) state.queues.delete(queue);
  }
  for (const queue of queues) {
    if (waiting.queues.includes(queue)) continue;
    const line = state.queues.get(queue) ?? [];
    line.splice(placeIn(line, waiting), 0, waiting);
    state.queues.set(queue, line);
  }
  waiting.queues = [...new Set(queues)];
}

/** Puts what was carried over back in its lines. */
export function restoreWaiting(state: GateState, waiting: Waiting, queues: readonly string[]): void {
  state.waiting.set(waiting.rq, waiting);
  state.waitingOf.set(waiting.workflow, (state.waitingOf.get(waiting.workflow) ?? 0) + 1);
  standIn(state, waiting, queues);
}

export function approve(state: GateState, operation: Approve): Answer {
  const waiting = state.waiting.get(operation.rq);
  const glass = operation.glass === true;
  if (waiting === undefined || waiting.until < state.now) return { a: 'no_approval', c: 'not_waiting' };
  if (waiting.plan !== operation.p) return { a: 'no_approval', c: 'plan_differs' };
  const decidedBy = waiting.deniedBy ?? (glass ? null : waiting.approvedBy);
  if (decidedBy !== null) return { a: 'no_approval', c: 'decided', by: decidedBy };
  if (!waiting.approval && !glass) return { a: 'no_approval', c: 'not_waiting' };
  if (waiting.by === operation.by && !glass) return { a: 'no_approval', c: 'same_person', by: waiting.by };
  waiting.approvedBy = operation.by;
  waiting.glass = glass;
  waiting.approval = false;
  return { a: 'ok' };
}

export function deny(state: GateState, operation: Deny): Answer {
  const waiting = state.waiting.get(operation.rq);
  if (waiting === undefined) return { a: 'no_approval', c: 'not_waiting' };
  waiting.deniedBy = operation.by;
  standIn(state, waiting, []);
  return { a: 'ok' };
}

export function leave(state: GateState, operation: Leave): Answer {
  leaveFor(state, operation.rq);
  return { a: 'ok' };
}

/** Whoever did not ask again in time is gone, and gives up its place. */
export function trimWaiting(state: GateState): void {
  for (const waiting of state.waiting.values()) {
    if (Math.max(waiting.askAgain, waiting.since) + WAITER_GRACE_MS < state.now) leaveFor(state, waiting.rq);
  }
}

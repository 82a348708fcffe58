/**
 * Rebuilds a gate's state from what it recorded: its input, and every operation with the answer that was given (docs/protocol.md §9.2).
 * Nothing is decided anew: an admission is taken as it was, under its number, whatever the limits would say today.
 */
import { apply, remember, tick, trim } from './apply.ts';
import { take } from './ask.ts';
import { observe } from './episodes.ts';
import { judge } from './judge.ts';
import { holdPermit, swept, type SweepFinding } from './leases.ts';
import { RESET, type Answer, type Ask, type Operation, type Permit } from './operations.ts';
import { rehearse } from './rehearsal.ts';
import { leaseKey, type GateState } from './state.ts';
import { awaitRoom, enter, leaveFor } from './waiting.ts';

/** One thing that a gate's history tells, in its order. */
export type Recorded =
  | {
      readonly kind: 'batch';
      readonly now: number;
      readonly ops: readonly Operation[];
      readonly answers: readonly Answer[];
    }
  | { readonly kind: 'sweep'; readonly now: number; readonly findings: readonly SweepFinding[] };

const TRIM_MS = 5_000;

export class Folder {
  readonly state: GateState;
  #trimmed = 0;

  constructor(state: GateState) {
    this.state = state;
  }

  add(entry: Recorded): void {
    const { state } = this;
    tick(state, entry.now);
    if (state.now - this.#trimmed > TRIM_MS) {
      trim(state);
      this.#trimmed = state.now;
    }
    if (entry.kind === 'sweep') {
      for (const finding of entry.findings) swept(state, finding);
      return;
    }
    entry.ops.forEach((operation, index) => {
      const answer = entry.answers[index];
      if (answer !== undefined) applyRecorded(state, operation, answer);
    });
  }

  /** What the next run begins with: all of it, under a new epoch, so that no number comes twice. */
  finish(): GateState {
    this.state.epoch += 1;
    this.state.next = 1;
    this.state.folds += 1;
    return this.state;
  }
}

/** Answers that decided nothing. */
const NOTHING: ReadonlySet<Answer['a']> = new Set([
  'too_old',
  'malformed',
  'unknown_definition',
  'unknown_fleet',
  'reused',
]);

function applyRecorded(state: GateState, operation: Operation, answer: Answer): void {
  if (answer.a === 'quarantined') {
    if (!answer.why.startsWith(RESET)) state.quarantine = answer.why;
    return;
  }
  if (NOTHING.has(answer.a) || state.remembered.has(operation.id)) return;
  if (operation.op === 'ask') return askRecorded(state, operation, answer);
  if (operation.op === 'permit') return permitRecorded(state, operation, answer);
  apply(state, operation, () => '');
}

function askRecorded(state: GateState, operation: Ask, answer: Answer): void {
  const observed = operation.e !== undefined && operation.dry !== true && operation.rq === undefined;
  if (observed && operation.e !== undefined) observe(state, operation.e, operation.eu);
  const episode = (operation.e === undefined ? undefined : state.episodes.get(operation.e.id)) ?? null;
  const definition = state.definitions.get(operation.w)?.get(operation.d);
  const ruling = state.rulings.get(operation.w);
  if (answer.a === 'admitted' && !state.leases.has(leaseKey(answer.l))) {
    const glass = operation.rq !== undefined && state.waiting.get(operation.rq)?.glass === true;
    const lease = take(state, { ref: answer.l, operation, changing: definition?.changing ?? true, glass });
    if (episode !== null && !lease.dry) {
      episode.lease = lease.ref;
      episode.admittedAt = state.now;
    }
  }
  if (answer.a === 'pending' && answer.same !== true && ruling !== undefined)
    waitRecorded(state, operation, answer, definition?.changing ?? true);
  else if (operation.rq !== undefined) leaveFor(state, operation.rq);
  if (answer.a === 'shadow' && answer.r === undefined && definition !== undefined && ruling !== undefined)
    rehearse(state, operation, definition, ruling, episode);
  remember(state, operation, answer);
}

/** It stands in the lines of what is in its way now; when it asks again and until when it waits, as it was told. */
function waitRecorded(
  state: GateState,
  operation: Ask,
  answer: Extract<Answer, { a: 'pending' }>,
  changing: boolean,
): void {
  const ruling = state.rulings.get(operation.w);
  const waiting = ruling === undefined ? null : enter(state, operation, ruling, answer.u);
  if (waiting === null) return;
  const { glass } = waiting;
  const question = { workflow: operation.w, target: operation.t, changing, waiting, rehearsal: false, glass };
  if (answer.ap !== true && answer.pause !== true) awaitRoom(state, waiting, judge(state, question).against);
  waiting.approval = answer.ap === true;
  waiting.askAgain = answer.ra;
  waiting.place = answer.pl;
  waiting.until = answer.u;
}

function permitRecorded(state: GateState, operation: Permit, answer: Answer): void {
  const lease = state.leases.get(leaseKey(operation.l));
  if (lease !== undefined && answer.a === 'permit') {
    const { s: step, a: attempt, n: node } = operation;
    const { bb: beginBy, bu: busyUntil, no: nonce, at: givenAt } = answer;
    holdPermit(state, lease, operation, { step, attempt, node, beginBy, busyUntil, nonce, givenAt });
  }
  remember(state, operation, answer);
}

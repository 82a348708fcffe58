/** Every limit of a workflow against one target: what stands in the way, and what counted. */
import { breakerId } from './breakers.ts';
import { clip } from './clip.ts';
import { merged, scopeCode, scopeKey } from './counts.ts';
import { LIMIT_KINDS } from './limits/limit-kinds.ts';
import type { Verdict } from './limits/limit.ts';
import type { LimitRef, ReasonRef, TargetRef } from './operations.ts';
import type { GateState, Lease, Waiting } from './state.ts';
import { windowsOver } from './windows.ts';

/** One limit in the way. `queue` names its room, for which one may wait in line; null: time or a person frees it, no line forms. */
export type Against = { readonly reason: ReasonRef; readonly queue: string | null; readonly waits: boolean };

export type Judgement = {
  readonly against: readonly Against[];
  /** What counted against each limit of the ruling, in its order. */
  readonly counted: readonly number[];
};

export type Question = {
  readonly workflow: string;
  readonly target: TargetRef;
  readonly changing: boolean;
  /** Who asks again for a request that waits: only those who came before stand before it. */
  readonly waiting: Waiting | null;
  /** A rehearsal meets virtual leases too, and does not wait in line. */
  readonly rehearsal: boolean;
  readonly glass: boolean;
};

export function judge(state: GateState, question: Question): Judgement {
  const { workflow, target } = question;
  const against: Against[] = [];
  const counted: number[] = [];
  for (const limit of state.rulings.get(workflow)?.limits ?? []) {
    const verdict = verdictOf(state, question, limit);
    counted.push(verdict.current);
    if (verdict.full) against.push(againstOf(question, limit, verdict));
  }
  if (question.changing) {
    if (target.k === 'n') against.push(...implicit(state, question));
    if (!question.glass) against.push(...closed(state, workflow, target));
  }
  return { against, counted };
}

export function verdictOf(state: GateState, question: Question, limit: LimitRef): Verdict {
  const { workflow, target, rehearsal } = question;
  const key = scopeKey(limit.s, target);
  const counter = merged(
    state.real.counts(workflow, limit)?.counter(key),
    rehearsal ? state.virtual.counts(workflow, limit)?.counter(key) : undefined,
  );
  const breaker = limit.k === 'i' ? state.breakers.get(breakerId(workflow, limit, target)) : undefined;
  return LIMIT_KINDS[limit.k].judge(limit, {
    now: state.now,
    target,
    counter,
    fleet: state.fleet,
    heldUp: (view, floor) =>
      state.real.heldUp(view, floor, state.fleet) +
      (rehearsal ? state.virtual.heldUpBeside(state.real, view, floor, state.fleet) : 0),
    isHeld: (node) => state.real.nodes.has(node) || (rehearsal && state.virtual.nodes.has(node)),
    streak: breaker?.streak ?? 0,
    open: breaker?.open === true,
    ahead:
      rehearsal || state.queues.size === 0 || !LIMIT_KINDS[limit.k].waits
        ? 0
        : ahead(state, queueOf(workflow, limit, key), question.waiting),
  });
}

const queueOf = (workflow: string, limit: LimitRef, key: string): string =>
  `${limit.k} ${limit.g === undefined ? workflow : `limit ${limit.g}`} ${key}`;

const queueOfNode = (node: string): string => `node ${node}`;

/** One that has not asked by then, as when its coordinator died, lets others go first until it does. */
const LATE_MS = 15_000;

/** How many have waited longer for the same room, and would take it. Who does not wait yet comes after all. */
function ahead(state: GateState, queue: string, waiting: Waiting | null): number {
  let before = 0;
  for (const other of state.queues.get(queue) ?? []) {
    if (waiting !== null && other.order >= waiting.order) break;
    if (other.until >= state.now && other.askAgain + LATE_MS >= state.now) before += 1;
  }
  return before;
}

/** So many fit an answer. */
const MAX_HEADS = 4;

/** Who stands first in the lines that the end of this lease may have made room for. */
export function headsAfter(state: GateState, lease: Lease): string[] {
  if (state.queues.size === 0) return [];
  const heads = new Set<string>();
  const add = (queue: string): void => {
    const first = state.queues.get(queue)?.find((one) => one.until >= state.now);
    if (first !== undefined && heads.size < MAX_HEADS) heads.add(first.rq);
  };
  for (const node of lease.nodes.keys()) add(queueOfNode(node));
  for (const limit of state.rulings.get(lease.workflow)?.limits ?? [])
    if (LIMIT_KINDS[limit.k].waits) add(queueOf(lease.workflow, limit, scopeKey(limit.s, lease.target)));
  return [...heads];
}

function againstOf({ workflow, target }: Question, limit: LimitRef, verdict: Verdict): Against {
  const scope = scopeCode(limit.s);
  const kind = verdict.unknown === true ? 'fleet' : limit.k;
  const { allowed, current, free } = verdict;
  const bare = [kind, scope, allowed, current, free] as const;
  const reason: ReasonRef = limit.g === undefined ? bare : [...bare, limit.g];
  const { waits } = LIMIT_KINDS[limit.k];
  return { reason, queue: waits ? queueOf(workflow, limit, scopeKey(limit.s, target)) : null, waits };
}

/** One changing execution per node, over all workflows. */
function implicit(state: GateState, { target, waiting, rehearsal }: Question): Against[] {
  const node = target.n ?? '';
  const queue = queueOfNode(node);
  const held = state.real.nodes.has(node) || (rehearsal && state.virtual.nodes.has(node));
  const before = rehearsal ? 0 : ahead(state, queue, waiting);
  return held || before > 0 ? [{ reason: ['node', 'n', 1, 1, null], queue, waits: true }] : [];
}

const closed = (state: GateState, workflow: string, target: TargetRef): Against[] =>
  windowsOver(state, workflow, target).map(({ until, name }) => ({
    reason: ['win', 'g', 0, 1, until, clip(name, 40)],
    queue: null,
    waits: true,
  }));

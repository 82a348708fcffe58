/** A decision of the gate's record as the API tells it. */
import type { ApiDecisionRecord, ApiReason } from '../../workflows/api.ts';
import type { Answer, Ask, LeaseRef, LimitRef, ReasonRef } from '../../workflows/gate/operations.ts';
import { executionUnder, refName } from '../../workflows/gate/target-ref.ts';
import { CONSTRAINT, toApiReason } from '../gate/reasons.ts';
import type { Entry } from './gate-runs.ts';
import type { InForce } from './in-force.ts';

/** Null: nothing was decided about a request. A request that waits is told when it begins to, and when that ends. */
export function decisionRecord({ at, op, answer }: Entry, held: InForce): ApiDecisionRecord | null {
  if (op.op !== 'ask') return null;
  const what = decisionOf(op, answer);
  if (what === null) return null;
  return {
    at: new Date(at).toISOString(),
    decision: what.decision,
    workflow: op.w,
    target: refName(op.t),
    node: op.t.n ?? null,
    request: op.q ?? op.rq ?? op.id,
    caller: op.by ?? '',
    source: op.ev ?? '',
    episode: op.e?.id ?? null,
    plan: op.p,
    execution: what.lease === undefined ? null : execution(op, what.lease),
    code: what.code ?? null,
    limits: answer.a === 'admitted' ? applied(op, answer, held) : reasons(answer, at),
    dry_run: op.dry === true,
  };
}

type Decided = {
  readonly decision: ApiDecisionRecord['decision'];
  readonly lease?: LeaseRef;
  readonly code?: string;
};

function decisionOf(op: Ask, answer: Answer): Decided | null {
  switch (answer.a) {
    case 'admitted':
      return answer.known === true ? null : { decision: 'admitted', lease: answer.l };
    case 'duplicate':
      return { decision: 'duplicate', lease: answer.l };
    case 'refused':
      return answer.known === true ? null : { decision: 'refused', code: answer.full === true ? 'full' : 'limits' };
    case 'pending':
      return op.rq === undefined ? { decision: 'pending', code: waitsFor(answer) } : null;
    case 'shadow':
      return answer.known === true
        ? null
        : { decision: 'shadow', code: answer.r === undefined ? 'admitted' : 'refused' };
    case 'ended':
      return { decision: 'ended', code: answer.c };
    case 'paused':
    case 'stale_evidence':
    case 'too_old':
      return { decision: 'refused', code: answer.a };
    case 'reused':
      return { decision: 'refused', code: 'request_id_reused' };
    default:
      return null;
  }
}

const waitsFor = (answer: Extract<Answer, { a: 'pending' }>): string =>
  answer.same === true ? 'waits_already' : answer.ap === true ? 'approval' : answer.pause === true ? 'pause' : 'limits';

export const execution = (op: Ask, lease: LeaseRef): string => executionUnder(op.w, op.t, lease);

/** What stood in the way, with the count at that moment. */
function reasons(answer: Answer, at: number): ApiReason[] {
  const given: readonly ReasonRef[] = 'r' in answer ? (answer.r ?? []) : [];
  return given.map((reason) => toApiReason(reason, at));
}

/** All that was applied, with what counted before this one. */
function applied(op: Ask, answer: Extract<Answer, { a: 'admitted' }>, held: InForce): ApiDecisionRecord['limits'] {
  const limits = held.limits(op.w, answer.v) ?? [];
  return limits.map((limit, i) => appliedLimit(limit, answer.n?.[i] ?? 0));
}

const appliedLimit = (limit: LimitRef, current: number): ApiDecisionRecord['limits'][number] => ({
  constraint: CONSTRAINT[limit.k],
  scope: limit.s,
  name: limit.g ?? null,
  limit: limit.v,
  current,
  retry_after_s: null,
  ...(limit.pc === true ? { percent: true } : {}),
});

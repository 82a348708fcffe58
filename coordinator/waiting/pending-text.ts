/** What waits, as callers read it. */
import type { ApiPending, ApiPendingRequest, ApiReason } from '../../workflows/api.ts';
import type { Answer, WaitingSummary } from '../../workflows/gate/operations.ts';
import { describeReason, toApiReason } from '../gate/reasons.ts';
import { pendingOf } from './pending-id.ts';

type PendingAnswer = Extract<Answer, { a: 'pending' }>;

const rfc3339 = (ms: number): string => new Date(ms).toISOString();

export function toApiPending(answer: PendingAnswer, now: number): ApiPending {
  const waitsFor = answer.pause === true ? 'pause' : answer.ap === true ? 'approval' : 'limits';
  const reasons = answer.r.map((reason) => toApiReason(reason, now));
  return {
    pending: pendingOf(answer.rq),
    waits_for: waitsFor,
    message: (answer.same === true ? 'the same fault waits already: ' : '') + describe(waitsFor, reasons, answer.pl),
    reasons,
    place: answer.pl,
    asks_again_at: rfc3339(answer.ra),
    expires_at: rfc3339(answer.u),
  };
}

export function toApiPendingRequest(waiting: WaitingSummary, now: number): ApiPendingRequest {
  const reasons = waiting.reasons.map((reason) => toApiReason(reason, now));
  const unapproved = waiting.approval && waiting.approvedBy === null;
  const waitsFor = unapproved ? 'approval' : reasons.length === 0 ? 'pause' : 'limits';
  return {
    pending: pendingOf(waiting.rq),
    waits_for: waitsFor,
    message: describe(waitsFor, reasons, waiting.place),
    reasons,
    place: waiting.place,
    asks_again_at: rfc3339(waiting.askAgain),
    expires_at: rfc3339(waiting.until),
    workflow: waiting.workflow,
    target: waiting.target,
    request: waiting.request,
    caller: waiting.by,
    since: rfc3339(waiting.since),
    plan: waiting.plan,
    approved_by: waiting.approvedBy,
  };
}

function describe(waitsFor: ApiPending['waits_for'], reasons: readonly ApiReason[], place: number): string {
  if (waitsFor === 'approval') return 'waits for the yes of somebody else than who asked: fettle approve';
  if (waitsFor === 'pause') return 'waits for the end of a pause: fettle status';
  const line = place === 0 ? '' : `; ${place} ${place === 1 ? 'waits' : 'wait'} before it`;
  return `waits: ${reasons.map(describeReason).join('; ')}${line}`;
}

/**
 * Requests that wait, for those who look after them: who and what waits, and a person's word about it (docs/protocol.md §7). Each method
 * checks whether this caller may. What waits is in the gate; the workflow `pending:...` only asks again for it.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { AccessConfig, Verb } from '../../config/coordinator.ts';
import type { ApiApproved, ApiPendingDetail } from '../../workflows/api.ts';
import type { Answer, WaitingSummary } from '../../workflows/gate/operations.ts';
import { callerText, mayDo } from '../access.ts';
import { callerRef } from '../caller-ref.ts';
import { submit } from '../gate/decide.ts';
import type { GateClient } from '../gate/gate-client.ts';
import { noDecision } from '../gate/no-decision.ts';
import { ApiFailure, type Caller, type PendingState, type WaitingRequests } from '../service.ts';
import { pendingOf, rqOf } from './pending-id.ts';
import { toApiPendingRequest } from './pending-text.ts';
import type { PendingFacts, PendingWorkflows } from './pending-workflows.ts';

/** After a yes, its execution is waited for so long, so that the answer can name it. */
const SOON_MS = 3_000;
/** Asked again at once after a resume; the others ask when their time comes. */
const MOST_CALLED = 200;

type Approval = Parameters<WaitingRequests['approve']>[2];

export type WaitingOptions = {
  readonly gate: GateClient;
  readonly pending: PendingWorkflows;
  readonly access: () => AccessConfig;
  readonly log: Logger;
  readonly onBreakGlass: (workflow: string) => void;
};

export function createWaiting(options: WaitingOptions): WaitingRequests {
  const { pending } = options;
  return {
    list: async () => {
      const waiting = (await allWaiting(options)).toSorted((a, b) => a.since - b.since);
      return waiting.map((one) => toApiPendingRequest(one, Date.now()));
    },
    get: async (id) => {
      const facts = await factsOf(options, id);
      return { ...stateOf(id, facts), asked: facts.open ? await askedOf(options, id) : null };
    },
    approve: (caller, id, approval) => approve(options, caller, id, approval),
    deny: (caller, id, reason) => deny(options, caller, id, reason),
    cancel: (caller, id, reason) => cancel(options, caller, id, reason),
    lookAgain: async () => {
      const waiting = await allWaiting(options);
      await Promise.allSettled(waiting.slice(0, MOST_CALLED).map((one) => pending.call(pendingOf(one.rq))));
    },
  };
}

async function approve(options: WaitingOptions, caller: Caller, id: string, approval: Approval): Promise<ApiApproved> {
  const facts = await factsOf(options, id);
  authorise(options, caller, 'approve', facts);
  if (approval.breakGlass) authorise(options, caller, 'break_glass', facts);
  const by = callerRef(callerText(caller));
  const plan = approval.plan ?? (await waitingUnder(options, id, facts)).plan;
  const answer = await submit(options.gate, {
    op: 'approve',
    id: `y:${randomUUID()}`,
    at: Date.now(),
    rq: rqOf(id),
    p: plan,
    by,
    ...whyOf(approval.reason),
    ...(approval.breakGlass ? { glass: true as const } : {}),
  });
  const again = answer.a === 'no_approval' && answer.c === 'decided' && answer.by === by;
  if (answer.a !== 'ok' && !again) throw await refusedWord(options, answer, id, facts);
  if (approval.breakGlass) {
    options.onBreakGlass(facts.workflow);
    options.log.warn(
      {
        audit: 'break_glass',
        pending: id,
        workflow: facts.workflow,
        plan,
        caller: callerText(caller),
        reason: approval.reason,
      },
      'BREAK GLASS: approved without a second person, through closed windows',
    );
  } else options.log.info({ audit: 'approved', pending: id, plan, caller: callerText(caller) }, 'approved');
  await call(options, id);
  const ended = await options.pending.soon(id, SOON_MS);
  const execution = ended?.execution ?? null;
  const message =
    ended === null ? 'approved; it is decided again, and its limits still hold' : `approved: ${ended.message}`;
  return { pending: id, by: callerText(caller), execution, message };
}

async function deny(options: WaitingOptions, caller: Caller, id: string, reason: string): Promise<ApiApproved> {
  const facts = await factsOf(options, id);
  authorise(options, caller, 'approve', facts);
  const by = callerRef(callerText(caller));
  const answer = await submit(options.gate, {
    op: 'deny',
    id: `n:${randomUUID()}`,
    at: Date.now(),
    rq: rqOf(id),
    by,
    ...whyOf(reason),
  });
  if (answer.a !== 'ok') throw await refusedWord(options, answer, id, facts);
  options.log.info({ audit: 'denied', pending: id, caller: callerText(caller), reason }, 'denied');
  await call(options, id);
  return {
    pending: id,
    by: callerText(caller),
    execution: null,
    message: 'denied; it waits no more, and nothing runs',
  };
}

/** Who asked may take it back without being allowed to cancel what others asked for. */
async function cancel(options: WaitingOptions, caller: Caller, id: string, reason: string): Promise<PendingState> {
  const facts = await factsOf(options, id);
  authorise(options, caller, 'cancel', facts);
  if (!facts.open) throw over(id, facts);
  await options.pending.cancel(id, reason);
  const ended = await options.pending.soon(id, SOON_MS);
  options.log.info({ audit: 'cancelled', pending: id, caller: callerText(caller), reason }, 'a wait was cancelled');
  return stateOf(id, { ...facts, open: ended === null, result: ended });
}

/** The approver's word stands in the gate; a workflow that cannot be called asks when its time comes. */
const call = ({ pending, log }: WaitingOptions, id: string): Promise<void> =>
  pending.call(id).catch((error: unknown) => log.debug({ error, pending: id }, 'a request that waits was not called'));

const whyOf = (reason: string | null): { why?: string } =>
  reason === null || reason === '' ? {} : { why: reason.slice(0, 100) };

const PENDING_ID = /^pending:[A-Za-z0-9_-]{1,64}$/;

async function factsOf({ pending }: WaitingOptions, id: string): Promise<PendingFacts> {
  const facts = PENDING_ID.test(id)
    ? await pending.read(id).catch((error: unknown) => Promise.reject(noDecision(error)))
    : null;
  if (facts === null) {
    const shown = JSON.stringify(id.slice(0, 80));
    throw new ApiFailure(
      404,
      'unknown_pending',
      `no request waits, or has waited, as ${shown}; list them with: fettle ps`,
    );
  }
  return facts;
}

/** What whoever says yes must see. */
async function askedOf({ pending }: WaitingOptions, id: string): Promise<ApiPendingDetail['asked']> {
  const request = await pending.asked(id).catch((error: unknown) => Promise.reject(noDecision(error)));
  if (request === null) return null;
  return { args: { ...request.plan.args }, reason: request.reason, evidence: request.evidence.summary };
}

async function waitingUnder(options: WaitingOptions, id: string, facts: PendingFacts): Promise<WaitingSummary> {
  const found = (await allWaiting(options)).find((one) => pendingOf(one.rq) === id);
  if (found === undefined) throw over(id, facts);
  return found;
}

const allWaiting = ({ gate }: WaitingOptions): Promise<WaitingSummary[]> =>
  gate.waiting().catch((error: unknown) => Promise.reject(noDecision(error)));

function authorise({ access }: WaitingOptions, caller: Caller, verb: Verb, { workflow, nodeType }: PendingFacts): void {
  const allowed = mayDo(access(), caller, verb, { workflow, nodeTypes: nodeType === null ? [] : [nodeType] });
  if (!allowed.allowed) throw new ApiFailure(403, 'not_allowed', allowed.reason);
}

const stateOf = (pending: string, { open, result }: PendingFacts): PendingState => ({
  pending,
  open,
  outcome: result?.outcome ?? null,
  execution: result?.execution ?? null,
  message: result?.message ?? null,
});

function over(id: string, { result }: PendingFacts): ApiFailure {
  const how = result === null ? 'the gate no longer knows of it' : `${result.outcome}: ${result.message}`;
  return new ApiFailure(409, 'already_decided', `${id} waits no more (${how})`);
}

/** Why a person's word does not count. */
async function refusedWord(
  options: WaitingOptions,
  answer: Answer,
  id: string,
  facts: PendingFacts,
): Promise<ApiFailure> {
  if (answer.a !== 'no_approval') {
    return new ApiFailure(503, 'no_decision', `the gate answered ${answer.a} to a word about ${id}; try again`, {
      retryAfterS: 2,
    });
  }
  const by = answer.by ?? 'somebody';
  switch (answer.c) {
    case 'same_person':
      return new ApiFailure(
        403,
        'same_person',
        `${id} must be approved by somebody else than ${by}, who asked for it; where nobody else can be reached: --break-glass, by a role that has it`,
      );
    case 'plan_differs':
      return new ApiFailure(
        409,
        'plan_differs',
        `${id} waits with another plan than the one you were shown; look at it again with: fettle ps`,
      );
    case 'decided':
      return new ApiFailure(409, 'already_decided', `${id} was decided by ${by} before`);
    default:
      return unneeded(await waitingUnder(options, id, facts), id);
  }
}

/** It waits, and not for a yes. */
function unneeded({ approvedBy }: WaitingSummary, id: string): ApiFailure {
  const why =
    approvedBy === null
      ? 'its limits stand in the way, which nobody can lift; for a closed window: --break-glass, by a role that has it'
      : `${approvedBy} approved it; it waits for its limits`;
  return new ApiFailure(409, 'no_approval_needed', `${id} waits for nobody's yes: ${why}`);
}

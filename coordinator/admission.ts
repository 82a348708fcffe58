/**
 * From a caller's request to a started execution: may this caller, are these arguments, is this evidence, is this target, and then the
 * gate's decision (docs/architecture.md). Everything before the gate only refuses; the gate alone admits.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ApiDecision, ApiEpisodeAnswer, ApiEpisodeReport, ApiRequest } from '../workflows/api.ts';
import {
  executionId,
  PROTOCOL,
  targetName,
  type ExecutionInput,
  type WorkflowDefinition,
} from '../workflows/contract.ts';
import type { Answer, Ask, LeaseRef } from '../workflows/gate/operations.ts';
import { targetRef } from '../workflows/gate/summary.ts';
import { shortDigestOf } from './digest.ts';
import type { Ruling } from './gate/ruling.ts';
import { GateUnavailableError, type GateClient } from './gate/gate-client.ts';
import { describeReason, toApiReason } from './gate/reasons.ts';
import { checkRequest, episodeOf, readEvidence, type CheckedRequest, type Knowledge } from './request-check.ts';
import { ApiFailure, type Caller } from './service.ts';
import { isUnreachable } from './temporal.ts';

export type AdmissionOptions = Knowledge & {
  readonly name: string;
  readonly domain: string;
  readonly gate: GateClient;
  /** How a workflow's requests are ruled now. */
  readonly ruling: (definition: WorkflowDefinition) => Ruling;
  readonly start: (input: ExecutionInput) => Promise<void>;
  readonly exists: (execution: string) => Promise<boolean>;
  readonly log: Logger;
  readonly onDecision?: (decision: string, workflow: string) => void;
};

export type Admission = {
  readonly request: (caller: Caller, body: ApiRequest) => Promise<ApiDecision>;
  readonly reportEpisode: (caller: Caller, report: ApiEpisodeReport) => Promise<ApiEpisodeAnswer>;
  /** Tells the gate what this coordinator believes about each workflow's limits. */
  readonly announce: () => Promise<void>;
};

export function createAdmission(options: AdmissionOptions): Admission {
  return {
    request: async (caller, body) => {
      const checked = await checkRequest(options, caller, body);
      const answer = await decide(options, checked);
      const decision = await follow(options, checked, answer);
      audit(options, checked, decision);
      return decision;
    },
    reportEpisode: (caller, report) => reportEpisode(options, caller, report),
    announce: async () => {
      const names = options.workflowNames();
      await Promise.all(names.map((name) => announce(options, options.workflow(name))));
    },
  };
}

async function decide(options: AdmissionOptions, checked: CheckedRequest): Promise<Answer> {
  const { definition, target } = checked.plan;
  const ruling = options.ruling(definition);
  const ask: Ask = {
    op: 'ask',
    id: `a:${shortDigestOf({ caller: checked.caller, request: checked.requestId })}`,
    at: checked.issuedAt,
    w: definition.name,
    d: ruling.digest,
    t: targetRef(target, ruling.labels),
    p: checked.planDigest,
    eu: checked.evidence.validUntil,
    ...(checked.episode === null ? {} : { e: checked.episode }),
    ...(checked.body.dry_run === true ? { dry: true as const } : {}),
  };
  const answer = await submit(options, ask);
  if (answer.a !== 'unknown_definition') return answer;
  await announce(options, definition);
  return submit(options, ask);
}

async function submit(options: AdmissionOptions, ask: Ask): Promise<Answer> {
  try {
    return await options.gate.submit(ask);
  } catch (error) {
    throw noDecision(error);
  }
}

function noDecision(error: unknown): ApiFailure {
  if (error instanceof GateUnavailableError) {
    return new ApiFailure(503, error.code, error.message, { retryAfterS: 5, cause: error });
  }
  return new ApiFailure(503, 'no_decision', 'no decision could be taken; ask again with the same request_id', {
    retryAfterS: 5,
    cause: error,
  });
}

async function announce(options: AdmissionOptions, definition: WorkflowDefinition | null): Promise<void> {
  if (definition === null) return;
  const now = Date.now();
  const { digest, announcement } = options.ruling(definition);
  const id = `d:${options.name.slice(0, 40)}:${digest}:${now}`;
  try {
    await options.gate.submit(announcement(options.name, id, now));
  } catch (error) {
    throw noDecision(error);
  }
}

/** Turns the gate's answer into the caller's, starting the execution where that is due. */
async function follow(options: AdmissionOptions, checked: CheckedRequest, answer: Answer): Promise<ApiDecision> {
  const request_id = checked.requestId;
  switch (answer.a) {
    case 'admitted':
      return {
        decision: answer.known === true ? 'duplicate' : 'admitted',
        request_id,
        execution: await startExecution(options, checked, answer.l, answer.sb),
      };
    case 'duplicate': {
      const mine = answer.same && !answer.st && Date.now() < answer.sb;
      if (mine)
        return {
          decision: 'duplicate',
          request_id,
          execution: await startExecution(options, checked, answer.l, answer.sb),
        };
      return { decision: 'duplicate', request_id, execution: nameOf(checked, answer.l) };
    }
    case 'refused': {
      const reasons = answer.r.map((reason) => toApiReason(reason, Date.now()));
      const rest = answer.more === undefined ? '' : `; and ${answer.more} more`;
      return {
        decision: 'refused',
        request_id,
        code: 'limits',
        message: reasons.map(describeReason).join('; ') + rest,
        reasons,
      };
    }
    case 'paused':
      return { decision: 'refused', request_id, code: 'paused', message: `paused: ${answer.why}`, reasons: [] };
    case 'stale_evidence':
      throw new ApiFailure(410, 'evidence_too_old', 'the evidence is no longer good; look again and ask again');
    case 'reused':
      throw new ApiFailure(
        409,
        'request_id_reused',
        'this request_id was used for another plan; use a new one for a new request',
      );
    case 'too_old':
      throw new ApiFailure(410, 'too_old', 'this request is too old to be decided; make a new one');
    case 'unknown_definition':
      throw new ApiFailure(503, 'definition_unknown', 'the gate does not know this workflow yet; ask again', {
        retryAfterS: 1,
      });
    default:
      throw new ApiFailure(503, 'no_decision', `the gate answered ${answer.a}; ask again with the same request_id`, {
        retryAfterS: 5,
      });
  }
}

const nameOf = (checked: CheckedRequest, [epoch, n]: LeaseRef): string =>
  executionId(checked.plan.definition.name, targetName(checked.plan.target), { epoch, n });

async function startExecution(
  options: AdmissionOptions,
  checked: CheckedRequest,
  lease: LeaseRef,
  startBy: number,
): Promise<string> {
  const execution = nameOf(checked, lease);
  if (Date.now() > startBy) return existing(options, execution);
  const input: ExecutionInput = {
    protocol: PROTOCOL,
    domain: options.domain,
    execution,
    lease: { epoch: lease[0], n: lease[1] },
    startBy,
    plan: checked.plan,
    planDigest: checked.planDigest,
    request: checked.requestId,
    caller: checked.caller,
    reason: checked.body.reason ?? null,
    evidence: checked.evidence,
    episode: checked.episode?.id ?? null,
    dryRun: checked.body.dry_run === true,
  };
  try {
    await options.start(input);
  } catch (error) {
    options.log.error({ error, execution }, 'admitted, but the execution could not be started');
    const why = isUnreachable(error) ? 'Temporal did not answer' : 'Temporal refused the start';
    throw new ApiFailure(
      503,
      'not_started',
      `${execution} was admitted but not started (${why}); ask again with the same request_id`,
      {
        retryAfterS: 2,
        cause: error,
      },
    );
  }
  void options.gate
    .ride({ op: 'started', id: `s:${execution}`, at: Date.now(), l: lease })
    .catch((error: unknown) =>
      options.log.debug({ error, execution }, 'the gate was not told of the start; its sweep will see'),
    );
  return execution;
}

/** Past its start-by an execution is not started any more: either somebody did, or the lease frees itself. */
async function existing(options: AdmissionOptions, execution: string): Promise<string> {
  if (await options.exists(execution).catch((error: unknown) => Promise.reject(noDecision(error)))) return execution;
  const message = `${execution} was admitted but never started; its lease frees itself within seconds: ask again with the same request_id`;
  throw new ApiFailure(503, 'not_started', message, { retryAfterS: 10 });
}

async function reportEpisode(
  options: AdmissionOptions,
  caller: Caller,
  report: ApiEpisodeReport,
): Promise<ApiEpisodeAnswer> {
  const e = episodeOf(options, caller, report.identity);
  const at = Date.now();
  const eu = report.evidence === undefined ? at : readEvidence(report.evidence, report.identity.source).validUntil;
  const id = `e:${randomUUID()}`;
  try {
    const answer = await options.gate.submit(
      report.state === 'resolved' ? { op: 'resolved', id, at, e } : { op: 'seen', id, at, e, eu },
    );
    return { episode: e.id, open: answer.a === 'episode' && answer.open };
  } catch (error) {
    throw noDecision(error);
  }
}

/** One line per decision: who asked for what, and what was decided. Never the arguments, which may be private. */
function audit(options: AdmissionOptions, checked: CheckedRequest, decision: ApiDecision): void {
  const { definition, target } = checked.plan;
  options.onDecision?.(decision.decision, definition.name);
  options.log.info(
    {
      audit: 'decision',
      decision: decision.decision,
      request: checked.requestId,
      caller: checked.caller,
      workflow: definition.name,
      target: targetName(target),
      plan: checked.planDigest,
      episode: checked.episode?.id ?? null,
      ...(decision.decision === 'refused'
        ? { code: decision.code, reasons: decision.reasons }
        : { execution: 'execution' in decision ? decision.execution : null }),
    },
    `${decision.decision}: ${definition.name} on ${targetName(target)}`,
  );
}

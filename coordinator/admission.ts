/**
 * From a caller's request to a started execution, or to one that waits: may this caller, are these arguments, is this evidence, is this
 * target, and then the gate's decision (docs/architecture.md). Everything before the gate only refuses; the gate alone admits.
 */
import { randomUUID } from 'node:crypto';
import type { ApiDecision, ApiEpisodeAnswer, ApiEpisodeReport, ApiRequest } from '../workflows/api.ts';
import { PROTOCOL } from '../workflows/contract.ts';
import type { Answer } from '../workflows/gate/operations.ts';
import type { Asked } from '../workflows/pending-request.ts';
import { askId, askOf } from './ask.ts';
import { announce, decide, submit, type DecideOptions } from './gate/decide.ts';
import { refusalOf, type RefusalOptions } from './gate/refusal.ts';
import { toApiReason } from './gate/reasons.ts';
import { checkRequest, episodeOf, readEvidence, type CheckedRequest, type Knowledge } from './request-check.ts';
import { ApiFailure, type Caller } from './service.ts';
import { executionOf, startAdmitted, type StartOptions } from './start-admitted.ts';
import { pendingOf } from './waiting/pending-id.ts';
import { toApiPending } from './waiting/pending-text.ts';
import type { PendingWorkflows } from './waiting/pending-workflows.ts';

export type AdmissionOptions = Knowledge &
  DecideOptions &
  StartOptions &
  RefusalOptions & {
    readonly domain: string;
    readonly pending: Pick<PendingWorkflows, 'start'>;
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
      const asked = askedOf(options, checked);
      const ask = askOf(asked, options.ruling(asked.plan.definition), {
        id: askId(checked.caller, checked.requestId),
        at: checked.issuedAt,
        evidenceUntil: checked.evidence.validUntil,
        ...(checked.waitUntil === null ? {} : { waitUntil: checked.waitUntil }),
      });
      const decision = await follow(
        options,
        { asked, waitUntil: checked.waitUntil },
        await decide(options, ask, asked.plan.definition),
      );
      options.onDecision?.(decision.decision, asked.plan.definition.name);
      return decision;
    },
    reportEpisode: (caller, report) => reportEpisode(options, caller, report),
    announce: async () => {
      const definitions = options.workflowNames().map((name) => options.workflow(name));
      await Promise.all(definitions.map(async (definition) => definition && announce(options, definition)));
    },
  };
}

const askedOf = ({ domain }: AdmissionOptions, checked: CheckedRequest): Asked => ({
  protocol: PROTOCOL,
  domain,
  plan: checked.plan,
  planDigest: checked.planDigest,
  request: checked.requestId,
  caller: checked.caller,
  reason: checked.body.reason ?? null,
  evidence: checked.evidence,
  wish: checked.wish,
  episode: checked.episode,
  dryRun: checked.body.dry_run === true,
});

/** `waitUntil`: how long the caller would wait for limits; null: not at all. */
type Wish = { readonly asked: Asked; readonly waitUntil: number | null };

/** Turns the gate's answer into the caller's; what is due is started before it is told. */
async function follow(options: AdmissionOptions, wish: Wish, answer: Answer): Promise<ApiDecision> {
  const { asked } = wish;
  const request_id = asked.request;
  switch (answer.a) {
    case 'admitted':
      return {
        decision: answer.known === true ? 'duplicate' : 'admitted',
        request_id,
        execution: await startAdmitted(options, asked, answer.l, answer.sb),
      };
    case 'duplicate': {
      const mine = answer.same && !answer.st && Date.now() < answer.sb;
      const execution = mine ? await startAdmitted(options, asked, answer.l, answer.sb) : executionOf(asked, answer.l);
      return { decision: 'duplicate', request_id, execution };
    }
    case 'pending':
      return { decision: 'pending', request_id, ...(await waits(options, wish, answer)) };
    case 'shadow': {
      const reasons = (answer.r ?? []).map((reason) => toApiReason(reason, Date.now()));
      const would = answer.r === undefined ? 'admitted' : 'refused';
      const message = `the workflow is in shadow mode: this would have been ${would}, and nothing runs`;
      return { decision: 'shadow', request_id, would, message, reasons };
    }
    case 'refused':
      return { decision: 'refused', request_id, code: 'limits', ...(await refusalOf(options, asked, answer)) };
    case 'paused':
      return { decision: 'refused', request_id, code: 'paused', message: `paused: ${answer.why}`, reasons: [] };
    default:
      throw undecided(answer);
  }
}

/** The workflow that asks again is there before the caller hears of it: told again, the gate's answer is the same. */
async function waits(
  options: AdmissionOptions,
  { asked, waitUntil }: Wish,
  answer: Extract<Answer, { a: 'pending' }>,
): Promise<ReturnType<typeof toApiPending>> {
  if (answer.same !== true) {
    const wait = { askAgain: answer.ra, until: answer.u };
    try {
      await options.pending.start({ request: { ...asked, rq: answer.rq, waitUntil }, asked: 0, wait });
    } catch (error) {
      options.log.error(
        { error, pending: pendingOf(answer.rq) },
        'it waits, but nothing could be started to ask again',
      );
      const message = 'it was to wait, but Temporal did not take it; ask again with the same request_id';
      throw new ApiFailure(503, 'not_started', message, { retryAfterS: 2, cause: error });
    }
  }
  return toApiPending(answer, Date.now());
}

/** Answers that are no decision about this request. */
function undecided(answer: Answer): ApiFailure {
  switch (answer.a) {
    case 'stale_evidence':
      return new ApiFailure(410, 'evidence_too_old', 'the evidence is no longer good; look again and ask again');
    case 'reused':
      return new ApiFailure(
        409,
        'request_id_reused',
        'this request_id was used for another plan; use a new one for a new request',
      );
    case 'too_old':
      return new ApiFailure(410, 'too_old', 'this request is too old to be decided; make a new one');
    case 'unknown_definition':
      return new ApiFailure(503, 'definition_unknown', 'the gate does not know this workflow yet; ask again', {
        retryAfterS: 1,
      });
    default:
      return new ApiFailure(503, 'no_decision', `the gate answered ${answer.a}; ask again with the same request_id`, {
        retryAfterS: 5,
      });
  }
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
  const answer = await submit(
    options.gate,
    report.state === 'resolved' ? { op: 'resolved', id, at, e } : { op: 'seen', id, at, e, eu },
  );
  return { episode: e.id, open: answer.a === 'episode' && answer.open };
}

/** What the coordinator checks of a request before the gate is asked: caller, workflow, target, arguments, evidence. It only refuses. */
import { randomUUID } from 'node:crypto';
import type { AccessConfig } from '../config/coordinator.ts';
import type { ApiEvidence, ApiIdentity, ApiRequest } from '../workflows/api.ts';
import { targetName, type Evidence, type Plan, type Target, type WorkflowDefinition } from '../workflows/contract.ts';
import { REMEMBER_MS, type EpisodeRef } from '../workflows/gate/operations.ts';
import { callerText, maySpeakFor, mayDo } from './access.ts';
import { checkArguments } from './arguments.ts';
import { shortDigestOf } from './digest.ts';
import type { Fleet } from './fleet.ts';
import { ApiFailure, type Caller } from './service.ts';
import { resolveTarget } from './targets.ts';
import { whatExists } from './what-exists.ts';
import { WISH_MS } from './waiting/evidence.ts';

/** Nobody waits longer for limits. */
const MAX_WAIT_MS = 24 * 60 * 60_000;
const MAX_EVIDENCE_MS = 24 * 60 * 60_000;
const MAX_FUTURE_MS = 5_000;

/** What a request is judged by: who may do what, which workflows there are, which nodes. */
export type Knowledge = {
  readonly fleet: Fleet;
  readonly access: () => AccessConfig;
  readonly workflow: (name: string) => WorkflowDefinition | null;
  readonly workflowNames: () => readonly string[];
};

/** A request that may be put to the gate. */
export type CheckedRequest = {
  readonly requestId: string;
  readonly caller: string;
  readonly plan: Plan;
  readonly planDigest: string;
  readonly evidence: Evidence;
  /** Without evidence from a source: the caller's own word. */
  readonly wish: boolean;
  readonly episode: EpisodeRef | null;
  /** Waits for limits until then, milliseconds since the epoch; null: not at all. */
  readonly waitUntil: number | null;
  readonly body: ApiRequest;
  readonly issuedAt: number;
};

export async function checkRequest(known: Knowledge, caller: Caller, body: ApiRequest): Promise<CheckedRequest> {
  const definition = known.workflow(body.workflow);
  if (definition === null) throw noSuchWorkflow(body.workflow, known.workflowNames());
  const issuedAt = issueTime(body.issued_at);
  const target = await resolveTarget(known.fleet, body.target, definition);
  checkNodeTypes(body.node_types, target);
  authorise(known, caller, definition.name, target);
  const args = checkArguments(definition.inputs, body.args ?? {});
  if ('problems' in args) {
    const said = args.problems.map((problem) => `${problem.argument}: ${problem.message}`).join('; ');
    throw new ApiFailure(422, 'arguments', `arguments of "${definition.name}": ${said}`, {
      details: { arguments: args.problems },
    });
  }
  const waitMs = Math.min(MAX_WAIT_MS, Math.round((body.wait_s ?? 0) * 1000));
  const evidence = evidenceOf(body, caller, Math.max(waitMs, approvalWait(definition)));
  const episode = body.identity === undefined ? null : episodeOf(known, caller, body.identity);
  const plan: Plan = { definition, args: args.args, target };
  return {
    requestId: body.request_id ?? randomUUID(),
    caller: callerText(caller),
    plan,
    planDigest: shortDigestOf(plan),
    evidence,
    wish: body.evidence === undefined,
    episode,
    waitUntil: waitMs > 0 ? Date.now() + waitMs : null,
    body,
    issuedAt,
  };
}

export function noSuchWorkflow(name: string, names: readonly string[]): ApiFailure {
  const { text, listed } = whatExists(names, 'none are configured');
  return new ApiFailure(404, 'unknown_workflow', `there is no workflow "${name}": ${text}`, {
    details: { known: listed },
  });
}

function issueTime(issuedAt: string | undefined): number {
  const now = Date.now();
  if (issuedAt === undefined) return now;
  const at = Date.parse(issuedAt);
  if (at > now + MAX_FUTURE_MS)
    throw new ApiFailure(422, 'issued_in_future', 'issued_at lies in the future: check the clocks');
  if (at + REMEMBER_MS < now)
    throw new ApiFailure(410, 'too_old', 'this request was made more than ten minutes ago; make a new one');
  return Math.min(at, now);
}

function checkNodeTypes(allowed: readonly string[] | undefined, target: Target): void {
  if (allowed === undefined || target.kind === 'datacenter' || allowed.includes(target.nodeType)) return;
  throw new ApiFailure(
    422,
    'node_type_not_bound',
    `${targetName(target)} is of type ${target.nodeType}; this trigger may name only ${allowed.join(', ')}`,
  );
}

function authorise(known: Knowledge, caller: Caller, workflow: string, target: Target): void {
  const nodeTypes = target.kind === 'datacenter' ? [] : [target.nodeType];
  const allowed = mayDo(known.access(), caller, 'run', { workflow, nodeTypes });
  if (!allowed.allowed) throw new ApiFailure(403, 'not_allowed', allowed.reason);
}

/** How long it may have to wait for a person's yes. */
function approvalWait({ mode, modeOverrides, approvalMs }: WorkflowDefinition): number {
  const asks = mode === 'ask' || modeOverrides.some((override) => override.mode === 'ask');
  return asks ? Math.min(approvalMs, MAX_EVIDENCE_MS) : 0;
}

/** Somebody's own wish stands for as long as he waits. */
function evidenceOf(body: ApiRequest, caller: Caller, waitMs: number): Evidence {
  const now = Date.now();
  if (body.evidence === undefined) {
    return {
      summary: body.reason ?? 'requested',
      source: `request by ${callerText(caller)}`,
      observedAt: now,
      validUntil: now + Math.max(WISH_MS, waitMs),
      labels: {},
    };
  }
  const evidence = readEvidence(body.evidence, body.identity?.source ?? `request by ${callerText(caller)}`);
  if (evidence.validUntil < now) {
    const age = Math.round((now - evidence.validUntil) / 1000);
    throw new ApiFailure(410, 'evidence_too_old', `the evidence was good until ${age} s ago; look again and ask again`);
  }
  return evidence;
}

export function readEvidence(evidence: ApiEvidence, source: string): Evidence {
  const observedAt = Date.parse(evidence.observed_at);
  const validUntil = Date.parse(evidence.valid_until);
  if (observedAt > Date.now() + MAX_FUTURE_MS) {
    throw new ApiFailure(422, 'evidence_in_future', 'evidence.observed_at lies in the future: check the clocks');
  }
  if (validUntil > observedAt + MAX_EVIDENCE_MS) {
    throw new ApiFailure(422, 'evidence_too_long', 'evidence may be good for 24 h at most');
  }
  return { summary: evidence.summary, source, observedAt, validUntil, labels: evidence.labels ?? {} };
}

export function episodeOf(known: Knowledge, caller: Caller, identity: ApiIdentity): EpisodeRef {
  const allowed = maySpeakFor(known.access(), caller, identity.source);
  if (!allowed.allowed) throw new ApiFailure(403, 'not_allowed_source', allowed.reason);
  const began = Math.min(Date.parse(identity.began_at), Date.now());
  return {
    id: shortDigestOf({ source: identity.source, labels: identity.labels }),
    ob: shortDigestOf({ caller: callerText(caller), observer: identity.observer ?? '' }).slice(0, 8),
    b: began,
    gap: Math.round(identity.gap_s * 1000),
    ...(identity.again_s === undefined ? {} : { again: Math.round(identity.again_s * 1000) }),
  };
}

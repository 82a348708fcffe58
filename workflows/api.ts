/**
 * The JSON of the coordinator's HTTP API, `/v1`: what callers send and what comes back. The coordinator's schemas are checked
 * against these types; the command line and the trigger daemon use them. Times are RFC 3339 UTC unless a name ends in `_ms` or `_s`.
 */
import type { Outcome, StepRecord } from './contract.ts';

/** One of: a node, a node type (optionally in one datacenter), a datacenter as a whole. */
export type ApiTarget =
  | { node: string }
  | { node_type: string; datacenter?: string | undefined }
  | { datacenter: string };

/** A fault's identity: the configured source and its labels without the volatile ones. */
export type ApiIdentity = {
  /** `SOURCE/TRIGGER`, e.g. `prometheus.main/web-wedged`. */
  source: string;
  labels: Record<string, string>;
  /** Who watches: distinguishes two daemons that share a SPIFFE id. */
  observer?: string | undefined;
  /** When this fault began, as the source says. */
  began_at: string;
  /** The fault counts as over after this long without being seen. */
  gap_s: number;
  /** A fault that outlives its remedy may be tried again after this long; absent = never within one episode. */
  again_s?: number | undefined;
};

export type ApiEvidence = {
  summary: string;
  observed_at: string;
  valid_until: string;
  labels?: Record<string, string> | undefined;
};

/** `POST /v1/requests` */
export type ApiRequest = {
  workflow: string;
  target: ApiTarget;
  args?: Record<string, unknown> | undefined;
  evidence?: ApiEvidence | undefined;
  identity?: ApiIdentity | undefined;
  /** Repeat it on a retry: the same id gets the same answer. */
  request_id?: string | undefined;
  /** When the caller first made this request; older than ten minutes is refused (`too_old`). */
  issued_at?: string | undefined;
  dry_run?: boolean | undefined;
  reason?: string | undefined;
  /** The caller asks only for nodes of these types: a target of another is refused. Absent = any. */
  node_types?: string[] | undefined;
};

export type ApiReason = {
  constraint: string;
  scope: string;
  limit: number;
  current: number;
  /** Earliest wait until it can be free; null when that depends on something that has not ended. */
  retry_after_s: number | null;
};

/** 201 admitted, 200 duplicate, 409 refused. */
export type ApiDecision =
  | { decision: 'admitted'; request_id: string; execution: string }
  | { decision: 'duplicate'; request_id: string; execution: string }
  | { decision: 'refused'; request_id: string; code: 'limits' | 'paused'; message: string; reasons: ApiReason[] };

/** `POST /v1/episodes`: a fault is still seen, or is over. Nothing is run by it. */
export type ApiEpisodeReport = {
  identity: ApiIdentity;
  state: 'seen' | 'resolved';
  evidence?: ApiEvidence | undefined;
};
export type ApiEpisodeAnswer = { episode: string; open: boolean };

export type ApiExecution = {
  id: string;
  workflow: string;
  target: string;
  node: string | null;
  node_type: string | null;
  datacenter: string | null;
  state: 'running' | 'closed';
  outcome: Outcome | null;
  caller: string;
  started_at: string;
  closed_at: string | null;
};

export type ApiExecutionDetail = ApiExecution & {
  message: string | null;
  verified: boolean | null;
  reason: string | null;
  dry_run: boolean;
  plan: string;
  request: string;
  args: Record<string, unknown>;
  evidence: {
    summary: string;
    source: string;
    observed_at: string;
    valid_until: string;
    labels: Record<string, string>;
  };
  steps: StepRecord[];
  timeline: ApiEvent[];
};

/** One line of an execution's story; also the `data` of each server-sent event of `/v1/executions/{id}/events`. */
export type ApiEvent = {
  at: string;
  /** `admitted started permitted began ended verifying verified healed ...`; stable words, see docs. */
  event: string;
  message: string;
  step?: string | undefined;
  attempt?: number | undefined;
  node?: string | undefined;
};

export type ApiNode = {
  node: string;
  node_type: string;
  datacenter: string;
  alive: boolean;
  last_seen: string | null;
  in_inventory: boolean;
  labels: Record<string, string>;
};

export type ApiWorkflow = {
  name: string;
  description: string;
  kind: 'runbook' | 'typescript';
  task_queue_target: string;
  constraints: { kind: string; value: number; period_s: number; scope: string }[];
  inputs: { name: string; type: string; required: boolean; default: unknown; description: string }[];
};

export type ApiStatus = {
  coordinator: string;
  version: string;
  domain: string;
  temporal: { address: string; connected: boolean };
  gate: {
    state: 'open' | 'paused' | 'missing' | 'unreachable';
    leases: number | null;
    orphaned: number | null;
    detail: string | null;
  };
  fleet: { state: 'ready' | 'warming_up' | 'unreachable'; alive: number };
  config: { files: { file: string; loaded_at: string; problems: string[] }[] };
  warnings: string[];
};

export type ApiError = { code: string; message: string; details?: unknown };

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
  /** When only limits that will free stand against it, it waits for them so long (`pending`); absent or 0: it is refused at once. */
  wait_s?: number | undefined;
  /** The caller asks only for nodes of these types: a target of another is refused. Absent = any. */
  node_types?: string[] | undefined;
};

export type ApiReason = {
  /** `concurrency maxExecution cooldown maxUnavailable maxIneffective one_change_per_node window fleet_unknown` */
  constraint: string;
  scope: string;
  /** Of the fleet-wide `limit` or `window` block; null for a workflow's own constraint. */
  name: string | null;
  limit: number;
  current: number;
  /** Earliest wait until it can be free; null when that depends on something that has not ended. */
  retry_after_s: number | null;
};

/** 201 admitted, 202 pending, 200 duplicate or shadow, 409 refused. */
export type ApiDecision =
  | { decision: 'admitted'; request_id: string; execution: string }
  | { decision: 'duplicate'; request_id: string; execution: string }
  | ({ decision: 'pending'; request_id: string } & ApiPending)
  /** The workflow is in shadow: this is what would have been decided, and nothing runs. */
  | {
      decision: 'shadow';
      request_id: string;
      would: 'admitted' | 'refused';
      message: string;
      reasons: ApiReason[];
    }
  | { decision: 'refused'; request_id: string; code: 'limits' | 'paused'; message: string; reasons: ApiReason[] };

/** A request that waits, for a limit or for a person's yes. It holds nothing. */
export type ApiPending = {
  /** `pending:...`: what `approve`, `deny` and `cancel` name. */
  pending: string;
  waits_for: 'limits' | 'approval' | 'pause';
  message: string;
  reasons: ApiReason[];
  /** How many wait before it for the same limit. */
  place: number;
  asks_again_at: string;
  /** Waits no longer than until then. */
  expires_at: string;
};

/** `GET /v1/pending` */
export type ApiPendingRequest = ApiPending & {
  workflow: string;
  target: string;
  request: string;
  caller: string;
  since: string;
  /** Digest of the plan: `approve` names it. */
  plan: string;
  approved_by: string | null;
};

/** `GET /v1/executions/{id}` of `pending:...`, and the answer to its cancellation. */
export type ApiPendingDetail = {
  pending: string;
  state: 'waiting' | 'ended';
  /** Null while it waits: `admitted expired refused no_fault denied cancelled`. */
  outcome: string | null;
  /** That it became. */
  execution: string | null;
  message: string;
  /** How it waits; null when it does not any more. */
  request: ApiPendingRequest | null;
  /** What whoever says yes must see; null when it cannot be read any more. */
  asked: { args: Record<string, unknown>; reason: string | null; evidence: string } | null;
};

/** `POST /v1/executions/{id}/approve`: `plan` must be the digest that the approver was shown. */
export type ApiApproval = { plan?: string | undefined; reason?: string | undefined; break_glass?: boolean | undefined };
/** `POST /v1/executions/{id}/deny` */
export type ApiDenial = { reason: string };
export type ApiApproved = { pending: string; by: string; execution: string | null; message: string };

/** Exactly one of them, or `everything`. */
export type ApiStopScope =
  | { everything: true }
  | { workflow: string }
  | { datacenter: string }
  | { node_type: string }
  | { node: string };
/** `POST /v1/pause`: a scope that names nothing known is refused, unless `force`. Repeated with one `request_id` it is one pause. */
export type ApiPauseRequest = {
  scope: ApiStopScope;
  reason: string;
  for_s?: number | undefined;
  force?: boolean | undefined;
  request_id?: string | undefined;
};
export type ApiPause = {
  id: string;
  scope: ApiStopScope;
  reason: string;
  by: string;
  since: string;
  until: string | null;
};
/** Permits given before the pause: until the latest begin-by something may still begin. */
export type ApiPaused = ApiPause & { outstanding: { execution: string; begins_by: string }[]; quiet_after: string };
/** `POST /v1/resume`: the id of a pause or of an open breaker. */
export type ApiResumeRequest = { id: string; reason: string };
export type ApiResumed = { id: string; what: 'pause' | 'breaker'; by: string };

/** `POST /v1/windows`: nothing new begins in this scope from `from` until `until`. */
export type ApiWindowRequest = {
  scope: ApiWindowScope;
  from?: string | undefined;
  until: string;
  reason: string;
  force?: boolean | undefined;
  request_id?: string | undefined;
};
/** `POST /v1/windows/{name}/remove` */
export type ApiWindowRemoval = { reason: string };
export type ApiWindowScope = {
  workflows?: string[] | undefined;
  node_types?: string[] | undefined;
  datacenters?: string[] | undefined;
  nodes?: string[] | undefined;
};
export type ApiWindow = {
  name: string;
  scope: ApiWindowScope;
  from: string;
  until: string;
  /** `file`: of a `window` block; `person`: added by somebody. */
  source: 'file' | 'person';
  by: string;
  reason: string;
};

/** `GET /v1/limits?workflow=&node=`: every limit as it stands for that target. */
export type ApiLimit = ApiReason & {
  /** The node, type, datacenter or label value that is counted; empty for global. */
  of: string;
  free: number;
  /** Executions that hold it now. */
  holders: string[];
  /** When ended executions that still count began. */
  starts: string[];
};

/** A breaker that suspended a workflow after outcomes that did not help; lifted by `resume`. */
export type ApiBreaker = {
  id: string;
  workflow: string;
  scope: string;
  of: string;
  limit: number;
  streak: number;
  since: string;
  last_execution: string;
};

/** `GET /v1/decisions`, newest first. */
export type ApiDecisionRecord = {
  at: string;
  decision: 'admitted' | 'duplicate' | 'refused' | 'pending' | 'shadow' | 'ended';
  workflow: string;
  target: string;
  node: string | null;
  request: string;
  caller: string;
  /** The source that saw the fault; empty for a person's wish. */
  source: string;
  episode: string | null;
  plan: string;
  execution: string | null;
  code: string | null;
  /** Limits that stood in the way, or, for what was admitted, all that were applied, with their counts at that moment. */
  limits: ApiRecordedLimit[];
  dry_run: boolean;
};
/** `percent`: the limit is a share of the inventory's nodes, in percent; `current` are nodes all the same. */
export type ApiRecordedLimit = ApiReason & { percent?: boolean | undefined };
export type ApiDecisions = {
  decisions: ApiDecisionRecord[];
  /** Decisions before that are no longer in the record; null when the record is complete. */
  reaches_back_to: string | null;
  /** There are older ones, or they were not looked for yet: ask with `before` set to this. Null: that was all. */
  next: string | null;
};

/** `GET /v1/why`: what the record tells of a request, an execution, the latest requests for a node or about an alert. Newest first. */
export type ApiWhy = { stories: ApiStory[]; reaches_back_to: string | null };
export type ApiStory = {
  request: string;
  workflow: string;
  target: string;
  caller: string;
  /** How it was decided last. */
  decision: ApiDecisionRecord['decision'];
  execution: string | null;
  outcome: Outcome | null;
  /** In sentences, oldest first: asked, decided, waited, permitted, ended. */
  lines: ApiEvent[];
  /** What stands in its way now, when it was refused or waits: every limit without room, and what holds it. */
  in_the_way: ApiLimit[];
};

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
  /** `admitted started permitted began ended verifying looked verified healed ...`; stable words, see docs. */
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
  /** Shut out by a person: it gets no orders and no credential. */
  revoked: { by: string; reason: string; at: string } | null;
  /** The one machine that is believed to be this node, and who says so; null: whoever has its certificate. */
  machine: { id: string; by: 'inventory' | 'receipt' } | null;
  /** The last other machine that spoke as this node: an alarm. `via`: by a receipt, or asking for a token. */
  other_machine: { id: string; via: 'receipt' | 'token'; at: string } | null;
  /** When it last got a token of this coordinator; null: not since that runs, or tokens are not given. */
  renewed_at: string | null;
};

export type ApiAgentTokenRequest = { machine_id?: string | undefined };
/** A credential for Temporal's agents' namespace. */
export type ApiAgentToken = { token: string; expires_at: string };

export type ApiNodeChange = {
  reason: string;
  /** Also when no node of that name is known. */
  force?: boolean | undefined;
};
/** How a node stands after it. */
export type ApiNodeChanged = Pick<ApiNode, 'node' | 'revoked' | 'machine' | 'other_machine'>;

export type ApiWorkflow = {
  name: string;
  description: string;
  kind: 'runbook' | 'typescript';
  task_queue_target: string;
  constraints: { kind: string; value: number; percent: boolean; period_s: number; scope: string }[];
  mode: 'auto' | 'ask' | 'shadow';
  inputs: { name: string; type: string; required: boolean; default: unknown; description: string }[];
};

export type ApiStatus = {
  coordinator: string;
  version: string;
  domain: string;
  temporal: { address: string; connected: boolean };
  gate: {
    /** `quarantined`: lost its memory, until a person adopts it. `opening`: took over from a lost run, for seconds. */
    state: 'open' | 'paused' | 'quarantined' | 'opening' | 'missing' | 'unreachable';
    leases: number | null;
    orphaned: number | null;
    waiting: number | null;
    detail: string | null;
    pauses: ApiPause[];
    windows: ApiWindow[];
    breakers: ApiBreaker[];
    /** Leases kept without proof that their hosts are done; freed by a person: `fettle lease free`. */
    orphans: { execution: string; unsettled: string[] }[];
    /** Workflows about which coordinators disagree: the strictest of their limits holds. */
    disagreements: { workflow: string; definitions: { digest: string; announced_by: string[] }[] }[];
  };
  fleet: { state: 'ready' | 'warming_up' | 'unreachable'; alive: number };
  /** Executions of our workflow types that hold no lease, or whose plan is not the lease's; null: not looked yet. */
  strays: { execution: string; why: 'no_lease' | 'plan_differs' }[] | null;
  config: { files: { file: string; loaded_at: string; problems: string[] }[] };
  warnings: string[];
};

export type ApiError = { code: string; message: string; details?: unknown };

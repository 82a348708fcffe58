/** What stands behind the HTTP API: one method per thing a caller can ask, free of HTTP. Implemented by coordinator.ts. */
import type { SpiffeId } from '../config/spiffe-id.ts';
import type {
  ApiAgentToken,
  ApiAgentTokenRequest,
  ApiApproval,
  ApiApproved,
  ApiDecision,
  ApiDecisionRecord,
  ApiDecisions,
  ApiEpisodeAnswer,
  ApiEpisodeReport,
  ApiEvent,
  ApiExecution,
  ApiExecutionDetail,
  ApiLimit,
  ApiNode,
  ApiNodeChange,
  ApiNodeChanged,
  ApiPaused,
  ApiPauseRequest,
  ApiPendingDetail,
  ApiPendingRequest,
  ApiRequest,
  ApiResumed,
  ApiResumeRequest,
  ApiStatus,
  ApiWhy,
  ApiWindow,
  ApiWindowRequest,
  ApiWorkflow,
} from '../workflows/api.ts';

/** Who asks: a checked SPIFFE id, or nobody in particular. */
export type Caller = { readonly kind: 'identified'; readonly id: SpiffeId } | { readonly kind: 'anonymous' };

export type ExecutionFilter = {
  readonly workflow?: string | undefined;
  readonly node?: string | undefined;
  readonly outcome?: string | undefined;
  /** Only those started at or after this RFC 3339 time. */
  readonly since?: string | undefined;
  /** At most this many, newest first; 1..500, default 50. */
  readonly limit?: number | undefined;
};

/** Whose limits: one workflow's, for a node, a node type or a datacenter. */
export type LimitQuery = {
  readonly workflow: string;
  readonly node?: string | undefined;
  readonly node_type?: string | undefined;
  readonly datacenter?: string | undefined;
};

/** Which decisions of the record; `refused` is short for `decision=refused`. */
export type DecisionFilter = {
  readonly workflow?: string | undefined;
  readonly node?: string | undefined;
  readonly decision?: ApiDecisionRecord['decision'] | undefined;
  readonly refused?: boolean | undefined;
  readonly caller?: string | undefined;
  readonly request?: string | undefined;
  readonly execution?: string | undefined;
  readonly episode?: string | undefined;
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  /** `next` of an earlier answer. */
  readonly before?: string | undefined;
};

/** What is to be explained; exactly one of them. */
export type WhyQuery = {
  readonly request?: string | undefined;
  readonly execution?: string | undefined;
  readonly node?: string | undefined;
  readonly alert?: string | undefined;
};

/** What became of a request that waited, or that it waits still. */
export type PendingState = {
  readonly pending: string;
  readonly open: boolean;
  readonly outcome: string | null;
  readonly execution: string | null;
  readonly message: string | null;
  /** What whoever says yes must see. */
  readonly asked?: ApiPendingDetail['asked'];
};

/** Requests that wait, as `coordinator/waiting` looks after them; each method checks whether the caller may. */
export type WaitingRequests = {
  readonly list: () => Promise<ApiPendingRequest[]>;
  readonly get: (id: string) => Promise<PendingState>;
  readonly approve: (
    caller: Caller,
    id: string,
    approval: { readonly plan: string | null; readonly reason: string | null; readonly breakGlass: boolean },
  ) => Promise<ApiApproved>;
  readonly deny: (caller: Caller, id: string, reason: string) => Promise<ApiApproved>;
  readonly cancel: (caller: Caller, id: string, reason: string) => Promise<PendingState>;
  /** Has all that wait look again now. */
  readonly lookAgain: () => Promise<void>;
};

/** Each method may throw `ApiFailure`; anything else becomes a 500 without its text. */
export type CoordinatorService = {
  /** Decides about a request and, when admitted, has started its execution before it returns. */
  readonly request: (caller: Caller, body: ApiRequest) => Promise<ApiDecision>;
  readonly reportEpisode: (caller: Caller, report: ApiEpisodeReport) => Promise<ApiEpisodeAnswer>;
  readonly listExecutions: (filter: ExecutionFilter) => Promise<ApiExecution[]>;
  /** `id` is the whole execution id or its lease number alone. */
  readonly getExecution: (id: string) => Promise<ApiExecutionDetail>;
  /** The story so far and then as it happens; ends when the execution has closed or `signal` aborts. */
  readonly executionEvents: (id: string, signal: AbortSignal) => AsyncIterable<ApiEvent>;
  readonly cancelExecution: (caller: Caller, id: string, reason: string) => Promise<ApiExecution>;
  /** Read from the gate's own record, newest first. */
  readonly decisions: (filter: DecisionFilter) => Promise<ApiDecisions>;
  readonly why: (query: WhyQuery) => Promise<ApiWhy>;
  /** What waits, oldest first. */
  readonly listPending: () => Promise<ApiPendingRequest[]>;
  /** `id` is `pending:...`, here and in the three that follow. */
  readonly getPending: (id: string) => Promise<ApiPendingDetail>;
  readonly cancelPending: (caller: Caller, id: string, reason: string) => Promise<ApiPendingDetail>;
  readonly approve: (caller: Caller, id: string, approval: ApiApproval) => Promise<ApiApproved>;
  readonly deny: (caller: Caller, id: string, reason: string) => Promise<ApiApproved>;
  readonly pause: (caller: Caller, wish: ApiPauseRequest) => Promise<ApiPaused>;
  /** Lifts a pause, or closes a breaker. */
  readonly resume: (caller: Caller, wish: ApiResumeRequest) => Promise<ApiResumed>;
  readonly windows: () => Promise<ApiWindow[]>;
  readonly addWindow: (caller: Caller, wish: ApiWindowRequest) => Promise<ApiWindow>;
  readonly removeWindow: (caller: Caller, name: string, reason: string) => Promise<ApiWindow>;
  readonly limits: (query: LimitQuery) => Promise<ApiLimit[]>;
  readonly nodes: () => Promise<ApiNode[]>;
  /** Shuts a node out, lets it in again, or forgets which machine it is. */
  readonly changeNode: (
    caller: Caller,
    node: string,
    op: 'revoke' | 'restore' | 'unpin',
    change: ApiNodeChange,
  ) => Promise<ApiNodeChanged>;
  /** A Temporal credential for the agent that the caller is. */
  readonly agentToken: (caller: Caller, request: ApiAgentTokenRequest) => Promise<ApiAgentToken>;
  /** The keys that such credentials are checked by. */
  readonly tokenKeys: () => Promise<{ keys: object[] }>;
  readonly workflows: () => Promise<ApiWorkflow[]>;
  readonly status: () => Promise<ApiStatus>;
  /** Null when requests can be decided; else why not. */
  readonly notReady: () => Promise<string | null>;
};

/** A refusal with its HTTP status, stable code and a message that says what to do. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly status: 400 | 401 | 403 | 404 | 409 | 410 | 413 | 422 | 429 | 503;
  readonly code: string;
  readonly details: unknown;
  readonly retryAfterS: number | null;
  constructor(
    status: ApiFailure['status'],
    code: string,
    message: string,
    more: { details?: unknown; retryAfterS?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.status = status;
    this.code = code;
    this.details = more.details;
    this.retryAfterS = more.retryAfterS ?? null;
  }
}

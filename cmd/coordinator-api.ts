import type {
  ApiApproval,
  ApiApproved,
  ApiDecision,
  ApiDecisions,
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
import type { DecisionQuery, LimitQuery, WhyQuery } from '../identity/coordinator-client.ts';

export type ExecutionQuery = {
  readonly workflow?: string | undefined;
  readonly node?: string | undefined;
  /** RFC 3339. */
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
};

/**
 * What the commands for people ask of a coordinator. Each call fails over between the coordinators of the profile.
 * Every method throws CommandError that says what to type next.
 */
export type CoordinatorApi = {
  readonly request: (body: ApiRequest) => Promise<ApiDecision>;
  readonly executions: (query: ExecutionQuery) => Promise<ApiExecution[]>;
  readonly execution: (id: string) => Promise<ApiExecutionDetail>;
  /** What happened so far and then as it happens; ends with the execution, or early when the connection does. */
  readonly events: (id: string, signal: AbortSignal) => AsyncIterable<ApiEvent>;
  readonly cancel: (id: string, reason: string) => Promise<ApiExecution>;
  readonly pending: () => Promise<ApiPendingRequest[]>;
  /** `id` is `pending:...`, here and in the three that follow. */
  readonly pendingRequest: (id: string) => Promise<ApiPendingDetail>;
  readonly cancelPending: (id: string, reason: string) => Promise<ApiPendingDetail>;
  readonly approve: (id: string, approval: ApiApproval) => Promise<ApiApproved>;
  readonly deny: (id: string, reason: string) => Promise<ApiApproved>;
  readonly pause: (wish: ApiPauseRequest) => Promise<ApiPaused>;
  readonly resume: (wish: ApiResumeRequest) => Promise<ApiResumed>;
  readonly windows: () => Promise<ApiWindow[]>;
  readonly addWindow: (wish: ApiWindowRequest) => Promise<ApiWindow>;
  readonly removeWindow: (name: string, reason: string) => Promise<ApiWindow>;
  readonly limits: (query: LimitQuery) => Promise<ApiLimit[]>;
  readonly decisions: (query: DecisionQuery) => Promise<ApiDecisions>;
  readonly why: (query: WhyQuery) => Promise<ApiWhy>;
  readonly nodes: () => Promise<ApiNode[]>;
  readonly changeNode: (
    node: string,
    op: 'revoke' | 'restore' | 'unpin',
    change: ApiNodeChange,
  ) => Promise<ApiNodeChanged>;
  readonly workflows: () => Promise<ApiWorkflow[]>;
  readonly status: () => Promise<ApiStatus>;
};

/** Most executions one list may hold; the coordinator's own bound. */
export const MAX_EXECUTIONS = 500;

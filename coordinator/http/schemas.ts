/** Schemas of the API's JSON: they check what callers send and describe what comes back (`workflows/api.ts` holds the types). */
import { z } from '@hono/zod-openapi';
import type {
  ApiDecision,
  ApiEpisodeAnswer,
  ApiEpisodeReport,
  ApiError,
  ApiEvent,
  ApiEvidence,
  ApiExecution,
  ApiExecutionDetail,
  ApiIdentity,
  ApiRequest,
  ApiStatus,
  ApiTarget,
  ApiWorkflow,
} from '../../workflows/api.ts';
import type { ActionOutput, Outcome, StepRecord } from '../../workflows/contract.ts';
import type { ExecutionFilter } from '../service.ts';
import { labels, name, reason, strict, text, time } from './schema-parts.ts';
import { breakerSchema, pauseSchema, pendingShape, windowSchema } from './standing-schemas.ts';

const target = z.union(
  [
    strict({ node: name('node', 'web-1') }),
    strict({ node_type: name('node type', 'web'), datacenter: name('datacenter', 'dc1').optional() }),
    strict({ datacenter: name('datacenter', 'dc1') }),
  ],
  {
    error: 'not a target; write {"node": "web-1"}, {"node_type": "web"} or {"datacenter": "dc1"}',
  },
) satisfies z.ZodType<ApiTarget>;

const identity = strict({
  source: z
    .string()
    .regex(
      /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/,
      'not a source; write SOURCE/TRIGGER, such as prometheus.main/web-wedged',
    )
    .max(300)
    .openapi({ example: 'prometheus.main/web-wedged' }),
  labels,
  observer: z.string().min(1).max(200).optional(),
  began_at: time,
  gap_s: z
    .number()
    .min(1)
    .max(7 * 86_400),
  again_s: z
    .number()
    .min(1)
    .max(30 * 86_400)
    .optional(),
}) satisfies z.ZodType<ApiIdentity>;

const evidence = strict({
  summary: text.min(1),
  observed_at: time,
  valid_until: time,
  labels: labels.optional(),
}) satisfies z.ZodType<ApiEvidence>;

export const requestSchema = strict({
  workflow: name('workflow', 'restart-service'),
  target,
  args: z.record(z.string().min(1).max(100), z.unknown()).optional(),
  evidence: evidence.optional(),
  identity: identity.optional(),
  request_id: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'not a request id; write 1-200 printable characters without spaces')
    .optional(),
  issued_at: time.optional(),
  dry_run: z.boolean().optional(),
  reason: text.optional(),
  wait_s: z
    .number()
    .min(0)
    .max(30 * 86_400)
    .optional(),
  node_types: z.array(name('node type', 'web')).min(1).max(100).optional(),
}).openapi('Request') satisfies z.ZodType<ApiRequest>;

export const episodeReportSchema = strict({
  identity,
  state: z.enum(['seen', 'resolved']),
  evidence: evidence.optional(),
}).openapi('EpisodeReport') satisfies z.ZodType<ApiEpisodeReport>;

export const cancelSchema = strict({ reason: text.min(1) }).openapi('Cancel');

const OUTCOMES = [
  'healed',
  'no_fault',
  'ineffective',
  'failed',
  'cancelled',
  'expired',
  'refused_by_agent',
  'dry_run',
] as const;
export const outcomeSchema = z.enum(OUTCOMES) satisfies z.ZodType<Outcome>;
const outcome = outcomeSchema;

/** Query of `GET /v1/executions`: all values arrive as text. */
export const executionQuerySchema = strict({
  workflow: name('workflow', 'restart-service').optional(),
  node: name('node', 'web-1').optional(),
  outcome: outcome.optional(),
  since: time.optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d?|[1-4]\d\d|500)$/, 'not a limit; write 1 to 500')
    .transform(Number)
    .optional(),
}) satisfies z.ZodType<ExecutionFilter>;
export const emptyQuerySchema = strict({});

/** Of a window or a node: what the path holds as `{name}`. */
export const pathNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,200}$/, 'not a name; GET /v1/windows and GET /v1/nodes list them')
  .openapi({ example: 'w-3f9a1c07' });

export const executionIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,300}$/, 'not an execution id; GET /v1/executions lists them')
  .openapi({ example: 'restart-service:web-1:1-4k' });

const request_id = z.string();
const execution = z.string();
export const decisionSchema = z
  .discriminatedUnion('decision', [
    z.object({ decision: z.literal('admitted'), request_id, execution }),
    z.object({ decision: z.literal('duplicate'), request_id, execution }),
    z.object({ decision: z.literal('pending'), request_id, ...pendingShape }),
    z.object({
      decision: z.literal('shadow'),
      request_id,
      would: z.enum(['admitted', 'refused']),
      message: z.string(),
      reasons: z.array(reason),
    }),
    z.object({
      decision: z.literal('refused'),
      request_id,
      code: z.enum(['limits', 'paused']),
      message: z.string(),
      reasons: z.array(reason),
    }),
  ])
  .openapi('Decision') satisfies z.ZodType<ApiDecision>;

export const episodeAnswerSchema = z
  .object({ episode: z.string(), open: z.boolean() })
  .openapi('EpisodeAnswer') satisfies z.ZodType<ApiEpisodeAnswer>;

const executionShape = {
  id: z.string(),
  workflow: z.string(),
  target: z.string(),
  node: z.string().nullable(),
  node_type: z.string().nullable(),
  datacenter: z.string().nullable(),
  state: z.enum(['running', 'closed']),
  outcome: outcome.nullable(),
  caller: z.string(),
  started_at: time,
  closed_at: time.nullable(),
};
export const executionSchema = z.object(executionShape).openapi('Execution') satisfies z.ZodType<ApiExecution>;

const output = z.object({
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  exitCode: z.number().nullable(),
  tail: z.string().nullable(),
  digest: z.string().nullable(),
  bytes: z.number(),
}) satisfies z.ZodType<ActionOutput>;

/** Codes of refusals are open: an older reader shows what it does not know. */
const step = z.object({
  step: z.string(),
  action: z.string(),
  attempt: z.number(),
  node: z.string().nullable(),
  permittedAt: z.number().nullable(),
  began: z.number().nullable(),
  ended: z.number().nullable(),
  result: z.discriminatedUnion('status', [
    z.object({ status: z.literal('done'), output }),
    z.object({
      status: z.literal('failed'),
      code: z.enum(['exit', 'timeout', 'cancelled', 'spawn']),
      message: z.string(),
      output,
    }),
    z.object({ status: z.enum(['refused', 'no_permit']), code: z.string(), message: z.string() }),
    z.object({ status: z.enum(['unknown', 'unsettled', 'skipped']), message: z.string() }),
  ]),
});

export const eventSchema = z
  .object({
    at: time,
    event: z.string(),
    message: z.string(),
    step: z.string().optional(),
    attempt: z.number().optional(),
    node: z.string().optional(),
  })
  .openapi('Event') satisfies z.ZodType<ApiEvent>;

export const executionDetailSchema = z
  .object({
    ...executionShape,
    message: z.string().nullable(),
    verified: z.boolean().nullable(),
    reason: z.string().nullable(),
    dry_run: z.boolean(),
    plan: z.string(),
    request: z.string(),
    args: z.record(z.string(), z.unknown()),
    evidence: z.object({
      summary: z.string(),
      source: z.string(),
      observed_at: time,
      valid_until: time,
      labels: z.record(z.string(), z.string()),
    }),
    steps: z.array(step),
    timeline: z.array(eventSchema),
  })
  .openapi('ExecutionDetail') satisfies z.ZodType<Omit<ApiExecutionDetail, 'steps'> & { steps: Loose<StepRecord>[] }>;

/** A step record whose refusal code is any text. */
type Loose<Step extends StepRecord> = Omit<Step, 'result'> & { result: { status: StepRecord['result']['status'] } };

export const workflowSchema = z
  .object({
    name: z.string(),
    description: z.string(),
    kind: z.enum(['runbook', 'typescript']),
    task_queue_target: z.string(),
    constraints: z.array(
      z.object({
        kind: z.string(),
        value: z.number(),
        percent: z.boolean(),
        period_s: z.number(),
        scope: z.string(),
      }),
    ),
    mode: z.enum(['auto', 'ask', 'shadow']),
    inputs: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        required: z.boolean(),
        default: z.unknown(),
        description: z.string(),
      }),
    ),
  })
  .openapi('Workflow') satisfies z.ZodType<ApiWorkflow>;

export const statusSchema = z
  .object({
    coordinator: z.string(),
    version: z.string(),
    domain: z.string(),
    temporal: z.object({ address: z.string(), connected: z.boolean() }),
    gate: z.object({
      state: z.enum(['open', 'paused', 'quarantined', 'opening', 'missing', 'unreachable']),
      leases: z.number().nullable(),
      orphaned: z.number().nullable(),
      waiting: z.number().nullable(),
      detail: z.string().nullable(),
      pauses: z.array(pauseSchema),
      windows: z.array(windowSchema),
      breakers: z.array(breakerSchema),
      orphans: z.array(z.object({ execution: z.string(), unsettled: z.array(z.string()) })),
      disagreements: z.array(
        z.object({
          workflow: z.string(),
          definitions: z.array(z.object({ digest: z.string(), announced_by: z.array(z.string()) })),
        }),
      ),
    }),
    fleet: z.object({ state: z.enum(['ready', 'warming_up', 'unreachable']), alive: z.number() }),
    strays: z.array(z.object({ execution: z.string(), why: z.enum(['no_lease', 'plan_differs']) })).nullable(),
    config: z.object({
      files: z.array(z.object({ file: z.string(), loaded_at: time, problems: z.array(z.string()) })),
    }),
    warnings: z.array(z.string()),
  })
  .openapi('Status') satisfies z.ZodType<ApiStatus>;

export const errorSchema = z
  .object({ code: z.string(), message: z.string(), details: z.unknown().optional() })
  .openapi('Error') satisfies z.ZodType<ApiError>;

export const healthSchema = z.object({ status: z.literal('ok') }).openapi('Health');

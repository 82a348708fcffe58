/** Schemas of what stands in the way of requests: pauses, windows, breakers, limits, and requests that wait. */
import { z } from '@hono/zod-openapi';
import type {
  ApiApproval,
  ApiApproved,
  ApiBreaker,
  ApiDenial,
  ApiLimit,
  ApiPause,
  ApiPaused,
  ApiPauseRequest,
  ApiPending,
  ApiPendingDetail,
  ApiPendingRequest,
  ApiResumed,
  ApiResumeRequest,
  ApiStopScope,
  ApiWindow,
  ApiWindowRemoval,
  ApiWindowRequest,
  ApiWindowScope,
} from '../../workflows/api.ts';
import type { LimitQuery } from '../service.ts';
import { name, reason, strict, text, time } from './schema-parts.ts';

/** Goes into the gate's journal, so it is short. */
const why = text.trim().min(1, 'say why, for the record').max(160);
const requestId = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'not a request id; write 1-200 printable characters without spaces')
  .optional();
const LONGEST_PAUSE_S = 30 * 86_400;

const stopScope = z.union(
  [
    strict({ everything: z.literal(true) }),
    strict({ workflow: name('workflow', 'restart-service') }),
    strict({ datacenter: name('datacenter', 'dc1') }),
    strict({ node_type: name('node type', 'web') }),
    strict({ node: name('node', 'web-1') }),
  ],
  { error: 'not a scope; write {"everything": true} or one of workflow, datacenter, node_type, node with its name' },
) satisfies z.ZodType<ApiStopScope>;

export const pauseSchema = z
  .object({
    id: z.string(),
    scope: stopScope,
    reason: z.string(),
    by: z.string(),
    since: time,
    until: time.nullable(),
  })
  .openapi('Pause') satisfies z.ZodType<ApiPause>;

export const pauseRequestSchema = strict({
  scope: stopScope,
  reason: why,
  for_s: z.number().min(1).max(LONGEST_PAUSE_S).optional(),
  force: z.boolean().optional(),
  request_id: requestId,
}).openapi('PauseRequest') satisfies z.ZodType<ApiPauseRequest>;

export const pausedSchema = pauseSchema
  .extend({
    outstanding: z.array(z.object({ execution: z.string(), begins_by: time })),
    quiet_after: time,
  })
  .openapi('Paused') satisfies z.ZodType<ApiPaused>;

export const resumeRequestSchema = strict({
  id: z.string().min(1).max(300).openapi({ example: 'p-3f9a1c07' }),
  reason: why,
}).openapi('ResumeRequest') satisfies z.ZodType<ApiResumeRequest>;

export const resumedSchema = z
  .object({ id: z.string(), what: z.enum(['pause', 'breaker']), by: z.string() })
  .openapi('Resumed') satisfies z.ZodType<ApiResumed>;

const windowScope = strict({
  workflows: z.array(name('workflow', 'restart-service')).min(1).max(100).optional(),
  node_types: z.array(name('node type', 'web')).min(1).max(100).optional(),
  datacenters: z.array(name('datacenter', 'dc1')).min(1).max(100).optional(),
  nodes: z.array(name('node', 'web-1')).min(1).max(100).optional(),
}) satisfies z.ZodType<ApiWindowScope>;

export const windowSchema = z
  .object({
    name: z.string(),
    scope: windowScope,
    from: time,
    until: time,
    source: z.enum(['file', 'person']),
    by: z.string(),
    reason: z.string(),
  })
  .openapi('Window') satisfies z.ZodType<ApiWindow>;

export const windowRequestSchema = strict({
  scope: windowScope,
  from: time.optional(),
  until: time,
  reason: why,
  force: z.boolean().optional(),
  request_id: requestId,
}).openapi('WindowRequest') satisfies z.ZodType<ApiWindowRequest>;

export const windowRemovalSchema = strict({ reason: why }).openapi(
  'WindowRemoval',
) satisfies z.ZodType<ApiWindowRemoval>;

export const breakerSchema = z
  .object({
    id: z.string(),
    workflow: z.string(),
    scope: z.string(),
    of: z.string(),
    limit: z.number(),
    streak: z.number(),
    since: time,
    last_execution: z.string(),
  })
  .openapi('Breaker') satisfies z.ZodType<ApiBreaker>;

export const pendingShape = {
  pending: z.string(),
  waits_for: z.enum(['limits', 'approval', 'pause']),
  message: z.string(),
  reasons: z.array(reason),
  place: z.number(),
  asks_again_at: time,
  expires_at: time,
} satisfies { readonly [Key in keyof ApiPending]: z.ZodType<ApiPending[Key]> };

export const pendingRequestSchema = z
  .object({
    ...pendingShape,
    workflow: z.string(),
    target: z.string(),
    request: z.string(),
    caller: z.string(),
    since: time,
    plan: z.string(),
    approved_by: z.string().nullable(),
  })
  .openapi('PendingRequest') satisfies z.ZodType<ApiPendingRequest>;

export const pendingDetailSchema = z
  .object({
    pending: z.string(),
    state: z.enum(['waiting', 'ended']),
    outcome: z.string().nullable(),
    execution: z.string().nullable(),
    message: z.string(),
    request: pendingRequestSchema.nullable(),
    asked: z
      .object({ args: z.record(z.string(), z.unknown()), reason: z.string().nullable(), evidence: z.string() })
      .nullable(),
  })
  .openapi('PendingDetail') satisfies z.ZodType<ApiPendingDetail>;

export const approvalSchema = strict({
  plan: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,100}$/, "not a plan's digest; GET /v1/pending shows it")
    .optional(),
  reason: why.optional(),
  break_glass: z.boolean().optional(),
}).openapi('Approval') satisfies z.ZodType<ApiApproval>;

export const denialSchema = strict({ reason: why }).openapi('Denial') satisfies z.ZodType<ApiDenial>;

export const approvedSchema = z
  .object({ pending: z.string(), by: z.string(), execution: z.string().nullable(), message: z.string() })
  .openapi('Approved') satisfies z.ZodType<ApiApproved>;

export const limitQuerySchema = strict({
  workflow: name('workflow', 'restart-service'),
  node: name('node', 'web-1').optional(),
  node_type: name('node type', 'web').optional(),
  datacenter: name('datacenter', 'dc1').optional(),
}) satisfies z.ZodType<LimitQuery>;

export const limitSchema = reason
  .extend({
    of: z.string(),
    free: z.number(),
    holders: z.array(z.string()),
    starts: z.array(time),
  })
  .openapi('Limit') satisfies z.ZodType<ApiLimit>;

/** Schemas of what stands in the way of requests: pauses, windows, breakers, limits, and requests that wait. */
import { z } from '@hono/zod-openapi';
import type { ApiBreaker, ApiPause, ApiPending, ApiStopScope, ApiWindow, ApiWindowScope } from '../../workflows/api.ts';
import { name, reason, strict, time } from './schema-parts.ts';

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

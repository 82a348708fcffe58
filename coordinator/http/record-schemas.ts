/** Schemas of what the record tells: decisions, and why something was done or not. */
import { z } from '@hono/zod-openapi';
import type { ApiDecisionRecord, ApiDecisions, ApiRecordedLimit, ApiWhy } from '../../workflows/api.ts';
import type { DecisionFilter, WhyQuery } from '../service.ts';
import { name, reason, strict, time } from './schema-parts.ts';
import { eventSchema, executionIdSchema, outcomeSchema } from './schemas.ts';
import { limitSchema } from './standing-schemas.ts';

const DECISIONS = ['admitted', 'duplicate', 'refused', 'pending', 'shadow', 'ended'] as const;
const decision = z.enum(DECISIONS) satisfies z.ZodType<ApiDecisionRecord['decision']>;
const requestId = z
  .string()
  .regex(/^[\x21-\x7e]{1,300}$/, 'not a request id; write 1-300 printable characters without spaces');

export const decisionQuerySchema = strict({
  workflow: name('workflow', 'restart-service').optional(),
  node: name('node', 'web-1').optional(),
  decision: decision.optional(),
  refused: z
    .enum(['true', 'false'], { error: 'refused: write true or false' })
    .transform((text) => text === 'true')
    .optional(),
  caller: z.string().min(1).max(2048).optional(),
  request: requestId.optional(),
  execution: executionIdSchema.optional(),
  episode: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'not an episode')
    .optional(),
  since: time.optional(),
  before: z.string().max(80).optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d?|[1-4]\d\d|500)$/, 'not a limit; write 1 to 500')
    .transform(Number)
    .optional(),
}) satisfies z.ZodType<DecisionFilter>;

export const whyQuerySchema = strict({
  request: requestId.optional(),
  execution: executionIdSchema.optional(),
  node: name('node', 'web-1').optional(),
  alert: z.string().min(1).max(300).optional(),
}).refine(
  (query) => Object.values(query).filter((value) => value !== undefined).length === 1,
  'write one of request, execution, node, alert',
) satisfies z.ZodType<WhyQuery>;

const recordedLimit = reason.extend({ percent: z.boolean().optional() }) satisfies z.ZodType<ApiRecordedLimit>;

export const decisionsSchema = z
  .object({
    decisions: z.array(
      z.object({
        at: time,
        decision,
        workflow: z.string(),
        target: z.string(),
        node: z.string().nullable(),
        request: z.string(),
        caller: z.string(),
        source: z.string(),
        episode: z.string().nullable(),
        plan: z.string(),
        execution: z.string().nullable(),
        code: z.string().nullable(),
        limits: z.array(recordedLimit),
        dry_run: z.boolean(),
      }),
    ),
    reaches_back_to: time.nullable(),
    next: z.string().nullable(),
  })
  .openapi('Decisions') satisfies z.ZodType<ApiDecisions>;

export const whySchema = z
  .object({
    stories: z.array(
      z.object({
        request: z.string(),
        workflow: z.string(),
        target: z.string(),
        caller: z.string(),
        decision,
        execution: z.string().nullable(),
        outcome: outcomeSchema.nullable(),
        lines: z.array(eventSchema),
        in_the_way: z.array(limitSchema),
      }),
    ),
    reaches_back_to: time.nullable(),
  })
  .openapi('Why') satisfies z.ZodType<ApiWhy>;

/** Schemas of nodes and of their agents' credentials. */
import { z } from '@hono/zod-openapi';
import type {
  ApiAgentToken,
  ApiAgentTokenRequest,
  ApiNode,
  ApiNodeChange,
  ApiNodeChanged,
} from '../../workflows/api.ts';
import { strict, text, time } from './schema-parts.ts';

const standing = {
  node: z.string(),
  revoked: z.object({ by: z.string(), reason: z.string(), at: time }).nullable(),
  machine: z.object({ id: z.string(), by: z.enum(['inventory', 'receipt']) }).nullable(),
  other_machine: z.object({ id: z.string(), via: z.enum(['receipt', 'token']), at: time }).nullable(),
};

export const nodeSchema = z
  .object({
    ...standing,
    node_type: z.string(),
    datacenter: z.string(),
    alive: z.boolean(),
    last_seen: time.nullable(),
    in_inventory: z.boolean(),
    labels: z.record(z.string(), z.string()),
    renewed_at: time.nullable(),
  })
  .openapi('Node') satisfies z.ZodType<ApiNode>;

export const nodeChangeSchema = strict({
  reason: text.trim().min(1, 'say why, for the record').max(160),
  force: z.boolean().optional(),
}).openapi('NodeChange') satisfies z.ZodType<ApiNodeChange>;

export const nodeChangedSchema = z.object(standing).openapi('NodeChanged') satisfies z.ZodType<ApiNodeChanged>;

export const agentTokenRequestSchema = strict({
  machine_id: z
    .string()
    .regex(/^[\x21-\x7e]{0,64}$/, 'not a machine id; write the content of /etc/machine-id')
    .optional(),
}).openapi('AgentTokenRequest') satisfies z.ZodType<ApiAgentTokenRequest>;

export const agentTokenSchema = z
  .object({ token: z.string(), expires_at: time })
  .openapi('AgentToken') satisfies z.ZodType<ApiAgentToken>;

/** RFC 7517. */
export const jwksSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).openapi('JsonWebKeySet');

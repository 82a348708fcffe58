/** The shapes of what agents sign. A signer may be a compromised host: nothing of it is used unless it fits, and all of it is bounded. */
import { z } from 'zod';
import type { ActionResult, ClaimedClaims, ReceiptClaims, SettlementClaims } from '../../workflows/contract.ts';

const text = (max: number) => z.string().max(max);
const time = z.number().int().min(0).max(8.64e15);

const output = z.object({
  facts: z.record(text(100), z.union([text(1_000), z.number(), z.boolean()])),
  exitCode: z.number().int().nullable(),
  signal: text(32).nullable().optional(),
  head: text(8_192).nullable().optional(),
  tail: text(8_192).nullable(),
  digest: text(64).nullable(),
  bytes: z.number().int().min(0),
});

const refusals = [
  'grant_missing',
  'grant_malformed',
  'grant_signature',
  'grant_unknown_key',
  'grant_other_issuer',
  'grant_other_node',
  'grant_other_machine',
  'grant_args_differ',
  'grant_expired',
  'grant_from_future',
  'grant_used',
  'attempt_refused',
  'attempt_unsettled',
  'action_unknown',
  'action_not_allowed',
  'args_invalid',
  'protocol_unsupported',
  'ledger_failed',
  'helper_unavailable',
  'host_state',
  'brake',
  'busy',
  'cap_reached',
] as const;

const result = z.discriminatedUnion('status', [
  z.object({ status: z.literal('done'), output }),
  z.object({
    status: z.literal('failed'),
    code: z.enum(['exit', 'timeout', 'cancelled', 'spawn']),
    message: text(2_000),
    output,
  }),
  z.object({ status: z.literal('refused'), code: z.enum(refusals), message: text(2_000) }),
  z.object({ status: z.literal('unknown'), message: text(2_000) }),
]) satisfies z.ZodType<ActionResult>;

export const receiptClaims = z.object({
  iss: text(2_048),
  execution: text(255),
  step: text(255),
  attempt: z.number().int(),
  nonce: text(64),
  grant_digest: text(64),
  boot_id: text(64),
  machine_id: text(64),
  agent_version: text(64),
  from: time.nullable(),
  to: time,
  result,
}) satisfies z.ZodType<ReceiptClaims>;

export const settlementClaims = z.object({
  iss: text(2_048),
  nonce: text(64),
  execution: text(255),
  step: text(255),
  boot_id: text(64),
  machine_id: text(64).optional(),
  at: time,
  answer: z.discriminatedUnion('state', [
    z.object({ state: z.literal('running'), attempt: z.number().int() }),
    z.object({ state: z.literal('ended'), attempt: z.number().int(), result }),
    z.object({ state: z.literal('never_begun') }),
  ]),
}) satisfies z.ZodType<SettlementClaims>;

export const claimedClaims = z.object({
  iss: text(2_048),
  nonce: text(64),
  boot_id: text(64),
  at: time,
}) satisfies z.ZodType<ClaimedClaims>;

import { z } from 'zod';
import type { ActionResult } from '../workflows/contract.ts';

/** One try of one step of one execution: what the ledger decides about. */
export type Attempt = { readonly execution: string; readonly step: string; readonly attempt: number };

/** An attempt's key: a digest of its execution and step, then its number. */
export const ENTRY_NAME = /^[A-Za-z0-9_-]{43}\.\d+$/;

const text = z.string();
const instant = z.number().int();
const attempt = z.object({ execution: text, step: text, attempt: z.number().int().min(1) });
const mark = z.object({ pid: z.number().int().positive(), startTime: z.number().int().nonnegative() });

/** When it was written, by a clock that is not stepped; absent in records of earlier versions. */
const written = z.object({ boot: text, uptime: z.number() }).optional();

const begun = z.object({
  kind: z.literal('begun'),
  attempt,
  nonce: text,
  grantDigest: text,
  argsDigest: text,
  action: text,
  /** As they came, with their secrets still unfilled. */
  args: z.record(z.string(), z.unknown()),
  bootId: text,
  /** The process that began it. */
  owner: mark,
  /** What runs its action: a transient unit of its own, or a process of its own. Absent: the owner itself. */
  launched: z.enum(['unit', 'process']).optional(),
  /** Milliseconds by the host's clock. */
  at: instant,
  /** Ended by force from then on. */
  deadline: instant,
  beginBy: instant,
  /** When its order was signed, by the coordinators' clock. */
  issuedAt: instant.optional(),
  written,
});
export type Begun = z.infer<typeof begun>;

const refused = z.object({
  kind: z.literal('refused'),
  attempt,
  /** Null: refused by a settle order or by a later attempt, before any grant for it came. */
  nonce: text.nullable(),
  code: text,
  message: text,
  at: instant,
  beginBy: instant,
  written,
});
export type Refused = z.infer<typeof refused>;

const output = z.object({
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable().optional(),
  head: z.string().nullable().optional(),
  tail: z.string().nullable(),
  digest: z.string().nullable(),
  bytes: z.number(),
});
const result = z.discriminatedUnion('status', [
  z.object({ status: z.literal('done'), output }),
  z.object({
    status: z.literal('failed'),
    code: z.enum(['exit', 'timeout', 'cancelled', 'spawn']),
    message: text,
    output,
  }),
  z.object({ status: z.literal('unknown'), message: text }),
]);
const ended = z.object({ result, from: instant, to: instant, written });

/** How something that had begun ended; never a refusal. */
export type EndResult = Exclude<ActionResult, { status: 'refused' }>;
export type Ended = {
  readonly result: EndResult;
  readonly from: number;
  readonly to: number;
  readonly written?: z.infer<typeof written> | undefined;
};

export const beginRecord = z.discriminatedUnion('kind', [begun, refused]);
export const markRecord = mark;
export const endRecord = ended;
export const floorRecord = z.object({
  floor: instant,
  /** The latest time at which an order that was taken here had been signed; coordinators vouch for it, no clock of this host. */
  newest: instant.optional(),
});

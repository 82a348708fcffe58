/**
 * What the agent and its root helper say to one another: one connection for each question, one JSON object a line. The agent asks
 * once and may then only ask for the end; the helper says that it is still at it, and then answers once.
 */
import { z } from 'zod';
import type { SettlementClaims } from '../../workflows/contract.ts';
import type { Performed } from '../order-job.ts';

/** Orders are at most 16 KiB of JWS and what a workflow may hold of arguments. */
export const MAX_LINE_BYTES = 1024 * 1024;
/** The helper says so often that it is still there. */
export const ALIVE_MS = 2000;

const now = z.number().int().nonnegative();
const anything = z.unknown();
/** Orders and grants are as hostile here as they are to the agent: what they hold is the verifier's to judge. */
export const question = z.discriminatedUnion('ask', [
  z.object({
    ask: z.literal('perform'),
    order: anything,
    /** The server's clock as the agent knows it, milliseconds: an order that is too late by it is refused. */
    now,
    /** Why the agent has no place for it; it is then refused, unless it is already known. */
    busy: z.string().max(1000).nullable(),
  }),
  z.object({ ask: z.literal('recall'), grant: z.string() }),
  z.object({ ask: z.literal('settle'), order: anything, now }),
]);
export type Question = z.infer<typeof question>;

export const cancelLine = z.object({ cancel: z.string().max(1000) });

export type Answer =
  | { readonly alive: true }
  | { readonly performed: Performed | null; readonly entries: number }
  | { readonly settled: SettlementClaims['answer']; readonly entries: number }
  /** It could not be answered. `ledger_failed` may be asked again; other codes are the order's own fault, or `fault` the helper's. */
  | { readonly failed: { readonly code: string; readonly message: string } };

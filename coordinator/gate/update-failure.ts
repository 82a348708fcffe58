/** What the failure of an Update of the gate means for it. */
import { grpcCode, isClosed, isUnreachable } from '../temporal.ts';

/** gRPC: the server has too much of it already. */
export const RESOURCE_EXHAUSTED = 8;
/** The gate is on its way into its next run. */
const BETWEEN_RUNS = new Set([RESOURCE_EXHAUSTED, 9, 10]);
/** The server failed in a way that says nothing of the outcome. */
const UNCLEAR = new Set([2, 11, 13, 15]);

/** Too many Updates, or calls, are under way. The server gives the same code while the gate goes into its next run, which takes a moment. */
export const isExhausted = (error: unknown): boolean =>
  grpcCode(error) === RESOURCE_EXHAUSTED && !/workflow is closing/.test(messages(error));

/** The gate had ended before this Update, or ended while it was under way. */
export const hasEnded = (error: unknown): boolean =>
  isClosed(error) || /workflow (execution )?(already )?completed/i.test(messages(error));

/**
 * Milliseconds until it may be sent again with the same ids, because its outcome is unknown or it was refused for the moment only; null: it may not.
 * Random, so that coordinators refused together do not come back together.
 */
export function repeatAfterMs(error: unknown): number | null {
  const code = grpcCode(error);
  const around = (ms: number): number => ms * (0.5 + Math.random());
  if (code !== null && BETWEEN_RUNS.has(code)) return around(30);
  return isUnreachable(error) || (code !== null && UNCLEAR.has(code)) ? around(150) : null;
}

/** Of the error and all its causes: what the server said stands in the innermost. */
const messages = (error: unknown): string =>
  error instanceof Error ? `${error.message} ${messages(error.cause)}` : '';

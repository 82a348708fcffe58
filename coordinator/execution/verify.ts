/** Proof of health: the plan's query, watched until it held long enough. Only a positive sample counts, never an alert's absence. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { MetricSource } from '../../sources/metric-source.ts';
import { fillQuery, QueryTemplateError } from '../../sources/promql.ts';
import { watchUntilHealthy } from '../../sources/verification.ts';
import type { VerifyInput, VerifyResult } from '../../workflows/activities.ts';
import type { Text } from '../../workflows/contract.ts';
import { FillError, referenceOf } from '../../workflows/fill.ts';
import type { HealthLook } from '../../workflows/verification.ts';

export const createVerify =
  (sourceOf: (address: string) => MetricSource | null) =>
  async (input: VerifyInput): Promise<VerifyResult> => {
    const context = Context.current();
    const { verify } = input.plan.definition;
    if (verify === null || 'action' in verify) throw ApplicationFailure.nonRetryable('the plan has no query to verify');
    const source = sourceOf(verify.source);
    if (source === null)
      return { healthy: false, message: `cannot verify: this coordinator has no source "${verify.source}"` };
    const query = filledQuery(verify.query, input);
    const beat = setInterval(() => context.heartbeat({ phase: 'verifying' }), 2_000);
    context.heartbeat({ phase: 'verifying' });
    try {
      const { forMs, timeoutMs, everyMs } = verify;
      // A retry after this coordinator's predecessor died has only what is left of the time.
      const spent = Date.now() - context.info.scheduledTimestampMs;
      const left = Math.max(timeoutMs - spent, forMs + everyMs);
      const watched = await watchUntilHealthy(source, {
        query,
        forMs,
        everyMs,
        timeoutMs: left,
        signal: context.cancellationSignal,
      });
      const seconds = (watched.elapsedMs / 1000).toFixed(1);
      if (watched.held)
        return { healthy: true, message: `verified: ${query} held for ${forMs / 1000} s (${seconds} s in all)` };
      return { healthy: false, message: `not healthy after ${seconds} s: ${query}: ${describe(watched.last)}` };
    } finally {
      clearInterval(beat);
    }
  };

function filledQuery(query: Text, input: VerifyInput): string {
  try {
    return fillQuery(query, (ref) => referenceOf(input.plan, ref));
  } catch (error) {
    if (error instanceof QueryTemplateError || error instanceof FillError) {
      throw ApplicationFailure.nonRetryable(`verify: ${error.message}`);
    }
    throw error;
  }
}

function describe(look: HealthLook | null): string {
  if (look === null) return 'the source gave no answer in time';
  if (look.kind === 'cannot_tell') return `cannot tell: ${look.why}`;
  return look.kind === 'healthy' ? 'healthy, but not for long enough' : 'no healthy sample';
}

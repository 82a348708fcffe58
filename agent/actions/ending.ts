/** How actions end that work within their own process. */
import type { Scalar } from '../../workflows/contract.ts';
import type { ActionEnd, ActionRun } from './action.ts';

export type OutputFacts = Record<string, Scalar>;
type Failed = Extract<ActionEnd, { status: 'failed' }>;

export const failed = (code: Failed['code'], message: string, output: Failed['output']): Failed => ({
  status: 'failed',
  code,
  message,
  output,
});

/** Aborts when the action is cancelled, and when its time is up. */
export function within(run: ActionRun, timeoutMs: number = run.timeoutMs): AbortSignal {
  const left = Math.min(timeoutMs, run.timeoutMs);
  return left <= 0 ? AbortSignal.abort() : AbortSignal.any([run.signal, AbortSignal.timeout(left)]);
}

/** Why a signal of `within` has aborted. */
export const cutShort = (run: ActionRun): 'cancelled' | 'timeout' => (run.signal.aborted ? 'cancelled' : 'timeout');

import type { ActionResult } from '../workflows/contract.ts';
import type { ActionRun, PreparedAction } from './actions/action.ts';
import { attemptKey } from './ledger.ts';
import type { Attempt, EndResult } from './ledger-records.ts';
import type { Job, PerformerSetting } from './order-job.ts';
import { runProcess } from './process-group.ts';
import type { ProcessMark } from './procfs.ts';
import { boundedResult } from './receipts.ts';
import { withoutSecrets } from './secrets.ts';

/** What of an order its run depends on. */
export type RunJob = Pick<Job, 'attempt' | 'signal'> & { readonly claims: Pick<Job['claims'], 'timeout_ms'> };

/** Only for finding what runs after a crash; the attempt's variable finds it as well. */
export const noteProcess =
  ({ ledger, log }: Pick<PerformerSetting, 'ledger' | 'log'>, attempt: Attempt) =>
  (mark: ProcessMark): void => {
    ledger.noteProcess(attempt, mark).catch((error: unknown) => {
      log.warn({ ...attempt, error: (error as Error).message }, 'cannot note the process of an action');
    });
  };

export function actionRun(
  { claims, attempt, signal }: RunJob,
  secrets: readonly string[],
  onSpawn: (mark: ProcessMark) => void,
): ActionRun {
  const until = performance.now() + claims.timeout_ms;
  return {
    timeoutMs: claims.timeout_ms,
    signal,
    secrets,
    run: ({ timeoutMs = Infinity, secrets: more = [], ...command }) =>
      runProcess({
        ...command,
        timeoutMs: Math.max(0, Math.min(timeoutMs, until - performance.now())),
        signal,
        attemptKey: attemptKey(attempt),
        secrets: [...secrets, ...more],
        onSpawn,
      }),
  };
}

/** Once an attempt is taken, whatever goes wrong is an end of it: never a refusal. */
export async function runSafely(
  prepared: PreparedAction,
  job: RunJob,
  secrets: readonly string[],
  onSpawn: (mark: ProcessMark) => void,
): Promise<EndResult> {
  try {
    return await prepared.run(actionRun(job, secrets, onSpawn));
  } catch (error) {
    return { status: 'unknown', message: `the action broke down: ${(error as Error).message}` };
  }
}

/** Bounded, and free of secret values wherever an action may have put one. */
export function clean<R extends ActionResult>(result: R, secrets: readonly string[]): R {
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return withoutSecrets(value, secrets);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, walk(member)]));
  };
  return boundedResult(secrets.length === 0 ? result : (walk(result) as R)) as R;
}

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ActionOrder } from '../../workflows/contract.ts';
import { clean, noteProcess, runSafely } from '../action-run.ts';
import { CLEAN_ENVIRONMENT } from '../actions/action.ts';
import { checkBrake, followBrake } from '../brake.ts';
import type { BegunEntry } from '../ledger.ts';
import type { Begun, EndResult } from '../ledger-records.ts';
import { judge, type Ready } from '../perform.ts';
import { putOnRecord } from '../recorded-answers.ts';
import { RefusalError } from '../refusal.ts';
import type { Helper } from './helper.ts';

/**
 * Runs the action of one attempt that stands in the ledger, and puts its end there. Of several that are started for one attempt the
 * first runs it. `signal` is the request to end: the unit's stop, or its time limit.
 * @throws Error when there is no such attempt to run
 */
export async function runAttempt(helper: Helper, key: string, signal: AbortSignal): Promise<void> {
  const { ledger, log } = helper;
  const entry = await ledger.find(key);
  const begun = toRun(entry?.kind === 'begun' ? entry : null, helper, key);
  if (!(await ledger.claimRun(begun.attempt, helper.owner)))
    return log.warn({ key }, 'this attempt was claimed before');
  const end = new AbortController();
  const endNow = (): void => end.abort(signal.reason);
  signal.addEventListener('abort', endNow, { once: true });
  if (signal.aborted) endNow();
  const unbraked = followBrake(helper.brakeFile, (reason) => end.abort(reason));
  const result = await resultOf(helper, begun, end.signal);
  unbraked();
  if (result === null) return;
  const recorded = Promise.withResolvers<void>();
  // On a full disk the record is tried again and again, which by itself keeps no process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  await putOnRecord(helper, begun.attempt, { result, from: begun.at, to: Date.now() }, recorded.resolve);
  await recorded.promise;
  clearInterval(alive);
  log.info({ ...begun.attempt, action: begun.action, result: result.status }, 'action ended');
}

function toRun(entry: BegunEntry | null, { host }: Helper, key: string): Begun {
  const begun = entry?.record;
  if (begun === undefined || begun.launched === undefined)
    throw new Error(`the ledger holds no action to run under ${key}`);
  if (entry?.ended !== null || entry.runner !== null) throw new Error(`the action under ${key} was run before`);
  if (begun.bootId !== host.facts.bootId)
    throw new Error(`the action under ${key} was begun before this host was started`);
  return begun;
}

/** Null: the host goes down under an action whose end only the next boot can prove. */
async function resultOf(helper: Helper, begun: Begun, signal: AbortSignal): Promise<EndResult | null> {
  const { log, host } = helper;
  let ready: Ready;
  try {
    ready = await judge(helper, begun.action, begun.args as ActionOrder['args']);
    await checkBrake(helper.brakeFile);
  } catch (error) {
    if (!(error instanceof RefusalError)) log.error({ error }, 'an action cannot be prepared');
    return notRun((error as Error).message);
  }
  const { action, prepared, secrets } = ready;
  const timeout = begun.deadline - begun.at;
  const job = { claims: { timeout_ms: timeout }, attempt: begun.attempt, signal };
  const running = runSafely(prepared, job, secrets, noteProcess(helper, begun.attempt));
  if (action.afterBoot === undefined) return clean(await running, secrets);
  const down = aborted(signal).then(() => goesDown(host.systemctl));
  const ended = await Promise.race([running, down.then((goes) => (goes ? null : running))]);
  return ended === null ? null : clean(ended, secrets);
}

const notRun = (why: string): EndResult => ({
  status: 'failed',
  code: 'spawn',
  message: `nothing of the action was run: ${why}`,
  output: { facts: {}, exitCode: null, tail: null, digest: null, bytes: 0 },
});

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });

/** The host is on its way down or to a restart. A manager that gives no answer is taken to be: then nothing is said that may be wrong. */
async function goesDown(systemctl: string): Promise<boolean> {
  const options = { timeout: 5000, env: { ...CLEAN_ENVIRONMENT }, cwd: '/' };
  const asked = promisify(execFile)(systemctl, ['is-system-running'], options);
  // Every state but `running` ends systemctl with a failure.
  const { stdout = '' } = await asked.catch((error: unknown) => error as { readonly stdout?: string });
  return stdout.trim() === 'stopping' || stdout.trim() === '';
}

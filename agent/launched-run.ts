import { type FSWatcher, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PreparedAction } from './actions/action.ts';
import type { Launcher } from './launcher.ts';
import type { Begun, Ended } from './ledger-records.ts';
import type { Job, PerformerSetting } from './order-job.ts';

const LOOK_MS = 1000;

/**
 * Has an attempt that stands in the ledger run by a process of its own, and waits for the end that it puts on record. Whatever
 * becomes of this process, that one goes on. Never rejects: what has begun is never answered as refused.
 */
export async function runLaunched(
  setting: PerformerSetting,
  launcher: Launcher,
  { attempt, signal }: Job,
  begun: Begun,
  prepared: PreparedAction,
): Promise<Ended> {
  try {
    await launcher.start(begun, prepared.limits ?? {});
  } catch (error) {
    const refused = await notStarted(setting, begun, error as Error);
    if (refused !== null) return refused;
  }
  let stopped = false;
  for (;;) {
    if (signal.aborted && !stopped) {
      stopped = true;
      await launcher.stop(attempt);
    }
    // Listens before it looks, so that no change falls between.
    const change = nextChange(setting.ledger.folder, signal);
    const ended = await endOnRecord(setting, attempt);
    if (ended === null) await change.seen;
    change.stop();
    if (ended !== null) return ended;
  }
}

/** It may have been started all the same: only who claims the run knows. Null: it runs. */
async function notStarted({ ledger, owner, log }: PerformerSetting, begun: Begun, error: Error): Promise<Ended | null> {
  log.error({ ...begun.attempt, error: error.message }, 'an action could not be started');
  const message = `the action could not be started, and nothing of it ran: ${error.message}`;
  const output = { facts: {}, exitCode: null, tail: null, digest: null, bytes: 0 };
  const ended: Ended = { result: { status: 'failed', code: 'spawn', message, output }, from: begun.at, to: Date.now() };
  const claimed = await ledger.claimRun(begun.attempt, owner).catch(() => true);
  if (!claimed) return null;
  return ledger.end(begun.attempt, ended).catch(() => ended);
}

/** A ledger that cannot be read just now is asked again. */
async function endOnRecord({ attempts, log }: PerformerSetting, attempt: Job['attempt']): Promise<Ended | null> {
  try {
    const state = await attempts.stateOf(attempt);
    return state.state === 'ended' ? state.ended : null;
  } catch (error) {
    log.error({ ...attempt, error: (error as Error).message }, 'cannot tell how an action stands; looking again');
    return null;
  }
}

/** Seen when something changes in the folder, when the signal comes, or when it is time to look whether the action still runs. */
function nextChange(folder: string, signal: AbortSignal): { readonly seen: Promise<void>; readonly stop: () => void } {
  const wake = new AbortController();
  const stop = (): void => wake.abort();
  if (!signal.aborted) signal.addEventListener('abort', stop, { once: true });
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(folder, stop).on('error', () => undefined);
  } catch {
    // Looked at once in a while all the same.
  }
  const waiting = async (): Promise<void> => {
    await sleep(LOOK_MS, undefined, { signal: wake.signal }).catch(() => undefined);
    watcher?.close();
    signal.removeEventListener('abort', stop);
  };
  return { seen: waiting(), stop };
}

import type { AttemptsSetting } from './attempts.ts';
import type { LaunchState } from './launcher.ts';
import type { BegunEntry } from './ledger.ts';
import type { Begun, Ended, EndResult } from './ledger-records.ts';

/**
 * What is to be recorded of an attempt that began, of which nothing runs any more, and which left no result. Null when somebody has
 * just begun to run it after all, or the action itself says that it is not over.
 */
export async function endOfLost(
  setting: Pick<AttemptsSetting, 'ledger' | 'owner' | 'bootId' | 'launcher' | 'afterBoot'>,
  { record: begun, runner }: BegunEntry,
): Promise<Ended | null> {
  const ended = (result: EndResult): Ended => ({ result, from: begun.at, to: Math.max(begun.at, Date.now()) });
  if (begun.launched !== undefined && runner === null) {
    return (await setting.ledger.claimRun(begun.attempt, setting.owner)) ? ended(NEVER_RAN) : null;
  }
  if (begun.bootId !== setting.bootId) {
    const result = await setting.afterBoot?.(begun);
    return result === null ? null : ended(result ?? unknown(REBOOTED));
  }
  if (begun.launched === undefined || setting.launcher === null) return ended(unknown(RESTARTED));
  const { killed } = await setting.launcher.look(begun.attempt).catch((): LaunchState => NOTHING_KNOWN);
  await setting.launcher.forget(begun.attempt).catch(() => undefined);
  return ended(killed === null ? unknown(RUNNER_GONE) : killedBy(killed, begun));
}

const NOTHING_KNOWN: LaunchState = { active: false, killed: null };
const NO_OUTPUT = { facts: {}, exitCode: null, tail: null, digest: null, bytes: 0 };

const unknown = (message: string): EndResult => ({ status: 'unknown', message });
const RESTARTED = 'the agent was restarted while the action was at work; nothing of it runs any more';
const REBOOTED = 'the host was started anew while the action was at work';
const RUNNER_GONE =
  'what ran the action was killed before it could say how the action ended; nothing of it runs any more';

const NEVER_RAN: EndResult = {
  status: 'failed',
  code: 'spawn',
  message: 'the helper was ended before it had started the action; nothing of it ran, and nothing will',
  output: NO_OUTPUT,
};

function killedBy(killed: 'timeout' | 'memory', begun: Begun): EndResult {
  const limit = begun.deadline - begun.at;
  if (killed === 'timeout') {
    const message = `the action had not ended after ${limit} ms and its unit was killed`;
    return { status: 'failed', code: 'timeout', message, output: NO_OUTPUT };
  }
  const message = 'the kernel killed the action: its unit had no memory left (MemoryMax)';
  return { status: 'failed', code: 'exit', message, output: { ...NO_OUTPUT, signal: 'SIGKILL' } };
}

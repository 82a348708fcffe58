import type { GrantClaims } from '../workflows/contract.ts';
import type { AttemptState } from './attempts.ts';
import type { Attempt, Begun, Ended } from './ledger-records.ts';
import type { Job, Performed, PerformerSetting } from './order-job.ts';
import { RefusalError } from './refusal.ts';

/** Refusals that the disk would not take: they hold until their orders are past acting on, or one could act after all. */
export function createUnrecorded() {
  const refusals = new Map<string, { readonly until: number; readonly answer: Performed }>();
  return {
    get: (key: string): Performed | undefined => refusals.get(key)?.answer,
    keep(key: string, beginBy: number, answer: Performed): Performed {
      for (const [old, { until }] of refusals) if (until < Date.now()) refusals.delete(old);
      if (answer.result.status === 'refused' && answer.result.code === 'ledger_failed') {
        refusals.set(key, { until: beginBy + UNRECORDED_MS, answer });
      }
      return answer;
    },
  };
}
/** Beyond the begin-by, for clocks that differ. */
const UNRECORDED_MS = 60_000;

/** An attempt already known: the same answer for the same order, a refusal for any other. @throws RefusalError, LedgerError */
export async function onRecord(setting: PerformerSetting, job: Job, known: AttemptState): Promise<Performed> {
  const { claims, attempt } = job;
  const used = (): RefusalError => new RefusalError('grant_used', 'this attempt was used up by another order');
  if (known.state === 'refused') {
    const { record } = known;
    if (record.nonce !== null && record.nonce !== claims.jti) throw used();
    const code = record.nonce === null ? 'attempt_refused' : (record.code as RefusalError['code']);
    return { result: { status: 'refused', code, message: record.message }, from: null, to: record.at, repeated: true };
  }
  if (known.state === 'ended') {
    if (!sameOrder(known.begun, claims)) throw used();
    return { ...known.ended, repeated: true };
  }
  if (known.state === 'none' || !sameOrder(known.begun, claims)) throw used();
  return outcomeOf(setting, attempt, job.signal);
}

/** Of something begun, by this process or by an earlier run of the agent or by one beside it: waits for its end. @throws LedgerError */
export async function outcomeOf(
  { attempts }: PerformerSetting,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Performed> {
  for (;;) {
    const state = await attempts.stateOf(attempt);
    if (state.state === 'ended') return { ...state.ended, repeated: true };
    if (signal.aborted) await attempts.endEarly(attempt, 'cancelled');
    await pause(signal);
  }
}

const sameOrder = (begun: Begun, claims: GrantClaims): boolean =>
  begun.nonce === claims.jti && begun.argsDigest === claims.args_digest && begun.action === claims.action;

const POLL_MS = 500;
function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, POLL_MS);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

const RETRY_MS = 2000;
/**
 * The end goes on record before it is answered. On a disk that takes nothing it is answered all the same, for it is known; the
 * attempt counts as running until the disk takes it.
 */
export async function putOnRecord(
  setting: Pick<PerformerSetting, 'ledger' | 'log'>,
  attempt: Attempt,
  ended: Ended,
  recorded: () => void,
): Promise<Ended> {
  const { ledger, log } = setting;
  try {
    const first = await ledger.end(attempt, ended);
    recorded();
    return first;
  } catch (error) {
    log.error({ ...attempt, error: (error as Error).message }, 'cannot record the end of an action; trying again');
    const again = (): void => {
      setTimeout(() => void ledger.end(attempt, ended).then(recorded, again), RETRY_MS).unref();
    };
    again();
    return ended;
  }
}

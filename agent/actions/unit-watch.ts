import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionHost, ActionRun } from './action.ts';
import { tryRead, type UnitState } from './systemctl.ts';

type Watch = {
  /** Before the job. */
  readonly before: UnitState | null;
  /** Right after the job. */
  readonly first: UnitState | null;
  readonly stableMs: number;
  /** When the time of the action is over, by `performance.now()`. */
  readonly deadline: number;
  readonly run: ActionRun;
};

/**
 * Whether the unit is up after its job and stays so: many a service dies a moment after its start, which systemd calls a start all the
 * same. `why` is null when it is well.
 */
export async function staysUp(
  host: ActionHost,
  unit: string,
  { before, first, stableMs, deadline, run }: Watch,
): Promise<{ readonly state: UnitState | null; readonly why: string | null }> {
  const until = performance.now() + stableMs;
  for (let state = first; ; state = await tryRead(host, unit)) {
    const left = until - performance.now();
    const why = state === null ? UNREADABLE : whyDown(state, first ?? state, before);
    const mayPass = why === NOT_YET || why === UNREADABLE;
    if (why !== null && !(mayPass && left > 0)) return { state, why };
    if (why === null && (left <= 0 || (state !== null && ranToItsEnd(state)))) return { state, why };
    if (performance.now() >= deadline) return { state, why: OUT_OF_TIME };
    await sleep(Math.min(POLL_MS, left), undefined, { signal: run.signal }).catch(() => undefined);
    if (run.signal.aborted) return { state, why: 'nobody waited for it to prove stable' };
  }
}
const POLL_MS = 250;
/** The end of the action's time, not of the unit. */
export const OUT_OF_TIME = 'the time of the action was over before the unit had proven stable';
const NOT_YET = 'the unit is still activating';
const UNREADABLE = 'its state cannot be read';

function whyDown(state: UnitState, first: UnitState, before: UnitState | null): string | null {
  if (state.ActiveState === 'failed') {
    const given = state.Result === 'start-limit-hit' ? ', and systemd has given up on it' : '';
    return `the unit is failed (${resultOf(state)})${given}`;
  }
  if (state.SubState === 'auto-restart' || state.SubState.startsWith('auto-restart-'))
    return `the unit died right afterwards (${resultOf(state)}); systemd is about to start it again`;
  if (Number(first.NRestarts) > Number(before?.NRestarts ?? 0) || state.NRestarts !== first.NRestarts)
    return `the unit died right afterwards, and systemd started it again (${state.NRestarts} times by now)`;
  if (state.InvocationID !== first.InvocationID) return 'somebody else started the unit again in the meantime';
  if (state.ActiveState === 'activating') return NOT_YET;
  if (state.ActiveState !== 'inactive' && state.ActiveState !== 'deactivating') return null;
  // Without a time it was never looked at, or systemd has forgotten the unit meanwhile, as it does with those that are down.
  if (state.ConditionResult === 'no' && Number(state.ConditionTimestampMonotonic) > 0)
    return 'a condition of the unit does not hold (Condition...=), so nothing was started';
  return ranToItsEnd(state) ? null : `the unit ended by itself right afterwards (${resultOf(state)})`;
}

/** A oneshot is not active once it has done its work. */
const ranToItsEnd = (state: UnitState): boolean =>
  state.ActiveState === 'inactive' && state.Type === 'oneshot' && state.Result === 'success';

const resultOf = ({ Result, ExecMainStatus }: UnitState): string => {
  const status = Number(ExecMainStatus) > 0 ? `, status ${ExecMainStatus}` : '';
  return `${Result || 'no result'}${status}`;
};

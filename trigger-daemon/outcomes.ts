/** What the coordinator's answers mean for a fault: when it is asked for again, if ever. Pure, like episodes.ts. */
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import type { ApiDecision } from '../workflows/api.ts';
import { reportEveryMs } from './episodes.ts';
import type { Clock, Effect, Fault, Outcome, Phase, Step, TriggerState } from './fault.ts';

const LIMIT_UNKNOWN_MS = 30_000;
const REJECTED_FIRST_MS = 30_000;
const REJECTED_MOST_MS = 600_000;
const SOONEST_MS = 1_000;
const ASK_AGAIN_MS = 300_000;
const ASK_AGAIN_SOON_MS = 60_000;
/** The wait ends by the gate's clock, and somebody has to notice. */
const WAIT_MARGIN_MS = 5_000;

/** Takes into account what became of request number `ask` of the fault `key`. Late news about an earlier one changes nothing. */
export function takeOutcome(
  state: TriggerState,
  key: string,
  ask: number,
  outcome: Outcome,
  trigger: TriggerConfig,
  clock: Clock,
): Step {
  const fault = state.faults.get(key);
  if (fault === undefined || fault.asks !== ask || fault.phase.kind !== 'asked') return { state, effects: [] };
  const effects: Effect[] = [];
  const phase = phaseAfter(fault, outcome, trigger, clock);
  const rejections = rejectionsAfter(fault, outcome);
  const next: Fault = { ...fault, phase, rejections, reportAt: clock.mono + reportEveryMs(trigger) };
  if (outcome.kind === 'rejected' && rejections?.times === 1) {
    effects.push({ kind: 'rejected', fault: next, code: outcome.code, message: outcome.message });
  }
  return { state: { ...state, faults: new Map(state.faults).set(key, next) }, effects };
}

/** The gate has no open episode for a fault that it admitted once: it closed meanwhile, and what is seen now is a new one. */
export function takeEpisodeClosed(state: TriggerState, key: string): TriggerState {
  const fault = state.faults.get(key);
  if (fault?.phase.kind !== 'joined') return state;
  return { ...state, faults: new Map(state.faults).set(key, { ...fault, phase: { kind: 'waiting' } }) };
}

function phaseAfter(fault: Fault, outcome: Outcome, trigger: TriggerConfig, clock: Clock): Phase {
  if (outcome.kind === 'dropped') return { kind: 'waiting' };
  if (outcome.kind === 'rejected') return rejectedPhase(fault, outcome, clock);
  const { decision } = outcome;
  switch (decision.decision) {
    case 'refused':
      return { kind: 'refused', message: decision.message, askAt: clock.mono + waitAfterRefusal(decision, trigger) };
    case 'pending': {
      const { pending, message } = decision;
      return { kind: 'pending', pending, message, askAt: clock.mono + askAgainAfterWait(decision, trigger, clock) };
    }
    case 'shadow':
      return { kind: 'shadow', message: decision.message, askAt: clock.mono + ASK_AGAIN_MS };
    default: {
      const { execution } = decision;
      return { kind: 'joined', execution, askAt: clock.mono + askAgainIn(decision.decision, trigger) };
    }
  }
}

/**
 * What waits is looked after by the coordinator, and the gate answers whoever asks meanwhile that it waits already; so it is asked when the wait
 * should be over, and rarely before: somebody may have ended it, or it was started long ago.
 */
function askAgainAfterWait(
  { expires_at }: ApiDecision & { decision: 'pending' },
  { everyMs }: TriggerConfig,
  clock: Clock,
): number {
  const over = Date.parse(expires_at) - clock.wall + WAIT_MARGIN_MS;
  // A clock that is ahead of the coordinator's must not make a storm of it.
  return Math.max(LIMIT_UNKNOWN_MS, everyMs, Math.min(ASK_AGAIN_MS, over));
}

/**
 * Whether a fault may be remedied again is for the gate to say; it answers "duplicate" for as long as not. Asked rarely all the same:
 * an admission whose execution came to nothing is forgotten there, and nobody would tell us.
 */
function askAgainIn(decided: 'admitted' | 'duplicate', { againMs }: TriggerConfig): number {
  if (againMs === null) return ASK_AGAIN_MS;
  // The gate lets nothing begin while the remedy is held, so `again` after admission may still be too early.
  return Math.max(SOONEST_MS, Math.min(againMs, decided === 'admitted' ? ASK_AGAIN_MS : ASK_AGAIN_SOON_MS));
}

function waitAfterRefusal(decision: ApiDecision & { decision: 'refused' }, trigger: TriggerConfig): number {
  // All limits have to be free at once. One that cannot say when is looked at again after a fixed time.
  const waits = decision.reasons.map((reason) =>
    reason.retry_after_s === null ? LIMIT_UNKNOWN_MS : reason.retry_after_s * 1000,
  );
  return Math.max(SOONEST_MS, trigger.everyMs, ...(waits.length === 0 ? [LIMIT_UNKNOWN_MS] : waits));
}

function rejectedPhase(fault: Fault, outcome: Outcome & { kind: 'rejected' }, clock: Clock): Phase {
  const times = rejectionsAfter(fault, outcome)?.times ?? 1;
  const wait = Math.min(REJECTED_MOST_MS, REJECTED_FIRST_MS * 2 ** (times - 1));
  return {
    kind: 'rejected',
    code: outcome.code,
    askAt: clock.mono + Math.max(wait, (outcome.retryAfterS ?? 0) * 1000),
  };
}

function rejectionsAfter(fault: Fault, outcome: Outcome): Fault['rejections'] {
  if (outcome.kind === 'decision') return null;
  if (outcome.kind === 'dropped') return fault.rejections;
  const { code } = outcome;
  return { code, times: fault.rejections?.code === code ? fault.rejections.times + 1 : 1 };
}

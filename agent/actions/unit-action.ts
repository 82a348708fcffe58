import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionOutput, ACTIONS } from '../../workflows/contract.ts';
import type { ProcessEnd } from '../process-group.ts';
import {
  type Action,
  type ActionEnd,
  type ActionHost,
  type ActionRun,
  CLEAN_ENVIRONMENT,
  endOf,
  factsOnly,
} from './action.ts';
import type { ActionPage } from './action-page.ts';
import { argumentCheck } from './argument-check.ts';
import { askSystemd, hasJob, jobCommand, readUnit, tryRead, unitFacts, type UnitState } from './systemctl.ts';
import { checkUnit, checkUnitName } from './unit-guard.ts';
import { lastLines } from './unit-journal.ts';
import { OUT_OF_TIME, staysUp } from './unit-watch.ts';

type Verb = 'restart' | 'start' | 'stop' | 'reload';
/** Facts of every unit, with the prefixes of before and after. */
export const UNIT_FACTS = {
  unit: 'as asked',
  'before_active_state, after_active_state': 'of systemctl(1), as `active`, `failed`, `inactive`',
  'before_sub_state, after_sub_state': 'e.g. `running`, `dead`',
  'before_result, after_result': 'why it ended, e.g. `success`, `exit-code`, `oom-kill`, `start-limit-hit`',
  'before_main_pid, after_main_pid': 'of a service',
  'before_n_restarts, after_n_restarts': 'restarts by systemd itself',
  'before_invocation_id, after_invocation_id': 'another one for each start',
} as const;

type Wish = { readonly verb: Verb; readonly unit: string; readonly stableMs: number };

/** An action that makes systemd do one job with one unit and waits for the job's end, and for the unit to be as it should. */
export function unitAction(verb: Verb, page: ActionPage): Action {
  const name: keyof typeof ACTIONS = `systemd.${verb}`;
  const check = argumentCheck(name);
  return {
    name,
    capped: true,
    page,
    prepare(args, host) {
      const { unit, stable_s: stable } = check(args);
      const wish = { verb, unit: String(unit), stableMs: Number(stable ?? 0) * 1000 };
      checkUnitName(verb, wish.unit);
      return {
        admit: async () => void (await checkUnit(host, verb, wish.unit)),
        rehearse: () => rehearse(host, wish),
        run: (run) => changeUnit(host, wish, run),
        worksOn: async () => hasJob(await readUnit(host, wish.unit)),
      };
    },
  };
}

/** A unit that systemd gave up on starts again only after `reset-failed`. */
const needsReset = (verb: Verb, state: UnitState | null): boolean =>
  (verb === 'restart' || verb === 'start') &&
  state !== null &&
  (state.ActiveState === 'failed' || state.Result === 'start-limit-hit');

async function rehearse(host: ActionHost, { verb, unit, stableMs }: Wish) {
  const [state, dragged] = await Promise.all([tryRead(host, unit), checkUnit(host, verb, unit)]);
  const steps = needsReset(verb, state) ? (['reset-failed', verb] as const) : ([verb] as const);
  const lines = steps.map((step) => `would run ${JSON.stringify(jobCommand(host, step, [unit]))}`);
  const fate = verb === 'stop' ? 'stop' : 'start anew';
  if (dragged.length > 0) lines.push(`would also ${fate}: ${dragged.join(' ')}`);
  if (verb === 'start' && state?.ActiveState === 'active') lines.push(`${unit} is active: nothing would change`);
  if (stableMs > 0) lines.push(`would fail unless ${unit} then stays active for ${stableMs / 1000} s`);
  return factsOnly({ unit, ...unitFacts(state, 'before_') }, lines.join('\n'));
}

async function changeUnit(host: ActionHost, wish: Wish, run: ActionRun): Promise<ActionEnd> {
  const { verb, unit } = wish;
  const began = Date.now();
  const deadline = performance.now() + run.timeoutMs;
  const before = await tryRead(host, unit);
  const facts = { unit, ...unitFacts(before, 'before_') };
  const line = { environment: CLEAN_ENVIRONMENT, workingDirectory: '/' };
  if (needsReset(verb, before)) {
    const reset = await run.run({ ...line, argv: jobCommand(host, 'reset-failed', [unit]) });
    if (reset.how === 'cancelled' || reset.how === 'timeout') return endOf(reset, host.systemctl, run.timeoutMs, facts);
  }
  const job = await run.run({ ...line, argv: jobCommand(host, verb, [unit]) });
  if (job.how === 'timeout' || job.how === 'cancelled') await withdrawJob(host, unit);
  const end = await judged(host, wish, run, { job, before, facts, deadline });
  return end.status === 'done' ? end : withJournal(end, await lastLines(host, run, unit, began));
}

type Done = {
  readonly job: ProcessEnd;
  readonly deadline: number;
  readonly before: UnitState | null;
  readonly facts: ActionOutput['facts'];
};

/** systemctl calls a start done when the unit died right afterwards; people do not. */
async function judged(
  host: ActionHost,
  { verb, unit, stableMs }: Wish,
  run: ActionRun,
  done: Done,
): Promise<ActionEnd> {
  const after = await tryRead(host, unit);
  const factsWith = (state: UnitState | null) => ({ ...done.facts, ...unitFacts(state, 'after_') });
  const end = endOf(done.job, `systemctl ${verb}`, run.timeoutMs, factsWith(after));
  if (end.status === 'failed') return after === null ? end : { ...end, message: `${end.message}; ${standing(after)}` };
  const failed = (why: string, state: UnitState | null): ActionEnd => ({
    status: 'failed',
    code: run.signal.aborted ? 'cancelled' : why === OUT_OF_TIME ? 'timeout' : 'exit',
    message: `systemctl ${verb} was accepted, but ${why}`,
    output: { ...end.output, facts: factsWith(state) },
  });
  if (verb === 'stop') {
    const down = after?.ActiveState === 'inactive' || after?.ActiveState === 'failed';
    return down ? end : failed(after === null ? 'its state cannot be read' : standing(after), after);
  }
  if (verb === 'reload' && !['', 'success'].includes(after?.ReloadResult ?? ''))
    return failed(`${unit} did not reload (${after?.ReloadResult})`, after);
  const { state, why } = await staysUp(host, unit, {
    ...done,
    first: after,
    stableMs,
    run,
  });
  if (why !== null) return failed(why, state);
  return { ...end, output: { ...end.output, facts: factsWith(state) } };
}

const standing = (state: UnitState): string =>
  `the unit is ${state.ActiveState} (${state.SubState})${state.Result === 'start-limit-hit' ? ', and systemd has given up on it: start limit' : ''}`;

/** Under what systemctl itself said. */
function withJournal(end: ActionEnd, lines: string): ActionEnd {
  if (lines === '') return end;
  return { ...end, output: { ...end.output, tail: `${end.output.tail ?? ''}${lines}` } };
}

/**
 * The job lives in systemd, not in systemctl: it is cancelled, and the action has not ended before the job is gone. Jobs end by
 * their own unit's timeouts at the latest.
 */
async function withdrawJob(host: ActionHost, unit: string): Promise<void> {
  for (;;) {
    const state = await tryRead(host, unit);
    if (state !== null && !hasJob(state)) return;
    if (state !== null) await askSystemd(host, 'cancel', '--', state.Job).catch(() => undefined);
    await sleep(JOB_POLL_MS);
  }
}
const JOB_POLL_MS = 500;

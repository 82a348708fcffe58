import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import type { Scalar } from '../../workflows/contract.ts';
import type { ACTIONS } from '../../workflows/contract.ts';
import {
  type Action,
  type ActionEnd,
  type ActionHost,
  type ActionRun,
  CLEAN_ENVIRONMENT,
  endOf,
  factsOnly,
} from './action.ts';
import { argumentCheck } from './argument-check.ts';

const execFileAsync = promisify(execFile);

/** Reading a unit's state takes milliseconds; a manager that does not answer in this time is not healthy. */
const QUERY_TIMEOUT_MS = 10_000;
const PROPERTIES = ['LoadState', 'ActiveState', 'SubState', 'NRestarts', 'MainPID', 'Result', 'Job'] as const;
type UnitState = Readonly<Record<(typeof PROPERTIES)[number], string>>;

/** @throws Error when systemctl cannot be run or gives no state. */
export async function readUnit(host: ActionHost, unit: string): Promise<UnitState> {
  const args = ['show', '--no-pager', `--property=${PROPERTIES.join(',')}`, '--', unit];
  const { stdout } = await execFileAsync(host.systemctl, args, {
    timeout: QUERY_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: { ...CLEAN_ENVIRONMENT },
    cwd: '/',
    maxBuffer: 64 * 1024,
  });
  const lines = stdout
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  const values = new Map(lines);
  if (!values.has('ActiveState')) throw new Error('systemctl show gave no ActiveState');
  return Object.fromEntries(PROPERTIES.map((name) => [name, values.get(name) ?? ''])) as UnitState;
}

const FACT_NAMES: Readonly<Record<string, (typeof PROPERTIES)[number]>> = {
  load_state: 'LoadState',
  active_state: 'ActiveState',
  sub_state: 'SubState',
  n_restarts: 'NRestarts',
  main_pid: 'MainPID',
  result: 'Result',
};

/** The unit's state as facts of a receipt. */
export function unitFacts(state: UnitState | null, prefix = ''): Record<string, Scalar> {
  if (state === null) return {};
  const value = (text: string): Scalar => (/^\d{1,15}$/.test(text) ? Number(text) : text.slice(0, 128));
  return Object.fromEntries(
    Object.entries(FACT_NAMES).map(([fact, property]) => [prefix + fact, value(state[property])]),
  );
}

const tryRead = (host: ActionHost, unit: string): Promise<UnitState | null> => readUnit(host, unit).catch(() => null);

type Verb = 'restart' | 'start' | 'stop';

/** A unit that systemd gave up on starts again only after `reset-failed`. */
const needsReset = (verb: Verb, state: UnitState | null): boolean =>
  verb !== 'stop' && state !== null && (state.ActiveState === 'failed' || state.Result === 'start-limit-hit');

/** An action that makes systemd do one job with one unit and waits for the job's end. */
export function unitAction(verb: Verb): Action {
  const name: keyof typeof ACTIONS = `systemd.${verb}`;
  const check = argumentCheck(name);
  return {
    name,
    capped: true,
    prepare(args, host) {
      const unit = String(check(args)['unit']);
      return {
        rehearse: () => rehearse(host, verb, unit),
        run: (run) => changeUnit(host, verb, unit, run),
        worksOn: async () => hasJob(await readUnit(host, unit)),
      };
    },
  };
}

const commandOf = (host: ActionHost, verb: Verb | 'reset-failed', unit: string): string[] => [
  host.systemctl,
  '--no-ask-password',
  verb,
  '--',
  unit,
];

async function rehearse(host: ActionHost, verb: Verb, unit: string) {
  const state = await tryRead(host, unit);
  const steps = needsReset(verb, state) ? (['reset-failed', verb] as const) : ([verb] as const);
  const lines = steps.map((step) => `would run ${JSON.stringify(commandOf(host, step, unit))}`);
  return factsOnly({ unit, ...unitFacts(state, 'before_') }, lines.join('\n'));
}

async function changeUnit(host: ActionHost, verb: Verb, unit: string, run: ActionRun): Promise<ActionEnd> {
  const before = await tryRead(host, unit);
  const line = { environment: CLEAN_ENVIRONMENT, workingDirectory: '/' };
  if (needsReset(verb, before)) {
    const reset = await run.run({ ...line, argv: commandOf(host, 'reset-failed', unit) });
    if (reset.how === 'cancelled' || reset.how === 'timeout') {
      return endOf(reset, host.systemctl, run.timeoutMs, { unit, ...unitFacts(before, 'before_') });
    }
  }
  const end = await run.run({ ...line, argv: commandOf(host, verb, unit) });
  if (end.how === 'timeout' || end.how === 'cancelled') await withdrawJob(host, unit);
  const after = await tryRead(host, unit);
  const facts = { unit, ...unitFacts(before, 'before_'), ...unitFacts(after) };
  return judged(endOf(end, `systemctl ${verb}`, run.timeoutMs, facts), verb, after);
}

/** systemctl calls a start done when the unit failed right afterwards; people do not. */
function judged(end: ActionEnd, verb: Verb, after: UnitState | null): ActionEnd {
  if (end.status === 'failed' || verb === 'stop' || after?.ActiveState !== 'failed') return end;
  const message = `systemctl ${verb} was accepted, but the unit is failed (${after.Result || 'no result'})`;
  return { status: 'failed', code: 'exit', message, output: end.output };
}

const hasJob = (state: UnitState): boolean => /^[1-9]\d*$/.test(state.Job);

/**
 * The job lives in systemd, not in systemctl: it is cancelled, and the action has not ended before the job is gone. Jobs end by
 * their own unit's timeouts at the latest.
 */
async function withdrawJob(host: ActionHost, unit: string): Promise<void> {
  for (;;) {
    const state = await tryRead(host, unit);
    if (state !== null && !hasJob(state)) return;
    if (state !== null) {
      const options = { timeout: QUERY_TIMEOUT_MS, env: { ...CLEAN_ENVIRONMENT }, cwd: '/' };
      await execFileAsync(host.systemctl, ['cancel', '--', state.Job], options).catch(() => undefined);
    }
    await sleep(JOB_POLL_MS);
  }
}
const JOB_POLL_MS = 500;

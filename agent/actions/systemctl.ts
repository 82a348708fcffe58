import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Scalar } from '../../workflows/contract.ts';
import { type ActionHost, CLEAN_ENVIRONMENT } from './action.ts';

const execFileAsync = promisify(execFile);

/** Reading a unit's state takes milliseconds; a manager that does not answer in this time is not healthy. */
const QUERY_TIMEOUT_MS = 10_000;

/** What is read of a unit; a property that this version of systemd does not know is empty. */
const PROPERTIES = [
  'Id',
  'Names',
  'LoadState',
  'LoadError',
  'UnitFileState',
  'ActiveState',
  'SubState',
  'NRestarts',
  'MainPID',
  'Result',
  'ReloadResult',
  'ExecMainStatus',
  'InvocationID',
  'Type',
  'ConditionResult',
  'ConditionTimestampMonotonic',
  'Job',
  'CanStart',
  'CanReload',
  'RefuseManualStart',
  'RefuseManualStop',
  'NeedDaemonReload',
  'MemoryCurrent',
  'TasksCurrent',
  'CPUUsageNSec',
  'StateChangeTimestampMonotonic',
  'Conflicts',
  'ConflictedBy',
  'RequiredBy',
  'RequisiteOf',
  'BoundBy',
  'ConsistsOf',
  'PropagatesStopTo',
] as const;
export type UnitState = Readonly<Record<(typeof PROPERTIES)[number], string>>;

/** Asks systemd something and gives what it printed. @throws Error when there is no answer. */
export async function askSystemd(host: ActionHost, verb: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execFileAsync(host.systemctl, [verb, '--no-pager', ...args], {
    timeout: QUERY_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: { ...CLEAN_ENVIRONMENT },
    cwd: '/',
    maxBuffer: 4 * 1024 * 1024,
  });
  return stdout;
}

/** In the order asked. @throws Error when systemctl cannot be run or gives no state. */
export async function readUnits(host: ActionHost, units: readonly string[]): Promise<UnitState[]> {
  const printed = await askSystemd(host, 'show', `--property=${PROPERTIES.join(',')}`, '--', ...units);
  const states = printed.trim().split('\n\n').map(stateOf);
  if (states.length !== units.length || states.some((state) => state.ActiveState === ''))
    throw new Error('systemctl show gave no ActiveState');
  return states;
}

function stateOf(printed: string): UnitState {
  const lines = printed
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  const values = new Map(lines);
  return Object.fromEntries(PROPERTIES.map((name) => [name, values.get(name) ?? ''])) as UnitState;
}

/** @throws Error as readUnits */
export async function readUnit(host: ActionHost, unit: string): Promise<UnitState> {
  const [state] = await readUnits(host, [unit]);
  return state!;
}

export const tryRead = (host: ActionHost, unit: string): Promise<UnitState | null> =>
  readUnit(host, unit).catch(() => null);

/** How the host as a whole stands: `running degraded starting stopping maintenance ...`. @throws Error as readUnit */
export async function readSystem(host: ActionHost): Promise<{ readonly state: string; readonly failedUnits: number }> {
  const printed = await askSystemd(host, 'show', '--property=SystemState,NFailedUnits');
  const [, state] = /^SystemState=(.+)$/m.exec(printed) ?? [];
  if (state === undefined) throw new Error('systemctl show gave no SystemState');
  return { state, failedUnits: Number(/^NFailedUnits=(\d+)$/m.exec(printed)?.[1] ?? 0) };
}

/** Names in one property, e.g. of `RequiredBy`; one with a backslash stands in quotes, where a backslash is written twice. */
export const namesIn = (value: string): string[] =>
  [...value.matchAll(/"((?:[^"\\]|\\.)*)"|([^\s"]+)/g)].map(
    ([, quoted, plain]) => plain ?? quoted!.replaceAll(/\\(.)/g, '$1'),
  );

const FACT_NAMES: Readonly<Record<string, (typeof PROPERTIES)[number]>> = {
  active_state: 'ActiveState',
  sub_state: 'SubState',
  n_restarts: 'NRestarts',
  main_pid: 'MainPID',
  result: 'Result',
  invocation_id: 'InvocationID',
};

/** The unit's state as facts of a receipt; what systemd does not say of this kind of unit is left out. */
export function unitFacts(state: UnitState | null, prefix = ''): Record<string, Scalar> {
  if (state === null) return {};
  const known = Object.entries(FACT_NAMES).filter(([, property]) => state[property] !== '');
  return Object.fromEntries(known.map(([fact, property]) => [prefix + fact, factOf(state[property])]));
}

/** Numbers as numbers; an invocation id that happens to be all digits is too long to be one. */
export const factOf = (text: string): Scalar => (/^\d{1,15}$/.test(text) ? Number(text) : text.slice(0, 200));

export type UnitVerb = 'restart' | 'start' | 'stop' | 'reload' | 'reset-failed';

/** The command that has systemd do it, as an operator could repeat it. */
export const jobCommand = (host: ActionHost, verb: UnitVerb, units: readonly string[]): string[] => [
  host.systemctl,
  '--no-ask-password',
  verb,
  '--',
  ...units,
];

/** Whether systemd has a job for the unit in its queue or at work. */
export const hasJob = (state: UnitState): boolean => /^[1-9]\d*$/.test(state.Job);

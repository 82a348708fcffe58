import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CLEAN_ENVIRONMENT, type UnitLimits } from '../actions/action.ts';
import type { Launcher, LaunchState } from '../launcher.ts';
import { BOOT_ID_VARIABLE } from '../boot-id.ts';
import { attemptKey } from '../ledger.ts';
import type { Attempt, Begun } from '../ledger-records.ts';
import { KILL_GRACE_MS } from '../process-group.ts';
import { ATTEMPT_VARIABLE } from '../procfs.ts';

const execFileAsync = promisify(execFile);

export type SystemdPrograms = {
  /** Absolute paths. */
  readonly systemdRun: string;
  readonly systemctl: string;
};

/** The command line that runs one attempt; its key is appended. */
export type RunnerCommand = readonly string[];

export const unitName = (attempt: Attempt): string => `fettle-action-${attemptKey(attempt)}.service`;

const MIB = 1024 * 1024;
const MEMORY_MAX = 1024 * MIB;
const TASKS_MAX = 512;
/** The runner ends the action itself when its time is over, and needs the kill grace and a moment to say so. */
const RECORD_MS = 3000;
/** systemd answers in milliseconds; one that does not in this time cannot be relied on. */
const ASK_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 4 * KILL_GRACE_MS;

/** Each action in a transient unit of its own: systemd bounds it, and ends every process of it when it has to end. */
export function createSystemdLauncher(
  programs: SystemdPrograms,
  runner: RunnerCommand,
  stateDir: string,
  credentials: string | null = null,
): Launcher {
  const ask = async (program: string, args: readonly string[], timeout = ASK_TIMEOUT_MS): Promise<string> => {
    const options = { timeout, killSignal: 'SIGKILL' as const, env: { ...CLEAN_ENVIRONMENT }, cwd: '/' };
    return (await execFileAsync(program, [...args], options)).stdout;
  };
  const look = async (attempt: Attempt): Promise<LaunchState> =>
    stateOf(
      await ask(programs.systemctl, ['show', '--no-pager', '--property=ActiveState,Result', '--', unitName(attempt)]),
    );
  return {
    kind: 'unit',
    async start(begun, limits) {
      try {
        await ask(programs.systemdRun, [
          ...unitArguments(begun, limits, stateDir),
          ...(await credentialArguments(credentials)),
          '--',
          ...runner,
          attemptKey(begun.attempt),
        ]);
      } catch (error) {
        throw new Error(`systemd-run: ${reasonOf(error)}`, { cause: error });
      }
    },
    async stop(attempt) {
      await ask(programs.systemctl, ['--no-ask-password', 'stop', '--', unitName(attempt)], STOP_TIMEOUT_MS).catch(
        () => undefined,
      );
    },
    look,
    async forget(attempt) {
      await ask(programs.systemctl, ['--no-ask-password', 'reset-failed', '--', unitName(attempt)]);
    },
  };
}

/** What systemd-run is told before the program. Every value is ours or was checked; none is ever seen by a shell. */
export function unitArguments(begun: Begun, limits: UnitLimits, stateDir: string): string[] {
  const seconds = (ms: number): string => `${Math.ceil(ms / 1000)}s`;
  const properties: Record<string, string> = {
    RuntimeMaxSec: seconds(begun.deadline - begun.at + KILL_GRACE_MS + RECORD_MS),
    TimeoutStopSec: seconds(KILL_GRACE_MS + RECORD_MS),
    // The runner is asked first: it withdraws what its action set going elsewhere, such as a job of systemd. Then all are killed.
    KillMode: 'mixed',
    SendSIGKILL: 'yes',
    OOMPolicy: 'stop',
    MemoryMax: String(limits.memoryMax ?? MEMORY_MAX),
    TasksMax: String(limits.tasksMax ?? TASKS_MAX),
    ProtectSystem: limits.protectSystem ?? 'full',
    StandardInput: 'null',
    WorkingDirectory: '/',
    UMask: '0022',
  };
  // The runner writes the ledger, also where the action may write nothing.
  const writable = [...(limits.writable ?? []), stateDir].map((path) => `--property=ReadWritePaths=${quoted(path)}`);
  const environment = {
    ...CLEAN_ENVIRONMENT,
    [ATTEMPT_VARIABLE]: attemptKey(begun.attempt),
    [BOOT_ID_VARIABLE]: begun.bootId.replaceAll('-', ''),
  };
  const { execution, step, attempt } = begun.attempt;
  return [
    '--quiet',
    '--no-ask-password',
    `--unit=${unitName(begun.attempt)}`,
    '--service-type=exec',
    `--description=Fettle: ${begun.action}, attempt ${attempt} of ${plain(step)} of ${plain(execution)}`,
    ...Object.entries(properties).map(([name, value]) => `--property=${name}=${value}`),
    ...writable,
    ...Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`),
  ];
}

/** The unit reads them while the helper that starts it is still there. */
async function credentialArguments(folder: string | null): Promise<string[]> {
  const names = folder === null ? [] : await readdir(folder);
  return names
    .filter((name) => CREDENTIAL.test(name))
    .map((name) => `--property=LoadCredential=${name}:${folder}/${name}`);
}
const CREDENTIAL = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** An id of somebody else's choice, for people to read. */
const plain = (text: string): string => text.replaceAll(/[^A-Za-z0-9_.:/-]/g, '?').slice(0, 120);
/** As systemd.syntax(7) reads it back; a percent sign would begin a specifier only in a unit file, not here. */
const quoted = (path: string): string => `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

const ACTIVE = new Set(['active', 'activating', 'deactivating', 'reloading', 'refreshing', 'maintenance']);
const KILLED: Readonly<Record<string, LaunchState['killed']>> = { timeout: 'timeout', 'oom-kill': 'memory' };

/** @throws Error when systemctl gave no state. */
function stateOf(text: string): LaunchState {
  const values = new Map(
    text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const state = values.get('ActiveState');
  if (state === undefined) throw new Error('systemctl show gave no ActiveState');
  return { active: ACTIVE.has(state), killed: KILLED[values.get('Result') ?? ''] ?? null };
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as Error & { readonly stderr?: string };
  const said = (stderr ?? '').trim().split('\n').at(-1) ?? '';
  return said === '' ? message : said;
}

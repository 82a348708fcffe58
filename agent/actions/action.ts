import type { CleanRule } from '../../config/agent-rules.ts';
import type { CommandDefinition } from '../../config/commands.ts';
import type { ActionOutput, ActionResult, Args } from '../../workflows/contract.ts';
import type { HostFacts } from '../host-facts.ts';
import type { Begun } from '../ledger-records.ts';
import type { ProcessEnd } from '../process-group.ts';
import type { ActionPage } from './action-page.ts';

/** One thing an agent can do to its host. */
export type Action = {
  readonly name: string;
  /** Counts against `max_actions`. */
  readonly capped: boolean;
  /** What docs/actions.md says of it. */
  readonly page: ActionPage;
  /**
   * For an action whose effect outlives its process (PROTOCOL 5.7): how it ended, when it began under another boot id than the host's
   * present one; null while that is not over. Without this, such an end is unknown. Its `run` may stay without an answer until the
   * host goes down, and the agent does not wait for it when it stops. Never rejects.
   */
  readonly afterBoot?: (begun: Begun, host: ActionHost) => Promise<ActionEnd | null>;
  /** Everything that can be wrong with the arguments shows here, before anything is begun. @throws RefusalError `args_invalid` */
  readonly prepare: (args: Args, host: ActionHost) => PreparedAction;
};

export type PreparedAction = {
  /**
   * Looks whether the host is in a state in which it may be done, last before it is begun, and before it is rehearsed. Absent: always.
   * @throws RefusalError `host_state`
   */
  readonly admit?: () => Promise<void>;
  /** What `run` would do, found out without changing anything. */
  readonly rehearse: (run: ActionRun) => Promise<ActionOutput>;
  readonly run: (run: ActionRun) => Promise<ActionEnd>;
  /** Whether something of it is at work outside its own processes, e.g. a systemd job. Asked when the agent had been restarted. */
  readonly worksOn: () => Promise<boolean>;
  /** Bounds of the unit that it runs in, where the helper's own are not the right ones. */
  readonly limits?: UnitLimits;
};

/** Bounds of a transient unit; what is absent or null is the helper's to choose. */
export type UnitLimits = {
  /** Bytes. */
  readonly memoryMax?: number | null | undefined;
  readonly tasksMax?: number | null | undefined;
  readonly protectSystem?: 'no' | 'yes' | 'full' | 'strict' | null | undefined;
  readonly writable?: readonly string[] | undefined;
};

export type ActionEnd = Extract<ActionResult, { status: 'done' | 'failed' }>;

/** What actions need of the host they run on. */
export type ActionHost = {
  readonly facts: HostFacts;
  readonly commands: ReadonlyMap<string, CommandDefinition>;
  /** The host's `clean` blocks, by name. */
  readonly clean: ReadonlyMap<string, CleanRule>;
  readonly secretsDir: string | null;
  /** Where bundles of `diagnostics.collect` are kept. */
  readonly diagnosticsDir: string;
  /** How long the token of the coordinators is still valid; null: Temporal's credential is a file, or there is none. */
  readonly tokenSeconds?: () => number | null;
  /** How things stand with the agent itself: what `ping` tells beside the host. */
  readonly standing?: () => Promise<ActionOutput['facts']>;
} & Programs;

/** Absolute paths of what actions run, and of what those programs keep. */
export type Programs = { readonly [name in keyof typeof PROGRAMS]: string };
export const PROGRAMS = {
  systemctl: '/usr/bin/systemctl',
  journalctl: '/usr/bin/journalctl',
  loginctl: '/usr/bin/loginctl',
  aptGet: '/usr/bin/apt-get',
  setpriv: '/usr/bin/setpriv',
  getent: '/usr/bin/getent',
  dmesg: '/usr/bin/dmesg',
  ss: '/usr/bin/ss',
  df: '/usr/bin/df',
  ps: '/usr/bin/ps',
  euStack: '/usr/bin/eu-stack',
  gdb: '/usr/bin/gdb',
  tail: '/usr/bin/tail',
  controlGroups: '/sys/fs/cgroup',
  journalFolder: '/var/log/journal',
  volatileJournalFolder: '/run/log/journal',
  packageCache: '/var/cache/apt/archives',
  utmp: '/run/utmp',
};

/** One run of one action. */
export type ActionRun = {
  readonly timeoutMs: number;
  /** Set when the action is to end early. */
  readonly signal: AbortSignal;
  readonly secrets: readonly string[];
  /** Runs a program in a process group of its own, within what is left of the action's time. */
  readonly run: (command: CommandLine) => Promise<ProcessEnd>;
};

export type CommandLine = {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Values that must not show in its output, beside those of the action's arguments. */
  readonly secrets?: readonly string[];
  /** Less than the action's own, when the command has a limit of its own. */
  readonly timeoutMs?: number;
};

/** All that a program started by an agent inherits, unless its definition adds to it. */
export const CLEAN_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
};

type OutputFacts = ActionOutput['facts'];

/** A result of an action that ran no program, or none whose output matters. */
export const factsOnly = (facts: OutputFacts, tail: string | null = null): ActionOutput => ({
  facts,
  exitCode: null,
  tail,
  digest: null,
  bytes: 0,
});

/** How the end of a program reads as the end of an action. */
export function endOf(end: ProcessEnd, program: string, timeoutMs: number, facts: OutputFacts): ActionEnd {
  const signal = end.exitSignal === null ? {} : { signal: end.exitSignal };
  const output: ActionOutput = { facts, exitCode: end.exitCode, ...signal, ...end.output };
  const failed = (code: Exclude<ActionEnd, { status: 'done' }>['code'], message: string): ActionEnd => ({
    status: 'failed',
    code,
    message,
    output,
  });
  if (end.how === 'spawn') return failed('spawn', `${program} could not be started: ${end.spawnError}`);
  if (end.how === 'timeout') {
    return failed('timeout', `${program} had not ended after ${timeoutMs} ms and was ended with its process group`);
  }
  if (end.how === 'cancelled') {
    return failed('cancelled', `${program} was ended with its process group before it was done`);
  }
  if (end.exitCode === 0) return { status: 'done', output };
  const ending = end.exitSignal === null ? `exit code ${end.exitCode}` : `signal ${end.exitSignal}`;
  return failed('exit', `${program} ended with ${ending}`);
}

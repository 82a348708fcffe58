import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { HostPort } from '../config/connections.ts';
import { ConfigError, type Loaded } from '../config/loaded.ts';
import { formatProblem, type Problem } from '../config/problem.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import { errorText } from './finding.ts';
import { type Io, note } from './io.ts';
import { printable } from './printable.ts';
import { roleLog } from './role-log.ts';
import { serveMetrics } from './serve-metrics.ts';
import { UndoStack } from './undo-stack.ts';

export type RoleFlags = { readonly config: readonly string[]; readonly logLevel: string };

/** Registers what to do on SIGHUP; gives back how to stop that. */
export type ReloadHook = (onReload: () => void | Promise<void>) => () => void;

export type RoleParts = {
  readonly log: Logger;
  readonly metrics: Registry;
  readonly reload: ReloadHook;
  readonly undo: UndoStack;
};

/** One role: how to read its configuration and how to start it. What `start` makes it registers on `parts.undo`. */
export type Role<Config> = {
  readonly name: string;
  readonly load: (paths: readonly string[]) => Promise<Loaded<Config>>;
  /** Where to serve metrics; null = nowhere, or the role does it itself. */
  readonly metricsListen: (config: Config) => HostPort | null;
  readonly start: (config: Config, parts: RoleParts) => Promise<void>;
};

/** The default of 10 ms wakes an idle process a hundred times a second: an idle agent then takes 1.4 % of a core (docs/measurements.md). */
const LOOP_MONITOR_MS = 1_000;

/** All parts together may take so long to stop; a service manager's own limit (systemd: 90 s) lies above it. */
const STOP_DEADLINE_MS = 30_000;

/**
 * Runs a role until the first signal, then stops it, last part first.
 * @throws CommandError (3) with an invalid configuration, after each problem was printed; (1) when it cannot start.
 */
export async function runRole<Config>(
  io: Io,
  flags: RoleFlags,
  role: Role<Config>,
  stopDeadlineMs: number = STOP_DEADLINE_MS,
): Promise<ExitCode> {
  const { config, problems, files } = await loadOrExplain(io, flags, role);
  const log = roleLog(io, role.name, flags.logLevel);
  for (const problem of problems) log.warn(formatProblem(problem));
  const undo = new UndoStack(log);
  // A role with nothing open yet (no port, its server away) must not end because the event loop is empty.
  const alive = setInterval(() => {}, 2 ** 30);
  let failure: unknown = null;
  try {
    await untilAborted(io.signal, startParts(io, config, role, log, undo));
    log.info({ files, pid: process.pid }, `${role.name} started`);
    await untilAborted(io.signal, new Promise(() => {}));
  } catch (error) {
    failure = error;
    if (!(error instanceof ConfigError)) log.fatal({ error }, `${role.name} cannot start`);
  }
  if (io.signal.aborted) log.info({ signal: String(io.signal.reason) }, 'stopping; a second signal ends it at once');
  const stopped = await stopWithin(undo, stopDeadlineMs, log);
  clearInterval(alive);
  if (failure instanceof ConfigError) throw invalid(io, failure.problems, flags, role.name);
  if (failure !== null) {
    const text = `the ${role.name} cannot start: ${errorText(failure)}`;
    throw new CommandError(EXIT.failed, text, `fettle doctor --config ${flags.config.join(' ')}`, { cause: failure });
  }
  return stopped ? EXIT.ok : EXIT.failed;
}

async function loadOrExplain<Config>(
  io: Io,
  flags: RoleFlags,
  role: Role<Config>,
): Promise<Loaded<Config> & { config: Config }> {
  const loaded = await role.load(flags.config);
  const { config } = loaded;
  if (config !== null) return { ...loaded, config };
  throw invalid(io, loaded.problems, flags, role.name);
}

/** Prints every problem. */
function invalid(io: Io, problems: readonly Problem[], flags: RoleFlags, role: string): CommandError {
  for (const problem of problems) note(io, printable(formatProblem(problem)));
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const what = errors === 1 ? 'one problem' : `${errors} problems`;
  return new CommandError(
    EXIT.invalidConfig,
    `${what} in the configuration of the ${role}`,
    `fettle validate ${flags.config.join(' ')}`,
  );
}

async function startParts<Config>(
  io: Io,
  config: Config,
  role: Role<Config>,
  log: Logger,
  undo: UndoStack,
): Promise<void> {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: LOOP_MONITOR_MS });
  undo.add('process metrics', () => metrics.clear());
  const listen = role.metricsListen(config);
  if (listen !== null) {
    const server = await serveMetrics(listen, metrics);
    undo.add('metrics server', server.close);
    log.info({ address: server.address }, 'metrics are served');
  }
  await role.start(config, { log, metrics, reload: reloadOn(io, log, undo), undo });
}

/** One reload after the other: one that is still going is followed by one more, however many signals came meanwhile. */
function reloadOn(io: Io, log: Logger, undo: UndoStack): ReloadHook {
  const listeners = new Set<() => void | Promise<void>>();
  let state: 'idle' | 'busy' | 'again' = 'idle';
  const reload = async (): Promise<void> => {
    if (state !== 'idle') return void (state = 'again');
    do {
      state = 'busy';
      log.info(
        listeners.size === 0
          ? 'SIGHUP: nothing here is read again; restart to use a changed file'
          : 'SIGHUP: reading again',
      );
      for (const listener of listeners) await callLogged(listener, log);
    } while ((state as string) === 'again');
    state = 'idle';
  };
  undo.add(
    'reload on SIGHUP',
    io.onHangup(() => void reload()),
  );
  return (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
}

async function callLogged(listener: () => void | Promise<void>, log: Logger): Promise<void> {
  try {
    await listener();
  } catch (error) {
    log.error({ error }, 'reload failed; what was in force stays in force');
  }
}

/** Ends with the work, or when the signal is aborted; then the work is left behind. */
function untilAborted(signal: AbortSignal, work: Promise<void>): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  if (signal.aborted) aborted.resolve();
  signal.addEventListener('abort', () => aborted.resolve(), { once: true });
  return Promise.race([work, aborted.promise]);
}

async function stopWithin(undo: UndoStack, deadlineMs: number, log: Logger): Promise<boolean> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => late.resolve('late'), deadlineMs);
  const result = await Promise.race([undo[Symbol.asyncDispose](), late.promise]);
  clearTimeout(timer);
  if (result === 'late') {
    log.error({ part: undo.current, deadline_ms: deadlineMs }, 'not stopped in time; the process ends now');
    return false;
  }
  log.info('stopped');
  return undo.failures === 0;
}

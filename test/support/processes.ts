/**
 * Real programs for tests, the demo and benches: started with their output kept, waited for by condition, stopped by pid.
 * A child is sent SIGTERM when the process that started it dies without having stopped it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** Lines kept for error messages; older ones are dropped. */
const KEPT_LINES = 400;
/** Lines of output quoted in an error. */
const QUOTED_LINES = 25;
const DEFAULT_DEADLINE_MS = 30_000;
const POLL_MS = 25;

export type ProcessExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type ProcessOptions = {
  /** For error messages; default: the command's own name. */
  readonly name?: string;
  readonly cwd?: string;
  /** Added to the environment of this process; an undefined value removes the variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called for each line of standard output and standard error, as it comes. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
};

export type WaitOptions = { readonly timeoutMs?: number; readonly what?: string };

/** A started program. Disposing of it stops it. */
export type RunningProcess = AsyncDisposable & {
  readonly name: string;
  readonly pid: number;
  /** Settles when it has ended and all its output was read; never rejects. */
  readonly ended: Promise<ProcessExit>;
  /** Null while it runs. */
  exit(): ProcessExit | null;
  /** The last lines of its output, both streams in the order they came. */
  output(): string;
  /** Resolves with the first line, past or future, that matches. @throws when it ends first or the deadline passes. */
  waitForLine(pattern: RegExp | string, wait?: WaitOptions): Promise<string>;
  /** Polls until the condition holds. @throws when the process ends first or the deadline passes, with its last output. */
  waitUntil(condition: () => boolean | Promise<boolean>, wait?: WaitOptions): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after `graceMs` (default 10,000). Safe to call twice. */
  stop(graceMs?: number): Promise<ProcessExit>;
  /** SIGKILL at once. */
  kill(): Promise<ProcessExit>;
};

/** Starts `argv` without a shell and without standard input. A command that cannot be started ends with code 127. */
export function startProcess(argv: readonly string[], options: ProcessOptions = {}): RunningProcess {
  const name = options.name ?? path.basename(argv[0] ?? '');
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  const child = spawnTied(argv, options);
  let exit: ProcessExit | null = null;
  const hear = (stream: 'stdout' | 'stderr') => (line: string) => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    for (const listener of listeners) listener(line);
    options.onLine?.(line, stream);
  };
  if (child.stdout) createInterface({ input: child.stdout }).on('line', hear('stdout'));
  if (child.stderr) createInterface({ input: child.stderr }).on('line', hear('stderr'));
  const ended = new Promise<ProcessExit>((resolve) => {
    const finish = (result: ProcessExit): void => {
      exit ??= result;
      resolve(exit);
    };
    child.on('error', (error) => {
      lines.push(String(error));
      finish({ code: 127, signal: null });
    });
    child.on('close', (code, signal) => finish({ code, signal }));
  });

  const failure = (what: string): Error =>
    new Error(
      `${name}: ${what}\n--- last output of ${name} (pid ${child.pid ?? 'none'})\n${lines.slice(-QUOTED_LINES).join('\n')}\n---`,
    );
  const describeExit = (result: ProcessExit): string =>
    result.signal ? `ended by ${result.signal}` : `ended with code ${result.code}`;

  const self: RunningProcess = {
    name,
    pid: child.pid ?? -1,
    ended,
    exit: () => exit,
    output: () => lines.join('\n'),
    async waitForLine(pattern, wait = {}) {
      const matches = (line: string): boolean =>
        typeof pattern === 'string' ? line.includes(pattern) : line.search(pattern) >= 0;
      let found = lines.find(matches);
      const listener = (line: string): void => {
        if (found === undefined && matches(line)) found = line;
      };
      listeners.add(listener);
      try {
        await self.waitUntil(() => found !== undefined, { what: `a line that matches ${pattern}`, ...wait });
      } finally {
        listeners.delete(listener);
      }
      return found ?? '';
    },
    async waitUntil(condition, wait = {}) {
      const what = wait.what ?? 'a condition';
      const deadline = Date.now() + (wait.timeoutMs ?? DEFAULT_DEADLINE_MS);
      for (;;) {
        const over = exit;
        if (await condition()) return;
        if (over) throw failure(`${describeExit(over)} while waiting for ${what}`);
        if (Date.now() > deadline) throw failure(`no ${what} within ${wait.timeoutMs ?? DEFAULT_DEADLINE_MS} ms`);
        await pause(POLL_MS);
      }
    },
    signal(signal) {
      if (!exit) child.kill(signal);
    },
    async stop(graceMs = 10_000) {
      if (exit) return exit;
      child.kill('SIGTERM');
      const forced = setTimeout(() => child.kill('SIGKILL'), graceMs);
      try {
        return await ended;
      } finally {
        clearTimeout(forced);
      }
    },
    async kill() {
      if (!exit) child.kill('SIGKILL');
      return await ended;
    },
    async [Symbol.asyncDispose]() {
      await self.stop();
    },
  };
  return self;
}

/** util-linux's setpriv makes the kernel end the child when its parent dies, and then becomes the child: same pid. */
const SETPRIV = '/usr/bin/setpriv';

/** Where set-up links the servers that tests start, so that they are found also without `npm test`. */
const TOOLS_BIN = path.resolve(import.meta.dirname, '../../.tools/bin');

function spawnTied(argv: readonly string[], options: ProcessOptions): ChildProcess {
  const tied = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'TERM', '--', ...argv] : [...argv];
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: `${TOOLS_BIN}:${process.env['PATH'] ?? ''}` };
  for (const [key, value] of Object.entries(options.env ?? {})) {
    if (value === undefined) delete env[key];
    else env[key] = value;
  }
  const [command = '', ...args] = tied;
  return spawn(command, args, { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs a program to its end. @throws when it could not be waited for within `timeoutMs` (default 60,000). */
export async function runProcess(
  argv: readonly string[],
  options: ProcessOptions & { readonly timeoutMs?: number } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const out: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  await using child = startProcess(argv, {
    ...options,
    onLine: (line, stream) => {
      out[stream].push(line);
      options.onLine?.(line, stream);
    },
  });
  await child.waitUntil(() => child.exit() !== null, { what: 'end', timeoutMs: options.timeoutMs ?? 60_000 });
  return { code: child.exit()?.code ?? null, stdout: out.stdout.join('\n'), stderr: out.stderr.join('\n') };
}

/**
 * Polls until the condition gives something truthy, and resolves with it. An error thrown by the condition counts as "not
 * yet" and is quoted when the deadline passes.
 * @throws after `timeoutMs` (default 15,000), saying what was waited for.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  wait: WaitOptions & { readonly everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const timeoutMs = wait.timeoutMs ?? 15_000;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const quoted = last instanceof Error ? (last.stack ?? last.message) : JSON.stringify(last);
      throw new Error(`not within ${timeoutMs} ms: ${wait.what ?? 'the condition'}; last seen: ${quoted}`, {
        cause: last,
      });
    }
    await pause(wait.everyMs ?? POLL_MS);
  }
}

/** A TCP port of 127.0.0.1 that was free a moment ago. Prefer port 0 where the program can say which it took. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

/** Whether something accepts connections there. */
export function portAnswers(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const done = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, done(false));
    socket.once('connect', done(true));
    socket.once('error', done(false));
  });
}

/** Whether a GET there answers 2xx within a second. */
export async function httpAnswers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000), redirect: 'manual' });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** A new empty directory of this test's own, removed with all it holds on disposal. */
export async function temporaryDirectory(prefix = 'fettle-'): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await mkdtemp(path.join(tmpdir(), prefix));
  return {
    path: directory,
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

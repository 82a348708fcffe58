import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOutputTail, type OutputSummary } from './output-tail.ts';
import { ATTEMPT_VARIABLE, type ProcessMark, readProcess, signalAll, survivors } from './procfs.ts';

/** Between the request to end and the kill. */
export const KILL_GRACE_MS = 5000;

export type ProcessSpec = {
  /** Absolute program first; no shell ever sees it. */
  readonly argv: readonly string[];
  /** The whole environment: nothing is inherited from the agent. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly timeoutMs: number;
  /** Ends the group early. */
  readonly signal: AbortSignal;
  /** Marks every process of the group; see procfs. */
  readonly attemptKey: string;
  readonly secrets: readonly string[];
  /** Told once the program runs; its failure does not stop the program. */
  readonly onSpawn: (mark: ProcessMark) => void;
};

export type ProcessEnd = {
  readonly how: 'exit' | 'timeout' | 'cancelled' | 'spawn';
  readonly exitCode: number | null;
  readonly exitSignal: NodeJS.Signals | null;
  /** Why it could not be started; null unless `how` is `spawn`. */
  readonly spawnError: string | null;
  readonly output: OutputSummary;
};

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** Runs one program in a process group of its own. When it resolves, nothing of the group runs any more. Never rejects. */
export async function runProcess(spec: ProcessSpec): Promise<ProcessEnd> {
  const output = createOutputTail(spec.secrets);
  const child = start(spec);
  if (child instanceof Error) return notStarted(child, output.finish());
  child.stdout.on('data', output.stream());
  child.stderr.on('data', output.stream());
  const leader = child.pid === undefined ? null : (readProcess(child.pid)?.mark ?? { pid: child.pid, startTime: GONE });
  if (leader !== null) spec.onSpawn(leader);

  let how: ProcessEnd['how'] = 'exit';
  let killAt = Infinity;
  const ending = new AbortController();
  const endEarly = (reason: 'timeout' | 'cancelled'): void => {
    if (ending.signal.aborted) return;
    how = reason;
    killAt = performance.now() + KILL_GRACE_MS;
    ending.abort();
    if (child.pid !== undefined) void endGroup(child.pid, exited.signal);
  };
  const exited = new AbortController();
  const timer = setTimeout(() => endEarly('timeout'), spec.timeoutMs);
  const cancel = (): void => endEarly('cancelled');
  spec.signal.addEventListener('abort', cancel, { once: true });
  if (spec.signal.aborted) cancel();
  const end = await exitOf(child);
  exited.abort();
  clearTimeout(timer);
  spec.signal.removeEventListener('abort', cancel);
  if (end instanceof Error) return notStarted(end, output.finish());
  await endStragglers(spec.attemptKey, leader, Math.min(KILL_GRACE_MS, killAt - performance.now()));
  await drained(child);
  return { how, exitCode: end.code, exitSignal: end.signal, spawnError: null, output: output.finish() };
}

function start(spec: ProcessSpec): Child | Error {
  const [program, ...args] = spec.argv;
  try {
    return spawn(program!, args, {
      cwd: spec.workingDirectory,
      env: { ...spec.environment, [ATTEMPT_VARIABLE]: spec.attemptKey },
      detached: true,
      shell: false,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    return error as Error;
  }
}

const notStarted = (error: Error, output: OutputSummary): ProcessEnd => ({
  how: 'spawn',
  exitCode: null,
  exitSignal: null,
  spawnError: (error as NodeJS.ErrnoException).code ?? error.message,
  output,
});

function exitOf(child: Child): Promise<{ code: number | null; signal: NodeJS.Signals | null } | Error> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(error);
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** TERM, then KILL after the grace, to a group whose leader this process has not reaped yet: its number is still its own. */
async function endGroup(group: number, exited: AbortSignal): Promise<void> {
  signalGroup(group, 'SIGTERM');
  try {
    await sleep(KILL_GRACE_MS, undefined, { signal: exited });
  } catch {
    return;
  }
  signalGroup(group, 'SIGKILL');
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has gone.
  }
}

/** What the program left running in its group is ended too: a receipt says that nothing of the action runs any more. */
export async function endStragglers(
  attemptKey: string,
  leader: ProcessMark | null,
  graceMs: number = KILL_GRACE_MS,
): Promise<void> {
  const stillThere = (): ProcessMark[] => survivors(attemptKey, leader);
  if (stillThere().length === 0) return;
  signalAll(stillThere(), 'SIGTERM');
  for (let waited = 0; waited < graceMs && stillThere().length > 0; waited += POLL_MS) await sleep(POLL_MS);
  while (stillThere().length > 0) {
    signalAll(stillThere(), 'SIGKILL');
    await sleep(POLL_MS);
  }
}
const POLL_MS = 100;
/** Start time of a leader that was gone before it could be looked at: equals nobody's. */
const GONE = 0;

/** The pipes may be held open by a process that left the group, such as a daemon: what has arrived by then is the output. */
async function drained(child: Child): Promise<void> {
  const ended = Promise.all([closed(child.stdout), closed(child.stderr)]);
  await Promise.race([ended, sleep(DRAIN_MS, undefined, { ref: false })]);
  child.stdout.destroy();
  child.stderr.destroy();
}
const DRAIN_MS = 1000;

async function closed(pipe: Readable): Promise<void> {
  if (!pipe.closed) await new Promise((resolve) => pipe.once('close', resolve));
}

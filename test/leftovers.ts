/**
 * Finds processes that a test run left behind: those that carry its mark, and those once seen below it that are still alive. Of
 * booted hosts whose test was killed it removes what is left.
 */
import { readdir, readFile } from 'node:fs/promises';
import { sweep } from './support/booted-host-leavings.ts';
import { eventually } from './support/processes.ts';

const MARK = 'FETTLE_TEST_RUN';
const LOOK_EVERY_MS = 250;
/** What is ending may take this long to be gone. */
const PATIENCE_MS = 5_000;

type Seen = { readonly pid: number; readonly parent: number; readonly startTicks: string; readonly state: string };

export type Leftovers = {
  /** Goes into the environment of what is watched. */
  readonly env: Readonly<Record<string, string>>;
  /** Begins to watch what `pid` starts, also what it starts with an empty environment. */
  watch(pid: number): void;
  /** Ends the watch, and what is still alive with SIGKILL. @returns a line for each, none when all is well */
  end(): Promise<string[]>;
};

export function watchLeftovers(run: string): Leftovers {
  const seen = new Map<number, string>();
  let root: number | null = null;
  const look = async (): Promise<void> => {
    if (root === null) return;
    for (const found of descendants(await processes(), root)) seen.set(found.pid, found.startTicks);
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  const alive = async (): Promise<number[]> => {
    const now = await processes();
    const marked = await Promise.all(now.map(async ({ pid }) => ((await hasMark(pid, run)) ? pid : null)));
    const ours = (found: Seen): boolean => seen.get(found.pid) === found.startTicks || marked.includes(found.pid);
    return now.filter((found) => found.pid !== process.pid && found.state !== 'Z' && ours(found)).map(({ pid }) => pid);
  };
  return {
    env: { [MARK]: run },
    watch(pid) {
      root = pid;
    },
    async end() {
      clearInterval(timer);
      await sweep();
      try {
        await eventually(async () => (await alive()).length === 0, { timeoutMs: PATIENCE_MS, everyMs: 200 });
        return [];
      } catch {
        const pids = await alive();
        const lines = await Promise.all(pids.map(async (pid) => `process ${pid}: ${await commandOf(pid)}`));
        for (const pid of pids) endProcess(pid);
        return lines;
      }
    },
  };
}

/** Every process there is, from /proc. */
async function processes(): Promise<Seen[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(readProcess));
  return found.filter((each) => each !== null);
}

async function readProcess(pid: number): Promise<Seen | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything; the fields after it are numbered from 3 in proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, state: fields[0] ?? '', parent: Number(fields[1]), startTicks: fields[19] ?? '' };
  } catch {
    return null;
  }
}

function descendants(all: readonly Seen[], root: number): Seen[] {
  const children = all.filter(({ parent }) => parent === root);
  return [...children, ...children.flatMap(({ pid }) => descendants(all, pid))];
}

async function hasMark(pid: number, run: string): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').includes(`${MARK}=${run}`);
  } catch {
    return false;
  }
}

async function commandOf(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim().slice(0, 200);
  } catch {
    return 'ended meanwhile';
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended meanwhile.
  }
}

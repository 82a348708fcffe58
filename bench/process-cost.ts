/** What processes cost, as Linux counts it in /proc. */
import { readdir, readFile } from 'node:fs/promises';

/** Linux counts process time in hundredths of a second on every architecture that Node runs on (`getconf CLK_TCK`). */
const TICKS_PER_S = 100;

/** User and system time of a process with all its threads since its start, in seconds. @throws when it has ended */
export async function cpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in brackets and may itself hold spaces and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** The same by the scheduler's clock, for processes that hardly run: nanoseconds, of the threads that are still there. */
export async function cpuNanoseconds(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const each = threads.map(async (thread) => {
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
    return Number(text.split(' ')[0]);
  });
  return (await Promise.all(each)).reduce((sum, one) => sum + one, 0);
}

/** Processes counted together under one name. */
export type ProcessGroup = { readonly name: string; readonly pids: readonly number[] };

/** Seconds of CPU by group. */
export type CpuByGroup = Readonly<Record<string, number>>;

export async function cpuOf(groups: readonly ProcessGroup[]): Promise<CpuByGroup> {
  const sums = groups.map(async ({ name, pids }) => {
    const each = await Promise.all(pids.map(cpuSeconds));
    return [name, each.reduce((sum, one) => sum + one, 0)] as const;
  });
  return Object.fromEntries(await Promise.all(sums));
}

export const cpuBetween = (before: CpuByGroup, after: CpuByGroup): CpuByGroup =>
  Object.fromEntries(Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]));

/** Memory in MB (10^6 bytes): resident, and what of it nobody else shares. */
export type Memory = { readonly rssMb: number; readonly privateMb: number };

export async function memoryOf(pid: number): Promise<Memory> {
  const [status, rollup] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/smaps_rollup`, 'utf8'),
  ]);
  const privateKib = kib(rollup, 'Private_Dirty') + kib(rollup, 'Private_Clean');
  return { rssMb: megabytes(kib(status, 'VmRSS')), privateMb: megabytes(privateKib) };
}

const megabytes = (size: number): number => Math.round((size * 1024) / 1e5) / 10;

function kib(text: string, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`/proc does not say ${field}`);
  return Number(found);
}

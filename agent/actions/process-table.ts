/** The processes of the host, read from /proc: no program is run for it, and what cannot be read is not guessed. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { ProcessMark } from '../procfs.ts';

export type ProcessStat = {
  readonly mark: ProcessMark;
  readonly parent: number;
  /** At most 15 characters of the process's own choice. */
  readonly name: string;
  readonly kernelThread: boolean;
  /** `D` is one that not even KILL ends before its input or output does. */
  readonly state: string;
  /** Of CPU, so far. */
  readonly cpuS: number;
  readonly rssBytes: number;
  readonly ageS: number;
};

const KERNEL_THREAD_FLAG = 0x0020_0000;

/** Without zombies; those that end while it is read are left out. */
export async function readProcesses(): Promise<Map<number, ProcessStat>> {
  const { pageBytes, ticksPerS } = measures();
  const upS = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const found = new Map<number, ProcessStat>();
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  for (const [index, id] of ids.entries()) {
    const stat = readStat(Number(id), pageBytes, ticksPerS, upS);
    if (stat !== null) found.set(stat.mark.pid, stat);
    // Thousands of them must not keep the heartbeats waiting.
    if (index % 200 === 199) await breathe();
  }
  return found;
}

function readStat(pid: number, pageBytes: number, ticksPerS: number, upS: number): ProcessStat | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // proc(5): the name stands in parentheses and may hold anything; fields count from behind its last one, state is field 3.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const state = fields[0] ?? '';
  if (state === 'Z' || state === 'X') return null;
  return {
    mark: { pid, startTime: field(22) },
    parent: field(4),
    name: text.slice(text.indexOf('(') + 1, end),
    kernelThread: (field(9) & KERNEL_THREAD_FLAG) !== 0,
    state,
    cpuS: (field(14) + field(15)) / ticksPerS,
    rssBytes: field(24) * pageBytes,
    ageS: Math.max(0, upS - field(22) / ticksPerS),
  };
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** What this kernel counts memory and time in, from the vector that it gave this very process: pairs of 64-bit numbers. */
function measures(): { readonly pageBytes: number; readonly ticksPerS: number } {
  const vector = readFileSync('/proc/self/auxv');
  const valueOf = (type: bigint, otherwise: number): number => {
    for (let at = 0; at + 16 <= vector.length; at += 16)
      if (vector.readBigUInt64LE(at) === type) return Number(vector.readBigUInt64LE(at + 8));
    return otherwise;
  };
  return { pageBytes: valueOf(6n, 4096), ticksPerS: valueOf(17n, 100) };
}

/** The system's unit that a process belongs to, and the slices above it; empty outside systemd's control groups. */
export function unitsOf(pid: number): readonly string[] {
  return unitsIn(read(`/proc/${pid}/cgroup`) ?? '');
}

const UNIT_SUFFIX = /\.(?:service|scope|socket|mount|swap|slice)$/;

/** Below the first unit that is no slice a user's own manager names units as it likes. */
export function unitsIn(cgroup: string): string[] {
  const paths = cgroup.split('\n').flatMap((line) => /^(?:0:|\d+:name=systemd):(.*)$/.exec(line)?.[1] ?? []);
  for (const path of paths) {
    const parts = path.split('/').map((part) => part.replace(/^_/, ''));
    const named = parts.filter((part) => UNIT_SUFFIX.test(part));
    const last = named.findIndex((part) => !part.endsWith('.slice'));
    if (named.length > 0) return named.slice(0, last === -1 ? undefined : last + 1);
  }
  return [];
}

/**
 * Whether a process runs exactly this file of this host's own file system: not another of the same name in a container. `file` has
 * no symbolic links left. Null: it cannot be told, without the right to look.
 */
export function runsFile(pid: number, file: string): boolean | null {
  try {
    const link = readlinkSync(`/proc/${pid}/exe`);
    if (link === `${file} (deleted)`) return sameFile(`/proc/${pid}/root/`, '/');
    return link === file && sameFile(`/proc/${pid}/exe`, file);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? null : false;
  }
}

function sameFile(one: string, other: string): boolean {
  const [a, b] = [statSync(one, { bigint: true }), statSync(other, { bigint: true })];
  return a.dev === b.dev && a.ino === b.ino;
}

/** For show: what it runs, or says that it runs where its executable may not be looked at. */
export function shownExecutable(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}

/** What a process says it was started as; it may say anything. */
export const claimedProgram = (pid: number): string => (read(`/proc/${pid}/cmdline`) ?? '').split('\0')[0]!;

import { realpath } from 'node:fs/promises';
import type { ActionOutput } from '../../workflows/contract.ts';
import { type Action, type ActionEnd, type ActionHost, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { freeSpace } from './free-space.ts';
import { kernelFacts } from './kernel-facts.ts';
import { loggedIn } from './logged-in.ts';
import { diskOf, type Disk, isHidden, mountedDisks } from './mounted-disks.ts';
import { criteriaOf, type Match, processTable, roundMib, select } from './process-selection.ts';
import { readSystem } from './systemctl.ts';
import { textTable } from './text-table.ts';

const check = argumentCheck('node.facts');

/** Load, memory, disks, pressure and the busiest processes: read from /proc and from the file systems, without a shell. */
export const nodeFacts: Action = {
  name: 'node.facts',
  capped: true,
  page: {
    about: [
      'From /proc and the file systems themselves. With `path` the file system of that folder is measured by itself, so that `verify` can ask for the room that a remedy made. The tail has tables: disks, and the busiest processes by CPU and by memory.',
    ],
    facts: {
      'kernel, cpus, uptime_s, boot_id': 'of the running kernel, and this boot',
      'load_1, load_5, load_15': 'load over so many minutes',
      'memory_*, swap_*': 'in MiB, and percent',
      'pressure_*': 'percent of the last ten seconds that some, or all, waited for CPU, memory or disk',
      'processes, persons': 'processes without kernel threads; persons logged in',
      'system_state, failed_units': 'what systemd says of the host',
      'fullest_mount, fullest_free_percent': 'the local file system with the least room',
      'path, path_mount, path_total_bytes, path_free_bytes, path_free_percent': 'of the file system of `path`',
    },
    rehearsal: 'the same as a run: it changes nothing.',
    example: { path: '/var/log', top: 3 },
  },
  prepare(args, host) {
    const { top, path } = check(args);
    const look = (): Promise<ActionEnd> => factsOf(host, Number(top), path === undefined ? null : String(path));
    return { rehearse: async () => (await look()).output, run: look, worksOn: async () => false };
  },
};

async function factsOf(host: ActionHost, top: number, path: string | null): Promise<ActionEnd> {
  const [kernel, disks, persons, system, processes] = await Promise.all([
    kernelFacts(),
    mountedDisks(),
    loggedIn(host),
    readSystem(host).catch(() => null),
    select(criteriaOf({}), top > 0),
  ]);
  const living = processes.filter(({ kernelThread }) => !kernelThread);
  const fullest = disks.toSorted((a, b) => a.freePercent - b.freePercent)[0];
  const facts: ActionOutput['facts'] = {
    ...kernel,
    boot_id: host.facts.bootId,
    processes: living.length,
    ...(persons === null ? {} : { persons: persons.length }),
    ...(system === null ? {} : { system_state: system.state, failed_units: system.failedUnits }),
    ...(fullest === undefined ? {} : { fullest_mount: fullest.mount, fullest_free_percent: fullest.freePercent }),
  };
  const tail = tablesOf(disks, living, top);
  if (path === null) return { status: 'done', output: factsOnly(facts, tail) };
  try {
    return { status: 'done', output: factsOnly({ ...(await pathFacts(disks, path)), ...facts }, tail) };
  } catch (error) {
    if (error instanceof HiddenError)
      return { status: 'failed', code: 'exit', message: error.message, output: factsOnly(facts, tail) };
    const message = `cannot measure the file system of ${path} (${(error as NodeJS.ErrnoException).code ?? 'error'})`;
    return { status: 'failed', code: 'exit', message, output: factsOnly(facts, tail) };
  }
}

class HiddenError extends Error {}

/** @throws Error when there is no such path, or it may not be looked at */
async function pathFacts(disks: readonly Disk[], path: string): Promise<ActionOutput['facts']> {
  const real = await realpath(path);
  if (await isHidden(real)) throw new HiddenError(`the agent's own unit keeps it from ${path} (ProtectHome=, say)`);
  const { freeBytes, totalBytes, freePercent } = await freeSpace(path);
  return {
    path,
    path_mount: diskOf(disks, real)?.mount ?? '',
    path_total_bytes: totalBytes,
    path_free_bytes: freeBytes,
    path_free_percent: freePercent,
  };
}

/** What a receipt takes, shared out: the disks first, for there are few of them. */
const DISKS_BYTES = 1300;
const ALL_BYTES = 4000;

function tablesOf(disks: readonly Disk[], processes: readonly Match[], top: number): string {
  const rows = disks
    .toSorted((a, b) => a.freePercent - b.freePercent)
    .map((disk) => [
      disk.mount.slice(0, 60),
      disk.type,
      roundMib(disk.totalBytes),
      roundMib(disk.freeBytes),
      disk.freePercent,
      disk.freeInodesPercent ?? '-',
    ]);
  const headings = ['MOUNT', 'TYPE', 'SIZE MiB', 'FREE MiB', 'FREE %', 'INODES FREE %'];
  const first = textTable(headings, rows, DISKS_BYTES);
  if (top === 0) return first;
  const half = Math.floor((ALL_BYTES - Buffer.byteLength(first)) / 2);
  const busiest = (by: (match: Match) => number): string =>
    processTable(processes.toSorted((a, b) => by(b) - by(a)).slice(0, top), { maxBytes: half });
  return [first, busiest(({ cpuPercent }) => cpuPercent), busiest(({ rssBytes }) => rssBytes)].join('\n');
}

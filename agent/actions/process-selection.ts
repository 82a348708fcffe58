/** Which processes are meant: by unit, by executable, and by what they use; and which of them nobody may touch. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Args, Scalar } from '../../workflows/contract.ts';
import type { ProcessMark } from '../procfs.ts';
import {
  claimedProgram,
  type ProcessStat,
  readProcesses,
  runsFile,
  shownExecutable,
  unitsOf,
} from './process-table.ts';
import { textTable } from './text-table.ts';
import { isOwnUnit } from './unit-guard.ts';

export type Criteria = {
  readonly unit: string | null;
  readonly exe: string | null;
  readonly minAgeS: number;
  readonly minRssBytes: number;
  readonly minCpuPercent: number;
};

export type Match = ProcessStat & {
  readonly unit: string;
  /** What it runs, for show; with a `~` where that is only what it says of itself. */
  readonly program: string;
  readonly cpuPercent: number;
  /** Why it must never be signalled; null = it may. */
  readonly spared: string | null;
};

export function criteriaOf(args: Readonly<Record<string, Scalar>>): Criteria {
  const { unit, exe, min_age_s: age, min_rss_mb: rss, min_cpu_percent: cpu } = args;
  return {
    unit: unit === undefined ? null : String(unit),
    exe: exe === undefined ? null : String(exe),
    minAgeS: Number(age ?? 0),
    minRssBytes: Number(rss ?? 0) * 1024 * 1024,
    minCpuPercent: Number(cpu ?? 0),
  };
}

/** Long enough to tell a runaway from a process that just woke up. */
const SAMPLE_MS = 500;

/**
 * The processes that fit. Their CPU is what they use now where `sampled`, or where it is asked about; else their average since they
 * began. Where an executable may not be looked at, what the process calls itself
 * counts: good enough to show it, never to act on it.
 */
export async function select(criteria: Criteria, sampled = criteria.minCpuPercent > 0): Promise<Match[]> {
  const first = sampled ? await readProcesses() : null;
  const began = performance.now();
  if (sampled) await sleep(SAMPLE_MS);
  const second = await readProcesses();
  const seconds = (performance.now() - began) / 1000;
  const file = criteria.exe === null ? null : resolved(criteria.exe);
  const kin = ancestors(second);
  return [...second.values()].flatMap((stat) => {
    const cpuPercent = first === null ? average(stat) : sinceThen(stat, first.get(stat.mark.pid), seconds);
    if (stat.ageS < criteria.minAgeS || stat.rssBytes < criteria.minRssBytes) return [];
    if (cpuPercent < criteria.minCpuPercent) return [];
    const { pid } = stat.mark;
    const runs = file === null || runsFile(pid, file);
    if (runs === false || (runs === null && !mayRun(stat, [file!, criteria.exe!]))) return [];
    const units = unitsOf(pid);
    if (criteria.unit !== null && !units.includes(criteria.unit)) return [];
    const unit = units.at(-1) ?? '';
    const spared =
      sparedBy(stat, unit, kin) ?? (runs === null ? 'of another user, and its executable not to be seen' : null);
    return [{ ...stat, unit, program: programOf(stat), cpuPercent, spared }];
  });
}

/** By what it calls itself: rather one too many than to say that there is none. */
function mayRun({ mark, name }: ProcessStat, files: readonly string[]): boolean {
  const claimed = basename(claimedProgram(mark.pid));
  return files.some((file) => claimed === basename(file) || name === basename(file).slice(0, 15));
}

const average = ({ cpuS, ageS }: ProcessStat): number => (cpuS / Math.max(ageS, 0.01)) * 100;

/** 0 for one that began in between. */
const sinceThen = (now: ProcessStat, then: ProcessStat | undefined, seconds: number): number =>
  then?.mark.startTime === now.mark.startTime ? Math.max(0, ((now.cpuS - then.cpuS) / seconds) * 100) : 0;

/** Whether a process still fits what does not change from one second to the next. */
export function stillFits(criteria: Criteria, { pid }: ProcessMark): boolean {
  if (criteria.unit !== null && !unitsOf(pid).includes(criteria.unit)) return false;
  return criteria.exe === null || runsFile(pid, resolved(criteria.exe)) === true;
}

function resolved(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function programOf({ mark, kernelThread, name }: ProcessStat): string {
  if (kernelThread) return `[${name}]`;
  const claimed = claimedProgram(mark.pid);
  return shownExecutable(mark.pid) ?? `~${claimed === '' ? name : claimed}`;
}

/** This process and those it comes from. */
function ancestors(all: ReadonlyMap<number, ProcessStat>): ReadonlySet<number> {
  const kin = new Set<number>();
  for (let pid = process.pid; pid > 0 && !kin.has(pid); pid = all.get(pid)?.parent ?? 0) kin.add(pid);
  return kin;
}

function sparedBy({ mark, kernelThread }: ProcessStat, unit: string, kin: ReadonlySet<number>): string | null {
  if (mark.pid === 1) return 'pid 1';
  if (kernelThread) return 'a kernel thread';
  if (kin.has(mark.pid) || isOwnUnit(unit)) return 'Fettle itself';
  return null;
}

const MIB = 1024 * 1024;
export const roundMib = (bytes: number): number => Math.round(bytes / MIB);

type TableOptions = { readonly fate?: (match: Match) => string; readonly maxBytes?: number };
export function processTable(matches: readonly Match[], { fate, maxBytes }: TableOptions = {}): string {
  const headings = ['PID', 'AGE', 'CPU%', 'RSS MiB', 'UNIT', 'PROGRAM'];
  const rows = matches.map((match) => [
    match.mark.pid,
    ageText(match.ageS),
    Math.round(match.cpuPercent),
    roundMib(match.rssBytes),
    match.unit === '' ? '-' : match.unit,
    match.program.slice(0, 100),
    ...(fate === undefined ? [] : [fate(match)]),
  ]);
  return textTable(fate === undefined ? headings : [...headings, 'END'], rows, maxBytes);
}

function ageText(seconds: number): string {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days}d${hours}h`;
  if (hours > 0) return `${hours}h${minutes}m`;
  return minutes > 0 ? `${minutes}m${whole % 60}s` : `${whole}s`;
}

/** What all matches come to, as facts. */
export function sums(matches: readonly Match[]): Record<string, number> {
  const total = (of: (match: Match) => number): number => matches.reduce((sum, match) => sum + of(match), 0);
  return {
    matched: matches.length,
    rss_mb: roundMib(total(({ rssBytes }) => rssBytes)),
    cpu_percent: Math.round(total(({ cpuPercent }) => cpuPercent)),
    oldest_age_s: Math.floor(Math.max(0, ...matches.map(({ ageS }) => ageS))),
  };
}

export const askedFor = (args: Args): Record<string, Scalar> =>
  Object.fromEntries(
    ['unit', 'exe'].flatMap((name) => (typeof args[name] === 'string' ? [[name, args[name]] as const] : [])),
  );

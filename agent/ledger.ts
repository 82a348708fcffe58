import { chmod, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createOnce, isTemporary, LedgerError, readWhole, replaceFile } from './durable-file.ts';
import { digestOf } from './digest.ts';
import {
  type Attempt,
  beginRecord,
  endRecord,
  floorRecord,
  markRecord,
  type Begun,
  type Ended,
  type Refused,
} from './ledger-records.ts';
import type { ProcessMark } from './procfs.ts';

/**
 * What this host has begun, refused and ended, on disk: one file decides each (execution, step, attempt), made once and for all
 * before anything is done. PROTOCOL 5.5, 6.1.
 */
export type Ledger = {
  /** Null when this attempt is not known. @throws LedgerError when it cannot be told. */
  readonly read: (attempt: Attempt) => Promise<Entry | null>;
  /** True when this call took the attempt; false when another had, whatever for. @throws LedgerError */
  readonly take: (attempt: Attempt, record: Begun | Refused) => Promise<boolean>;
  readonly noteProcess: (attempt: Attempt, mark: ProcessMark) => Promise<void>;
  /** Records how it ended and gives what is on record: the first to say so is believed. @throws LedgerError */
  readonly end: (attempt: Attempt, ended: Ended) => Promise<Ended>;
  /** Attempts that began and have no end on record. @throws LedgerError */
  readonly unfinished: () => Promise<{ attempt: Attempt; begun: Begun; process: ProcessMark | null }[]>;
  /** Milliseconds. Grants with a begin-by at or before it are refused: their record may have been dropped. */
  readonly floor: () => number;
  /** Drops what ended long ago, after raising the floor over it. Damaged entries stay. @throws LedgerError */
  readonly prune: (now: number) => Promise<void>;
  /** How many attempts are on record. */
  readonly size: () => number;
};

export type Entry =
  | { readonly kind: 'refused'; readonly record: Refused }
  | {
      readonly kind: 'begun';
      readonly record: Begun;
      readonly process: ProcessMark | null;
      readonly ended: Ended | null;
    };

export type LedgerLimits = {
  /** Ended attempts are kept at least this long. */
  readonly keepMs: number;
  /** Above this many the oldest go earlier, but none before `keepLeastMs`. */
  readonly maxEntries: number;
  readonly keepLeastMs: number;
};
const HOUR = 3_600_000;
const DEFAULT_LIMITS: LedgerLimits = { keepMs: 30 * 24 * HOUR, maxEntries: 20_000, keepLeastMs: HOUR };

/** Names hold a digest, never an id that somebody else chose. */
export const attemptKey = (attempt: Attempt): string =>
  `${digestOf([attempt.execution, attempt.step])}.${attempt.attempt}`;
const ENTRY_NAME = /^[A-Za-z0-9_-]{43}\.\d+$/;
const FLOOR = 'floor';

/** @throws LedgerError when the folder cannot be used or its floor is damaged. */
export async function openLedger(stateDir: string, limits: LedgerLimits = DEFAULT_LIMITS): Promise<Ledger> {
  const folder = join(stateDir, 'ledger');
  await prepareFolder(folder);
  let floor = readFloor(await readWhole(folder, FLOOR));
  const names = await readdir(folder);
  let size = names.filter((name) => ENTRY_NAME.test(name)).length;

  const readNamed = async (name: string): Promise<Entry | null> => {
    const value = await readWhole(folder, name);
    if (value === undefined) return null;
    const record = parsed(beginRecord, value, name);
    if (attemptKey(record.attempt) !== name)
      throw new LedgerError(`${join(folder, name)} is damaged: it speaks of another attempt`);
    if (record.kind === 'refused') return { kind: 'refused', record };
    const [mark, ended] = await Promise.all([
      readWhole(folder, `${name}.process`),
      readWhole(folder, `${name}.result`),
    ]);
    return {
      kind: 'begun',
      record,
      process: mark === undefined ? null : parsed(markRecord, mark, `${name}.process`),
      ended: ended === undefined ? null : parsed(endRecord, ended, `${name}.result`),
    };
  };

  return {
    read: (attempt) => readNamed(attemptKey(attempt)),
    async take(attempt, record) {
      const taken = await createOnce(folder, attemptKey(attempt), record);
      if (taken) size += 1;
      return taken;
    },
    noteProcess: (attempt, mark) => replaceFile(folder, `${attemptKey(attempt)}.process`, mark),
    async end(attempt, ended) {
      const name = `${attemptKey(attempt)}.result`;
      if (await createOnce(folder, name, ended)) return ended;
      return parsed(endRecord, await readWhole(folder, name), name);
    },
    async unfinished() {
      const names = new Set(await readdir(folder));
      const open = [...names].filter((name) => ENTRY_NAME.test(name) && !names.has(`${name}.result`));
      const found = [];
      for (const name of open) {
        const entry = await readNamed(name).catch(() => null);
        if (entry?.kind !== 'begun' || entry.ended !== null) continue;
        found.push({ attempt: entry.record.attempt, begun: entry.record, process: entry.process });
      }
      return found;
    },
    floor: () => floor,
    async prune(now) {
      const old = await prunable(folder, readNamed, limits, now);
      if (old.length > 0) {
        const raised = Math.max(floor, ...old.map((entry) => entry.beginBy));
        await replaceFile(folder, FLOOR, { floor: raised });
        floor = raised;
      }
      for (const { name } of old) size -= await drop(folder, name);
      await dropLeftovers(folder);
    },
    size: () => size,
  };
}

async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new LedgerError(`cannot use ${folder} as the ledger's folder (${code}); the agent must own its state_dir`, {
      cause: error,
    });
  }
}

function parsed<T>(
  schema: { safeParse: (value: unknown) => { success: boolean; data?: T } },
  value: unknown,
  name: string,
): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new LedgerError(`ledger file ${name} is damaged: it does not hold what it should`);
  return result.data as T;
}

const readFloor = (value: unknown): number => (value === undefined ? 0 : parsed(floorRecord, value, FLOOR).floor);

type Prunable = { readonly name: string; readonly beginBy: number; readonly at: number };

async function prunable(
  folder: string,
  read: (name: string) => Promise<Entry | null>,
  limits: LedgerLimits,
  now: number,
): Promise<Prunable[]> {
  const names = (await readdir(folder)).filter((name) => ENTRY_NAME.test(name));
  const closed: Prunable[] = [];
  for (const name of names) {
    const entry = await read(name).catch(() => null);
    const at = entry?.kind === 'refused' ? entry.record.at : (entry?.ended?.to ?? null);
    if (entry === null || at === null) continue;
    closed.push({ name, beginBy: entry.record.beginBy, at: Math.max(at, entry.record.beginBy) });
  }
  closed.sort((a, b) => a.at - b.at);
  const surplus = names.length - limits.maxEntries;
  return closed.filter(
    ({ at }, index) => at < now - limits.keepMs || (index < surplus && at < now - limits.keepLeastMs),
  );
}

/** The deciding file goes first: from then on the floor refuses what it refused. */
async function drop(folder: string, name: string): Promise<number> {
  const gone = await remove(join(folder, name));
  await remove(join(folder, `${name}.process`));
  await remove(join(folder, `${name}.result`));
  return gone ? 1 : 0;
}

async function ageOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null);
  return found === null ? 0 : Date.now() - found.mtimeMs;
}

async function remove(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new LedgerError(`cannot remove ${path} (${(error as NodeJS.ErrnoException).code ?? 'error'})`, {
      cause: error,
    });
  }
}

/** What a crash left behind: side files without their entry, and temporary files too old to be somebody's at work. */
async function dropLeftovers(folder: string): Promise<void> {
  const names = new Set(await readdir(folder));
  for (const name of names) {
    if (isTemporary(name) && (await ageOf(join(folder, name))) > HOUR) await remove(join(folder, name));
    const owner = name.replace(/\.(?:process|result)$/, '');
    if (owner !== name && ENTRY_NAME.test(owner) && !names.has(owner)) await remove(join(folder, name));
  }
}

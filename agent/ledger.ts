import { chmod, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ageOf, type BootClock, hostClock } from './boot-clock.ts';
import { createOnce, LedgerError, readWhole, readWholeNow, replaceFile } from './durable-file.ts';
import { digestOf } from './digest.ts';
import { withLock } from './folder-lock.ts';
import {
  type Attempt,
  beginRecord,
  endRecord,
  ENTRY_NAME,
  floorRecord,
  markRecord,
  type Begun,
  type Ended,
  type Refused,
} from './ledger-records.ts';
import { DEFAULT_LIMITS, drop, dropLeftovers, type LedgerLimits, prunable } from './ledger-pruning.ts';
import type { ProcessMark } from './procfs.ts';
import { RefusalError } from './refusal.ts';

/**
 * What this host has begun, refused and ended, on disk: one file decides each (execution, step, attempt), made once and for all
 * before anything is done. PROTOCOL 5.5, 6.1.
 */
export type Ledger = {
  readonly folder: string;
  /** Null when this attempt is not known. @throws LedgerError when it cannot be told. */
  readonly read: (attempt: Attempt) => Promise<Entry | null>;
  /**
   * True when this call took the attempt; false when another had, whatever for. What begins must be younger than the floor and has
   * to find room: `room` is shown all that has begun, while nobody else can begin anything, and throws when there is none.
   * @throws LedgerError, RefusalError
   */
  readonly take: (attempt: Attempt, record: Begun | Refused, room?: Room | null) => Promise<boolean>;
  readonly noteProcess: (attempt: Attempt, mark: ProcessMark) => Promise<void>;
  /**
   * For an attempt whose action runs in a process of its own: true when this process may run it, and nobody else any more. Whoever
   * wins without running it has proof that it never runs.
   */
  readonly claimRun: (attempt: Attempt, mark: ProcessMark) => Promise<boolean>;
  /** By the name of its file, which is its `attemptKey`. @throws LedgerError when it cannot be told. */
  readonly find: (key: string) => Promise<Entry | null>;
  /** Records how it ended and gives what is on record: the first to say so is believed. @throws LedgerError */
  readonly end: (attempt: Attempt, ended: Ended) => Promise<Ended>;
  /** Attempts that began and have no end on record. @throws LedgerError */
  readonly unfinished: () => Promise<BegunEntry[]>;
  /** Milliseconds. Grants with a begin-by at or before it are refused: their record may have been dropped. @throws LedgerError */
  readonly floor: () => Promise<number>;
  /** Drops what ended long ago, after raising the floor over it. Damaged entries stay. @throws LedgerError */
  readonly prune: () => Promise<void>;
  /** How many attempts are on record. */
  readonly size: () => number;
};

export type BegunAction = {
  readonly action: string;
  /** Their secrets still unfilled. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly ageMs: number;
  /** Begun in this boot, with no end on record. */
  readonly atWork: boolean;
};
/** @throws RefusalError when there is no room. */
export type Room = (begun: readonly BegunAction[]) => void;

export type Entry =
  | { readonly kind: 'refused'; readonly record: Refused }
  | {
      readonly kind: 'begun';
      readonly record: Begun;
      readonly process: ProcessMark | null;
      /** Who claimed to run it, when its action runs in a process of its own. */
      readonly runner: ProcessMark | null;
      readonly ended: Ended | null;
    };
export type BegunEntry = Extract<Entry, { kind: 'begun' }>;

/** Names hold a digest, never an id that somebody else chose. */
export const attemptKey = (attempt: Attempt): string =>
  `${digestOf([attempt.execution, attempt.step])}.${attempt.attempt}`;
const FLOOR = 'floor';

/** How far coordinators' clocks may differ. */
const SKEW_MS = 5000;

/** @throws LedgerError when the folder cannot be used or its floor is damaged. */
export async function openLedger(
  stateDir: string,
  limits: LedgerLimits = DEFAULT_LIMITS,
  clock: BootClock = hostClock(),
): Promise<Ledger> {
  const folder = folderIn(stateDir);
  await prepareFolder(folder);
  await readFloor(folder);
  let size = (await entryNames(folder)).length;

  const create = async (attempt: Attempt, record: Begun | Refused): Promise<boolean> => {
    if (size >= limits.fullAt && (size = (await entryNames(folder)).length) >= limits.fullAt)
      throw new LedgerError(`the ledger ${folder} is full: ${size} attempts are on record; look why so many are kept`);
    const taken = await createOnce(folder, attemptKey(attempt), { ...record, written: clock.instant() });
    if (taken) size += 1;
    return taken;
  };

  /** While nobody else on this host begins or prunes anything. */
  const begin = async (attempt: Attempt, record: Begun, room: Room | null): Promise<boolean> => {
    if ((await readWhole(folder, attemptKey(attempt))) !== undefined) return false;
    const { floor, newest = 0 } = await readFloor(folder);
    if (record.beginBy <= floor) throw tooOld();
    if (record.beginBy < newest - SKEW_MS) throw overtaken();
    if (room !== null) room(await readBegun(stateDir, clock));
    const { issuedAt = 0 } = record;
    if (issuedAt > newest + 1000) await replaceFile(folder, FLOOR, { floor, newest: issuedAt });
    return create(attempt, record);
  };

  return {
    folder,
    read: (attempt) => readEntry(folder, attemptKey(attempt)),
    take: (attempt, record, room = null) =>
      record.kind === 'begun' ? withLock(folder, () => begin(attempt, record, room)) : create(attempt, record),
    noteProcess: (attempt, mark) => replaceFile(folder, `${attemptKey(attempt)}.process`, mark),
    claimRun: (attempt, mark) => createOnce(folder, `${attemptKey(attempt)}.run`, mark),
    find: async (key) => (ENTRY_NAME.test(key) ? readEntry(folder, key) : null),
    async end(attempt, ended) {
      const name = `${attemptKey(attempt)}.result`;
      if (await createOnce(folder, name, { ...ended, written: clock.instant() })) return ended;
      const { written: _, ...first } = parsed(endRecord, await readWhole(folder, name), name);
      return first;
    },
    unfinished: () => readUnfinished(folder),
    floor: async () => (await readFloor(folder)).floor,
    async prune() {
      const read = (name: string): Promise<Entry | null> => readEntry(folder, name);
      const old = await prunable(folder, read, limits, clock);
      if (old.length > 0)
        await withLock(folder, async () => {
          const before = await readFloor(folder);
          const floor = Math.max(before.floor, ...old.map((entry) => entry.beginBy));
          await replaceFile(folder, FLOOR, { ...before, floor });
          for (const { name } of old) await drop(folder, name);
        });
      await dropLeftovers(folder);
      size = (await entryNames(folder)).length;
    },
    size: () => size,
  };
}

const folderIn = (stateDir: string): string => join(stateDir, 'ledger');

const tooOld = (): RefusalError =>
  new RefusalError('grant_used', 'the order is older than what this host still has on record, and may have been used');
const overtaken = (): RefusalError =>
  new RefusalError('grant_expired', 'orders were taken here that had been signed after this one had to begin');

const entryNames = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => ENTRY_NAME.test(name));

/** A host that has done nothing yet has no ledger. */
async function listed(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    if (code === 'ENOENT') return [];
    throw new LedgerError(`cannot read the ledger ${folder} (${code})`, { cause: error });
  }
}

async function readEntry(folder: string, name: string): Promise<Entry | null> {
  const value = await readWhole(folder, name);
  if (value === undefined) return null;
  const record = parsed(beginRecord, value, name);
  if (attemptKey(record.attempt) !== name)
    throw new LedgerError(`${join(folder, name)} is damaged: it speaks of another attempt`);
  if (record.kind === 'refused') return { kind: 'refused', record };
  const [mark, runner, ended] = await Promise.all(
    ['process', 'run', 'result'].map((kind) => readWhole(folder, `${name}.${kind}`)),
  );
  return {
    kind: 'begun',
    record,
    process: mark === undefined ? null : parsed(markRecord, mark, `${name}.process`),
    runner: runner === undefined ? null : parsed(markRecord, runner, `${name}.run`),
    ended: ended === undefined ? null : parsed(endRecord, ended, `${name}.result`),
  };
}

async function readUnfinished(folder: string): Promise<BegunEntry[]> {
  const names = new Set(await readdir(folder));
  const found: BegunEntry[] = [];
  for (const name of names) {
    if (!ENTRY_NAME.test(name) || names.has(`${name}.result`)) continue;
    const entry = await readEntry(folder, name).catch(() => null);
    if (entry?.kind !== 'begun' || entry.ended !== null) continue;
    found.push(entry);
  }
  return found;
}

/** So many files are read before other work gets its turn. */
const AT_A_STRETCH = 200;

/** Everything of a ledger that has begun, without opening it for writing. @throws LedgerError when any cannot be read: what is not counted must not pass */
export async function readBegun(stateDir: string, clock: BootClock): Promise<BegunAction[]> {
  const folder = folderIn(stateDir);
  const names = new Set(await listed(folder));
  const { boot } = clock.instant();
  const found: BegunAction[] = [];
  let read = 0;
  for (const name of names) {
    if (!ENTRY_NAME.test(name)) continue;
    if ((read += 1) % AT_A_STRETCH === 0) await setImmediate();
    const value = readWholeNow(folder, name);
    const record = value === undefined ? null : parsed(beginRecord, value, name);
    if (record?.kind !== 'begun') continue;
    const { action, args, at, written } = record;
    const atWork = !names.has(`${name}.result`) && (written?.boot ?? boot) === boot;
    found.push({ action, args, ageMs: ageOf(clock, at, written), atWork });
  }
  return found;
}

/** The folder is this user's alone: who else could write there could make the host forget. */
async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = await lstat(folder);
    if (!found.isDirectory()) throw new Error('it is no folder');
    if (found.uid !== process.geteuid?.()) throw new Error(`it belongs to uid ${found.uid}`);
    await chmod(folder, 0o700);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new LedgerError(`cannot use ${folder} as the ledger's folder (${why}); the agent must own its state_dir`, {
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

async function readFloor(folder: string): Promise<{ floor: number; newest?: number | undefined }> {
  const value = await readWhole(folder, FLOOR);
  return value === undefined ? { floor: 0 } : parsed(floorRecord, value, FLOOR);
}

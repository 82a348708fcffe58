import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ageOf, type BootClock } from './boot-clock.ts';
import { isTemporary, LedgerError } from './durable-file.ts';
import type { Entry } from './ledger.ts';
import { ENTRY_NAME } from './ledger-records.ts';

export type LedgerLimits = {
  /** Ended attempts are kept at least this long. */
  readonly keepMs: number;
  /** Above this many the oldest go earlier, but none before `keepLeastMs`. */
  readonly maxEntries: number;
  readonly keepLeastMs: number;
  /** So many fill the ledger: nothing more is taken. */
  readonly fullAt: number;
};
const HOUR = 3_600_000;
export const DEFAULT_LIMITS: LedgerLimits = {
  keepMs: 30 * 24 * HOUR,
  maxEntries: 20_000,
  keepLeastMs: HOUR,
  fullAt: 60_000,
};

export type Prunable = { readonly name: string; readonly beginBy: number };

/**
 * Which entries may go. Their age is that of a clock that is not stepped, where they are of this boot. Older ones have the host's clock
 * only, and wait until it has had `keepLeastMs` to be set right after the boot.
 */
export async function prunable(
  folder: string,
  read: (name: string) => Promise<Entry | null>,
  limits: LedgerLimits,
  clock: BootClock,
): Promise<Prunable[]> {
  const names = (await readdir(folder)).filter((name) => ENTRY_NAME.test(name));
  const closed: (Prunable & { readonly age: number })[] = [];
  for (const name of names) {
    const entry = await read(name).catch(() => null);
    const end = entry === null ? null : endOf(entry);
    if (entry === null || end === null) continue;
    const { beginBy } = entry.record;
    // Signed for a time far ahead: the floor must not be raised so high, nor the refusal be forgotten.
    if (beginBy > end.at + HOUR || beginBy >= clock.now()) continue;
    if (end.written?.boot !== clock.instant().boot && clock.instant().uptime < limits.keepLeastMs) continue;
    closed.push({ name, beginBy, age: ageOf(clock, end.at, end.written) });
  }
  closed.sort((a, b) => b.age - a.age);
  const surplus = names.length - limits.maxEntries;
  return closed.filter(({ age }, index) => age > limits.keepMs || (index < surplus && age > limits.keepLeastMs));
}

function endOf(entry: Entry) {
  if (entry.kind === 'refused') return { at: entry.record.at, written: entry.record.written };
  return entry.ended === null ? null : { at: entry.ended.to, written: entry.ended.written };
}

/** The deciding file goes first: from then on the floor refuses what it refused. */
export async function drop(folder: string, name: string): Promise<number> {
  const gone = await remove(join(folder, name));
  await remove(join(folder, `${name}.process`));
  await remove(join(folder, `${name}.run`));
  await remove(join(folder, `${name}.result`));
  return gone ? 1 : 0;
}

/** What a crash left behind: side files without their entry; temporary files, and locks of those who break locks, too old to be somebody's at work. */
export async function dropLeftovers(folder: string): Promise<void> {
  const names = new Set(await readdir(folder));
  for (const name of names) {
    if ((isTemporary(name) || name.startsWith('lock.')) && (await fileAge(join(folder, name))) > HOUR)
      await remove(join(folder, name));
    const owner = name.replace(/\.(?:process|run|result)$/, '');
    if (owner !== name && ENTRY_NAME.test(owner) && !names.has(owner)) await remove(join(folder, name));
  }
}

async function fileAge(path: string): Promise<number> {
  const found = await stat(path).catch(() => null);
  return found === null ? 0 : Date.now() - found.mtimeMs;
}

async function remove(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    if (code === 'ENOENT') return false;
    throw new LedgerError(`cannot remove ${path} (${code})`, { cause: error });
  }
}

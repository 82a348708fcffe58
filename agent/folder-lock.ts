import { randomUUID } from 'node:crypto';
import { link, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { hostClock } from './boot-clock.ts';
import { LedgerError, TEMPORARY } from './durable-file.ts';
import { isRunning, ownProcess } from './procfs.ts';

/** Whoever holds it longer is stuck, and what waits for it refuses. */
const WAIT_MS = 10_000;
const LOCK = 'lock';

const holder = z.object({
  id: z.string().regex(/^[0-9a-z-]{1,64}$/),
  boot: z.string(),
  owner: z.object({ pid: z.number().int(), startTime: z.number().int() }),
});
type Holder = z.infer<typeof holder>;

/** Work of this process that waits for the lock of a folder, one after the other. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Runs `work` while no other process on this host runs its own for the same folder. A process that died with the lock holds it no
 * longer. @throws LedgerError when the lock cannot be had
 */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(folder) ?? Promise.resolve();
  const mine = before.catch(() => undefined).then(() => holding(folder, LOCK, work));
  queues.set(folder, mine);
  try {
    return await mine;
  } finally {
    if (queues.get(folder) === mine) queues.delete(folder);
  }
}

async function holding<T>(folder: string, name: string, work: () => Promise<T>): Promise<T> {
  await acquire(folder, name);
  try {
    return await work();
  } finally {
    await unlink(join(folder, name));
  }
}

async function acquire(folder: string, name: string): Promise<void> {
  const temporary = join(folder, `${TEMPORARY}${randomUUID()}`);
  const mine: Holder = { id: randomUUID(), boot: hostClock().instant().boot, owner: ownProcess() };
  const until = performance.now() + WAIT_MS;
  try {
    await writeFile(temporary, JSON.stringify(mine), { flag: 'wx', mode: 0o600 });
    while (!(await linked(temporary, join(folder, name)))) {
      const other = await readHolder(join(folder, name));
      if (other !== null && !lives(other, mine.boot)) await takeAway(folder, name, other);
      else if (performance.now() > until) throw new Error(`pid ${other?.owner.pid} has held it for long`);
      else await sleep(2 + Math.random() * 8);
    }
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new LedgerError(`cannot lock ${folder} (${why})`, { cause: error });
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** One that died in the middle of writing (with the whole host) is told apart by its inode. Null: gone meanwhile. */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    const found = holder.safeParse(jsonOf(await readFile(path, 'utf8')));
    if (found.success) return found.data;
    const { ino } = await stat(path);
    return { id: `ino-${ino}`, boot: '', owner: { pid: 0, startTime: 0 } };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const lives = (other: Holder, boot: string): boolean => other.boot === boot && isRunning(other.owner);

/**
 * Removes the lock of a dead holder and no other: whoever removes it holds a lock named after that holder meanwhile, so that a second
 * one who saw it dead finds it gone, and never the lock of the first.
 */
async function takeAway(folder: string, name: string, dead: Holder): Promise<void> {
  await holding(folder, `${LOCK}.${dead.id}`, async () => {
    const now = await readHolder(join(folder, name));
    if (now?.id === dead.id) await unlink(join(folder, name));
  });
}

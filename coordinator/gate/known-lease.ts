/**
 * The highest lease this coordinator ever saw, kept on disk: sent with each batch, so that a gate which lost its memory (reset, restored from
 * a backup) pauses itself instead of deciding twice (docs/protocol.md §9.3).
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { LeaseRef } from '../../workflows/gate/operations.ts';

export type KnownLease = {
  readonly highest: () => LeaseRef;
  readonly saw: (lease: LeaseRef) => void;
  /** Waits until what was seen is on disk. */
  readonly flush: () => Promise<void>;
};

export class KnownLeaseError extends Error {
  override readonly name = 'KnownLeaseError';
}

/** @throws KnownLeaseError when the record is damaged */
export async function openKnownLease(stateDir: string, domain: string, log: Logger): Promise<KnownLease> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const file = join(stateDir, `gate-${domain}.json`);
  let highest = await read(file);
  let written = highest;
  let writing: Promise<void> = Promise.resolve();
  const write = async (): Promise<void> => {
    if (written === highest) return;
    const value = highest;
    await replaceFile(file, JSON.stringify(value));
    written = value;
  };
  const flush = (): Promise<void> => {
    writing = writing
      .then(write)
      .catch((error: unknown) => log.error({ error, file }, 'cannot record the highest lease seen'));
    return writing;
  };
  return {
    highest: () => highest,
    saw: (lease) => {
      if (lease[0] < highest[0] || (lease[0] === highest[0] && lease[1] <= highest[1])) return;
      highest = lease;
      void flush();
    },
    flush,
  };
}

async function read(file: string): Promise<LeaseRef> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [0, 0];
    throw error;
  }
  const [, epoch, n] = /^\[(\d{1,15}),(\d{1,15})\]$/.exec(text.trim()) ?? [];
  if (epoch !== undefined && n !== undefined) return [Number(epoch), Number(n)];
  throw new KnownLeaseError(
    `${file} is damaged: it must hold [epoch,number]; remove it only when you know that the gate has lost nothing`,
  );
}

async function replaceFile(file: string, text: string): Promise<void> {
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

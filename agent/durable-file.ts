import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from './digest.ts';

/** Files of the ledger: written whole, fsynced with their folder, and recognised when damaged. */

export class LedgerError extends Error {
  override readonly name = 'LedgerError';
}

export const TEMPORARY = '.new-';
export const isTemporary = (name: string): boolean => name.startsWith(TEMPORARY);

/**
 * Creates `name` with this content unless it exists: of several at once, one wins. Durable when it resolves to true.
 * A file appears under its name only when whole, so a crash never leaves half a record.
 * @throws LedgerError when it cannot be made durable.
 */
export async function createOnce(folder: string, name: string, value: unknown): Promise<boolean> {
  return writing(folder, name, async () => {
    const temporary = await writeTemporary(folder, value);
    try {
      await link(temporary, join(folder, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      await unlink(temporary);
    }
    await syncFolder(folder);
    return true;
  });
}

/** @throws LedgerError when it cannot be made durable. */
export async function replaceFile(folder: string, name: string, value: unknown): Promise<void> {
  await writing(folder, name, async () => {
    const temporary = await writeTemporary(folder, value);
    try {
      await rename(temporary, join(folder, name));
    } catch (error) {
      await unlink(temporary);
      throw error;
    }
    await syncFolder(folder);
  });
}

/** Undefined when there is no such file. @throws LedgerError when it cannot be read or is not what was written. */
export async function readWhole(folder: string, name: string): Promise<unknown> {
  try {
    return checked(folder, name, await readFile(join(folder, name), 'utf8'));
  } catch (error) {
    return absent(folder, name, error);
  }
}

/** The same, for reading very many: ten times as fast. @throws LedgerError */
export function readWholeNow(folder: string, name: string): unknown {
  try {
    return checked(folder, name, readFileSync(join(folder, name), 'utf8'));
  } catch (error) {
    return absent(folder, name, error);
  }
}

function absent(folder: string, name: string, error: unknown): undefined {
  if (error instanceof LedgerError) throw error;
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw new LedgerError(`cannot read ${join(folder, name)} (${codeOf(error)})`, { cause: error });
}

function checked(folder: string, name: string, text: string): unknown {
  const newline = text.indexOf('\n');
  const body = text.slice(newline + 1);
  if (newline === -1 || sha256(body) !== text.slice(0, newline)) {
    throw new LedgerError(`${join(folder, name)} is damaged: its digest does not match its content`);
  }
  return JSON.parse(body);
}

async function writing<T>(folder: string, name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw new LedgerError(`cannot write ${join(folder, name)} (${codeOf(error)})`, { cause: error });
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'error';

async function writeTemporary(folder: string, value: unknown): Promise<string> {
  const path = join(folder, `${TEMPORARY}${randomUUID()}`);
  const body = JSON.stringify(value);
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(`${sha256(body)}\n${body}`);
    await file.sync();
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await file.close();
  }
  return path;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

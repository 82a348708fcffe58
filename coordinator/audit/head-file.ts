/**
 * Where this coordinator's chain stands, beside its other state: so that the chain goes on when the file was moved away or cut while nobody
 * wrote, and so that such a cut shows.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Head } from './chain.ts';

/** Null when there is none, or it cannot be understood. */
export async function readHead(file: string): Promise<Head | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [, seq, hash] = /^\{"seq":(\d{1,15}),"hash":"([A-Za-z0-9_-]{43})"\}\s*$/.exec(text) ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash };
}

export async function writeHead(file: string, { seq, hash }: Head): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, `${JSON.stringify({ seq, hash })}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Every secret value of this host, for striking them out of what is written down; each longer line of one as well, since logs break
 * keys into lines. Empty without a folder. @throws Error when the folder is there and cannot be read: then nothing can be struck out
 */
export async function everySecret(secretsDir: string | null): Promise<readonly Buffer[]> {
  if (secretsDir === null) return [];
  const values = new Set<string>();
  for (const entry of await namesIn(secretsDir)) {
    const text = (await readFile(join(secretsDir, entry))).toString('latin1').trim();
    const lines = text.split(/\r?\n/).filter((line) => line.length >= LINE);
    for (const value of [text, ...lines]) if (value.length >= SHORTEST) values.add(value);
  }
  return [...values].toSorted((a, b) => b.length - a.length).map((value) => Buffer.from(value, 'latin1'));
}
/** Anything shorter is no secret, and would blacken half of every text. */
const SHORTEST = 4;
const LINE = 16;

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}

/** Byte by byte, whatever the text's encoding. */
export function withoutSecretBytes(content: Buffer, secrets: readonly Buffer[]): Buffer {
  if (!secrets.some((secret) => content.includes(secret))) return content;
  const text = secrets.reduce(
    (now, secret) => now.replaceAll(secret.toString('latin1'), '[secret]'),
    content.toString('latin1'),
  );
  return Buffer.from(text, 'latin1');
}

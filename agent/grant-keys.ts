import { readFile } from 'node:fs/promises';

/** @throws Error naming the file that cannot be read. */
export const readGrantKeys = (files: readonly string[]): Promise<string[]> => Promise.all(files.map(readGrantKey));

async function readGrantKey(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new Error(`cannot read the grant key ${file} (${code}); copy the coordinators' public key there`, {
      cause: error,
    });
  }
}

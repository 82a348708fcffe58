import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.ts';

/** Every file of the checkout that git keeps or would keep, in order, relative to the checkout. */
export async function projectFiles(): Promise<string[]> {
  const argv = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const { stdout } = await promisify(execFile)('git', argv, { cwd: ROOT, maxBuffer: 64 << 20 });
  const files = stdout.split('\0').filter((file) => file !== '' && existsSync(path.join(ROOT, file)));
  return files.toSorted();
}

/** The TypeScript among them. */
export const sourceFiles = async (): Promise<string[]> => (await projectFiles()).filter((file) => file.endsWith('.ts'));

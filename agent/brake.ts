import { lstat } from 'node:fs/promises';
import { RefusalError } from './refusal.ts';

/**
 * The host's own off switch: while the file exists nothing new begins, whatever any coordinator signed. A file that cannot be
 * looked at counts as there.
 * @throws RefusalError `brake`
 */
export async function checkBrake(file: string): Promise<void> {
  try {
    await lstat(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return;
    throw new RefusalError('brake', `cannot tell whether the brake file ${file} exists (${code ?? 'error'})`, error);
  }
  throw new RefusalError('brake', `this host is braked: ${file} exists; remove it to let remedies run here again`);
}

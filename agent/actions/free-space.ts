import { statfs } from 'node:fs/promises';

export type FreeSpace = { readonly freeBytes: number; readonly totalBytes: number; readonly freePercent: number };

/** What is left for ordinary users, as df(1) counts it. @throws Error when there is no such path */
export async function freeSpace(path: string): Promise<FreeSpace> {
  const { bsize, blocks, bfree, bavail } = await statfs(path);
  const usable = blocks - bfree + bavail;
  const freePercent = usable === 0 ? 0 : Math.floor((1000 * bavail) / usable) / 10;
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freePercent };
}

export const spaceFacts = (prefix: 'before_' | 'after_', space: FreeSpace): Record<string, number> => ({
  [`${prefix}free_bytes`]: space.freeBytes,
  [`${prefix}free_percent`]: space.freePercent,
});

import { readdir, readFile, readlink, stat } from 'node:fs/promises';

/** Device and inode, as one key. */
export const fileKey = ({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string => `${dev}:${ino}`;

/**
 * Those of `files` that a process of this host has open. Deleting such a file frees nothing before it is closed, and takes it from a
 * process that still works with it. A process that may not be looked at (this one is not root) counts as having none open; a file
 * that is mapped into memory and closed is not seen.
 */
export async function openAmong(
  files: readonly { readonly dev: bigint; readonly ino: bigint }[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const wanted = new Set(files.map(fileKey));
  const inodes = new Set(files.map(({ ino }) => ino.toString()));
  const open = new Set<string>();
  if (wanted.size === 0) return open;
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    signal.throwIfAborted();
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const key = await openFile(pid, fd, inodes).catch(() => null);
      if (key !== null && wanted.has(key)) open.add(key);
    }
  }
  return open;
}

/** Asks the file itself only when its inode is one in question: a look at a file of a server that has gone would never return. */
async function openFile(pid: string, fd: string, inodes: ReadonlySet<string>): Promise<string | null> {
  if (!(await readlink(`/proc/${pid}/fd/${fd}`)).startsWith('/')) return null;
  const inode = /^ino:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1];
  // Kernels before 5.14 do not say it.
  if (inode !== undefined && !inodes.has(inode)) return null;
  return fileKey(await stat(`/proc/${pid}/fd/${fd}`, { bigint: true }));
}

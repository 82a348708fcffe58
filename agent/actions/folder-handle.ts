/**
 * Folders held open, for work in trees that somebody hostile may write to. A path is looked up anew each time, and each look-up can
 * be led elsewhere by whoever owns a folder on the way; a handle cannot. So every step down is one name within an open folder, no
 * step follows a symbolic link, and what is reached is told by device, inode and mount, never by its path.
 */
import { constants, type BigIntStats, type Dir } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readFile, unlink } from 'node:fs/promises';

export type FolderId = { readonly dev: bigint; readonly ino: bigint };

export type Folder = AsyncDisposable & {
  readonly id: FolderId;
  /** The mount that it stands in: a bind mount has the device of its source, and another mount id. */
  readonly mount: number;
  /** A path that leads to this very folder, wherever it may have been moved to. For as long as it is open. */
  readonly path: string;
  readonly entries: () => Promise<Dir>;
  /** Of what stands there itself, were it a symbolic link. @throws ENOENT and its like */
  readonly look: (name: Buffer) => Promise<BigIntStats>;
  /** Takes a name away that is no folder's. @throws EISDIR, EBUSY and their like */
  readonly remove: (name: Buffer) => Promise<void>;
  /** @throws ENOTDIR or ELOOP when it is no folder, ENOENT */
  readonly enter: (name: Buffer) => Promise<Folder>;
};

// O_NONBLOCK: what was a folder when it was listed may be a pipe by now, and opening one waits.
const FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Steps down to an absolute path from `/`. @throws ELOOP or ENOTDIR when a part of it is a symbolic link or no folder */
export async function openFolder(path: string): Promise<Folder> {
  let folder = await holding(await open('/', FLAGS));
  for (const name of path.split('/').filter((part) => part !== '')) {
    const parent = folder;
    try {
      folder = await parent.enter(Buffer.from(name));
    } finally {
      await parent[Symbol.asyncDispose]();
    }
  }
  return folder;
}

async function holding(handle: FileHandle): Promise<Folder> {
  try {
    const { dev, ino } = await handle.stat({ bigint: true });
    const path = `/proc/self/fd/${handle.fd}`;
    const within = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${path}/`), checkedName(name)]);
    return {
      id: { dev, ino },
      mount: await mountOf(handle),
      path,
      entries: () => opendir(path, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 }),
      look: (name) => lstat(within(name), { bigint: true }),
      remove: (name) => unlink(within(name)),
      enter: async (name) => holding(await open(within(name), FLAGS)),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** One name, never a way through several. */
function checkedName(name: Buffer): Buffer {
  const text = name.toString('latin1');
  if (text === '' || text === '.' || text === '..' || /[/\0]/.test(text)) throw new Error('is no name within a folder');
  return name;
}

async function mountOf(handle: FileHandle): Promise<number> {
  const id = /^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8'))?.[1];
  if (id === undefined) throw new Error('the kernel does not say which mount a folder stands in');
  return Number(id);
}

export const sameFolder = (a: FolderId, b: FolderId): boolean => a.dev === b.dev && a.ino === b.ino;

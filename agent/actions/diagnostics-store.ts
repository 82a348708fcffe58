import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Folder, openFolder } from './folder-handle.ts';

export type Stored = { readonly path: string; readonly sha256: Buffer; readonly pruned: number };
export const STORE_BOUNDS = { bundles: 20, bytes: 256 * 1024 * 1024 };
type Bounds = typeof STORE_BOUNDS;

/** Names sort by time. */
const BUNDLE = /^fettle-\d{8}T\d{9}Z-.*\.tar\.gz$/;

/**
 * Keeps a bundle where root alone can read it, and no more of them than the bounds say: the oldest go. Everything happens within one
 * folder held open: whoever owns the folder above cannot lead it elsewhere. @throws Error with a `code`
 */
export async function storeBundle(
  folder: string,
  about: string,
  { bundle, at, bounds = STORE_BOUNDS }: { bundle: Buffer; at: Date; bounds?: Bounds },
): Promise<Stored> {
  await using held = await ownFolder(folder);
  const stamp = at.toISOString().replaceAll(/[-:.]/g, '');
  const subject = about.replaceAll(/[^A-Za-z0-9_.@-]/g, '_').slice(0, 100);
  const name = `fettle-${stamp}-${subject}-${randomBytes(4).toString('hex')}.tar.gz`;
  try {
    await write(join(held.path, name), bundle);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    // On a full disk what is wanted is the bundle of now.
    await prune(held.path, null, { bundles: 0, bytes: 0 });
    await write(join(held.path, name), bundle);
  }
  const pruned = await prune(held.path, name, bounds);
  return { path: join(folder, name), sha256: createHash('sha256').update(bundle).digest(), pruned };
}

async function ownFolder(folder: string): Promise<Folder> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const held = await openFolder(folder).catch(() => null);
  if (held !== null && (await stat(held.path)).uid === process.getuid?.()) {
    await chmod(held.path, 0o700);
    return held;
  }
  await held?.[Symbol.asyncDispose]();
  throw new Error(`${folder} is no folder of the user that collects; remove it, or name another as diagnostics_dir`);
}

async function write(path: string, bundle: Buffer): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const file = await open(partial, 'wx', 0o600);
    try {
      await file.writeFile(bundle);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Also what a run that died left half written: changing actions come one at a time. */
async function prune(folder: string, newest: string | null, bounds: Bounds): Promise<number> {
  const names = (await readdir(folder)).toSorted().toReversed();
  for (const name of names) if (name.endsWith('.partial')) await rm(join(folder, name), { force: true });
  let [count, bytes, pruned] = [0, 0, 0];
  for (const name of names.filter((candidate) => BUNDLE.test(candidate))) {
    count += 1;
    bytes += (await lstat(join(folder, name))).size;
    if (name === newest || (count <= bounds.bundles && bytes <= bounds.bytes)) continue;
    await rm(join(folder, name), { force: true });
    pruned += 1;
  }
  return pruned;
}

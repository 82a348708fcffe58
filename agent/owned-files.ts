import { lstat, readdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Stats } from 'node:fs';
import type { Problem } from '../config/problem.ts';

/** Who may have the last word about a file that bounds this host: root, and outside of root's processes also this very user. */
export type Trust = { readonly uid: number };
const ownTrust = (): Trust => ({ uid: process.geteuid?.() ?? 0 });

/** `place` is the file or folder at fault. */
export type OwnershipFault = { readonly place: string; readonly message: string };

/**
 * What lets others than the host's administrator change this file, and what to type against it; null when nothing does. A link is
 * judged with what it leads to, which must lie in `within` if given. What does not exist has no fault here.
 */
export async function ownershipFault(
  file: string,
  within?: string,
  trust = ownTrust(),
): Promise<OwnershipFault | null> {
  const path = resolve(file);
  try {
    const real = await realpath(path);
    if (within !== undefined && !`${real}/`.startsWith(`${await realpath(within)}/`))
      return { place: path, message: `is a link that leads out of ${within}, to ${real}; put the file itself there` };
    const places = new Set([real, ...foldersOf(real, trust), ...foldersOf(path, trust)]);
    for (const place of places) {
      const message = faultOf(place, await lstat(place), trust);
      if (message !== null) return { place, message: place === path ? message : `${message} (it leads to ${path})` };
    }
    return null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    return code === 'ENOENT'
      ? null
      : { place: path, message: `cannot be looked at (${code}), so nobody knows who may change it` };
  }
}

/** Only root's processes look further up than the next folder: elsewhere homes are as their owners like them. */
function foldersOf(path: string, { uid }: Trust): string[] {
  const folders = [dirname(path)];
  if (uid === 0) while (folders.at(-1) !== '/') folders.push(dirname(folders.at(-1)!));
  return folders;
}

function faultOf(path: string, found: Stats, { uid }: Trust): string | null {
  if (found.isSymbolicLink()) return null;
  if (found.uid !== 0 && found.uid !== uid)
    return `belongs to uid ${found.uid}; type: chown ${uid === 0 ? 'root' : 'root (or the user of the agent)'} ${path}`;
  const sticky = found.isDirectory() && (found.mode & 0o1000) !== 0;
  if ((found.mode & 0o022) === 0 || sticky) return null;
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  return `can be changed by others (mode ${mode}); type: chmod go-w ${path}`;
}

/** Faults of files, and of folders with what lies directly in them, as problems of a configuration. */
export async function ownershipProblems(
  files: readonly string[],
  folders: readonly string[],
  trust = ownTrust(),
): Promise<readonly Problem[]> {
  const inFolders = await Promise.all(folders.map(async (folder) => [folder, ...(await membersOf(folder))]));
  const faults = await Promise.all([
    ...files.map((file) => ownershipFault(file, undefined, trust)),
    ...folders.flatMap((folder, index) =>
      inFolders[index]!.map((path) => ownershipFault(path, path === folder ? undefined : folder, trust)),
    ),
  ]);
  const found = new Map(faults.filter((fault) => fault !== null).map((fault) => [fault.place, fault.message]));
  return [...found].map(([file, message]) => ({
    place: { file, line: 1, column: 1 },
    path: '',
    severity: 'error',
    message,
  }));
}

const membersOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).map((name) => join(folder, name));

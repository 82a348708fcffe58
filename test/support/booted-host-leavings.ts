/** What a booted host has outside its own namespaces: a folder and cgroups, both named by the process they belong to. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const PREFIX = 'fettle-host-';
const CGROUPS = '/sys/fs/cgroup';

export type HostPlace = {
  readonly id: string;
  readonly dir: string;
  /** Differs between all hosts that run at once. */
  readonly number: number;
};

export async function placeOf(pid: number, count: number): Promise<HostPlace> {
  const id = `${PREFIX}${pid}-${count}`;
  const dir = path.join(tmpdir(), id);
  await mkdir(dir, { mode: 0o700 });
  return { id, dir, number: pid * 16 + (count % 16) };
}

/** One folder in each cgroup hierarchy that systemd manages: the unified one, or its own beside it (hybrid). */
export async function cgroupsOf(id: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8')).split('\n');
  const hybrid = lines.some((line) => line.includes(':name=systemd:'));
  const roots = hybrid ? [`${CGROUPS}/systemd`, `${CGROUPS}/unified`] : [CGROUPS];
  return roots.filter((root) => existsSync(root)).map((root) => path.join(root, id));
}

export async function makeCgroups(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await mkdir(folder, { recursive: true });
}

/**
 * Removes what is left of one host, or else of every host whose process is gone.
 * @returns the ids of the hosts of which something was left
 */
export async function sweep(only?: string): Promise<string[]> {
  const swept = new Set<string>();
  for (const parent of [tmpdir(), CGROUPS, `${CGROUPS}/systemd`, `${CGROUPS}/unified`]) {
    const names = await readdir(parent).catch(() => []);
    for (const name of names.filter((each) => (only === undefined ? isOrphan(each) : each === only))) {
      swept.add(name);
      await (parent === tmpdir()
        ? rm(path.join(parent, name), { recursive: true, force: true, maxRetries: 3 })
        : removeCgroup(path.join(parent, name)));
    }
  }
  return [...swept];
}

function isOrphan(name: string): boolean {
  const pid = /^fettle-host-(\d+)-\d+$/.exec(name)?.[1];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}

/** Folders only, the deepest first; the kernel refuses one in which a process still ends, and the next sweep takes it. */
async function removeCgroup(folder: string): Promise<void> {
  const inside = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of inside) if (entry.isDirectory()) await removeCgroup(path.join(folder, entry.name));
  await rmdir(folder).catch(() => {});
}

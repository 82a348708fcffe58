import { readFile, statfs } from 'node:fs/promises';

export type Disk = {
  readonly mount: string;
  readonly type: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** What is left for ordinary users, as df(1) counts it. */
  readonly freePercent: number;
  /** Null where the file system has no fixed number of them. */
  readonly freeInodesPercent: number | null;
};

/** File systems of the kernel's own making, and those that a server far away could keep waiting. */
const LEFT_OUT =
  /^(?:proc|sysfs|cgroup2?|devpts|devtmpfs|mqueue|hugetlbfs|debugfs|tracefs|securityfs|pstore|bpf|configfs|fusectl|binfmt_misc|rpc_pipefs|efivarfs|ramfs|nsfs|autofs|squashfs|iso9660|nfs4?|cifs|smb3|smbfs|ceph|glusterfs|lustre|9p|afs|fuse\..*)$/;

/** Every local file system once, under its shortest mount point. Those that do not answer are left out. */
export async function mountedDisks(): Promise<Disk[]> {
  const mounts = localMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  const disks = await Promise.all(mounts.map((mount) => measured(mount).catch(() => null)));
  return disks.filter((disk) => disk !== null && disk.totalBytes > 0) as Disk[];
}

/** What systemd puts over a folder that a unit is not to see, e.g. over /home with ProtectHome=; in containers it has another place. */
const HIDDEN = /\/inaccessible\/(?:dir|reg|fifo|sock|chr|blk)$/;

/** Whether this process' own unit keeps it from what lies at a path: its figures would be those of something else. */
export async function isHidden(path: string): Promise<boolean> {
  const mounts = hiddenMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  return mounts.some((mount) => path === mount || path.startsWith(`${mount}/`));
}

export const hiddenMounts = (mountinfo: string): string[] =>
  mountinfo.split('\n').flatMap((line) => {
    const [, , , root, point] = line.split(' ');
    return root !== undefined && HIDDEN.test(root) && point !== undefined ? [unescaped(point)] : [];
  });

type Mount = { readonly mount: string; readonly type: string };

/** proc(5): number, parent, device, root, mount point, options, tags, a dash, type. */
export function localMounts(mountinfo: string): Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , device, root, point] = before.split(' ');
    const [type] = after.split(' ');
    if (device === undefined || point === undefined || type === undefined || LEFT_OUT.test(type)) continue;
    if (root !== undefined && HIDDEN.test(root)) continue;
    const mount = unescaped(point);
    const known = byDevice.get(device);
    if (known === undefined || mount.length < known.mount.length) byDevice.set(device, { mount, type });
  }
  return [...byDevice.values()].toSorted((a, b) => a.mount.localeCompare(b.mount));
}

const unescaped = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

async function measured({ mount, type }: Mount): Promise<Disk> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(mount);
  const usable = blocks - bfree + bavail;
  return {
    mount,
    type,
    totalBytes: blocks * bsize,
    freeBytes: bavail * bsize,
    freePercent: usable === 0 ? 0 : Math.floor((1000 * bavail) / usable) / 10,
    freeInodesPercent: files === 0 ? null : Math.floor((1000 * ffree) / files) / 10,
  };
}

/** The disk that a path is on, by the longest mount point above it. */
export function diskOf(disks: readonly Disk[], path: string): Disk | undefined {
  const above = disks.filter(({ mount }) => mount === '/' || path === mount || path.startsWith(`${mount}/`));
  return above.toSorted((a, b) => b.mount.length - a.mount.length)[0];
}

/** What a bundle of `diagnostics.collect` is made of: programs that only read, and where their output goes. */
import { access, constants, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActionHost } from './action.ts';
import type { Capture } from './capture.ts';

export type Part = Capture & { readonly name: string };
export type Wanted = { readonly unit: string | null; readonly stack: boolean; readonly journalLines: number };

const MIB = 1024 * 1024;
const part = (name: string, argv: readonly string[], more: Partial<Capture> = {}): Part => ({
  name,
  argv,
  maxBytes: MIB,
  keep: 'head',
  timeoutMs: 10_000,
  ...more,
});

/** Names of processes, never their command lines: people put passwords there, and reading one of a wedged process hangs. */
const PS_COLUMNS = 'pid,ppid,user:20,stat,wchan:24,pcpu,pmem,rss,nlwp,etimes,comm';
const PROC = ['loadavg', 'uptime', 'meminfo', 'pressure/cpu', 'pressure/io', 'pressure/memory', 'vmstat', 'mounts'];

export const hostParts = (host: ActionHost, { journalLines }: Wanted): readonly Part[] => [
  part('host/processes.txt', [host.ps, '-eo', PS_COLUMNS, '--sort=-pcpu']),
  part(
    'host/kernel.txt',
    shownFiles(
      host,
      PROC.map((name) => `/proc/${name}`),
    ),
  ),
  // Local ones only: a file server that has gone would hold it up.
  part('host/disks.txt', [host.df, '--local', '--print-type', '--portability']),
  part('host/inodes.txt', [host.df, '--local', '--inodes']),
  part('host/sockets.txt', [host.ss, '--tcp', '--udp', '--all', '--numeric', '--processes', '--oneline']),
  part('host/dmesg.txt', [host.dmesg, '--ctime'], { keep: 'tail' }),
  part('host/failed-units.txt', [host.systemctl, '--no-pager', '--full', 'list-units', '--failed', '--all']),
  part('host/jobs.txt', [host.systemctl, '--no-pager', '--full', 'list-jobs']),
  part(
    'host/journal.txt',
    [
      host.journalctl,
      '--no-pager',
      '--boot',
      '--priority=warning',
      `--lines=${journalLines}`,
      '--output=short-precise',
    ],
    { keep: 'tail', maxBytes: 4 * MIB },
  ),
];

export const unitParts = (host: ActionHost, unit: string, { journalLines }: Wanted): readonly Part[] => [
  part('unit/status.txt', [host.systemctl, '--no-pager', '--full', '--lines=0', 'status', '--', unit]),
  part('unit/properties.txt', [host.systemctl, '--no-pager', 'show', `--property=${SHOWN.join(',')}`, '--', unit]),
  part(
    'unit/journal.txt',
    [host.journalctl, '--no-pager', `--unit=${unit}`, `--lines=${journalLines}`, '--output=short-precise'],
    { keep: 'tail', maxBytes: 4 * MIB },
  ),
];

/** Not its environment, which is where secrets live. */
const SHOWN = (
  'Id Names LoadState ActiveState SubState Result MainPID NRestarts ExecMainStatus ExecMainStartTimestamp ' +
  'StateChangeTimestamp FragmentPath DropInPaths ControlGroup TasksCurrent MemoryCurrent MemoryPeak MemoryMax ' +
  'CPUUsageNSec IOReadBytes IOWriteBytes OOMPolicy'
).split(' ');

const MOST_THREADS = 256;

/** Of one process: what the kernel knows, and with `stack` where each thread stands in its program. */
export async function processParts(host: ActionHost, pid: number, { stack }: Wanted): Promise<readonly Part[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => [String(pid)]);
  const files = (name: string): string[] =>
    tasks.slice(0, MOST_THREADS).map((task) => `/proc/${pid}/task/${task}/${name}`);
  const kernel = part(
    'unit/main-process.txt',
    shownFiles(host, [`/proc/${pid}/status`, `/proc/${pid}/limits`, ...files('wchan')]),
  );
  if (!stack) return [kernel];
  return [
    part('unit/stack-kernel.txt', shownFiles(host, files('stack').concat(files('syscall')))),
    kernel,
    part('unit/stack-program.txt', await stackCommand(host, pid), { timeoutMs: 20_000 }),
  ];
}

/** Stops the process for as long as it takes to read its stacks; killed on the way, it lets the process go on. */
async function stackCommand(host: ActionHost, pid: number): Promise<string[]> {
  const elfutils = await access(host.euStack, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (elfutils) return [host.euStack, `--pid=${pid}`, '-n', '100'];
  return [host.gdb, '-nx', '-batch', '-p', String(pid), '-ex', 'set pagination off', '-ex', 'thread apply all bt 100'];
}

/** Each file under its name. By a program, since a read that hangs would keep this process from ever ending. */
const shownFiles = ({ tail }: ActionHost, files: readonly string[]): string[] => [
  tail,
  '--lines=+1',
  '--verbose',
  '--',
  ...files,
];

/** From systemd, or from the kernel when systemd does not answer. Null when nothing of the unit runs. */
export async function mainPid(host: ActionHost, unit: string, show: () => Promise<string>): Promise<number | null> {
  const said = /^MainPID=(\d+)$/m.exec(await show())?.[1];
  if (said !== undefined) return Number(said) > 1 ? Number(said) : null;
  const processes = join(host.controlGroups, 'system.slice', unit, 'cgroup.procs');
  const first = Number((await readFile(processes, 'utf8').catch(() => '')).split('\n')[0]);
  return first > 1 ? first : null;
}

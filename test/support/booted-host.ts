/**
 * A Debian of its own, booted: real systemd, journal and D-Bus in a container of systemd-nspawn. Each host writes to a layer of
 * its own over the tree that set-up made (test/setup/debian.mjs), which outlives a power cut and ends with the test.
 *
 * A host cannot outlive its test, however that ends: its mounts are in a mount namespace of its own, its processes die with
 * whoever started them, and what then is left (a folder in /tmp, empty cgroups) the next host sweeps away.
 */
import { randomBytes } from 'node:crypto';
import { access, chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cannotBoot, DEBIAN_TREE } from '../setup/debian.mjs';
import { hostNetwork, type HostNetwork } from './booted-host-network.ts';
import { cgroupsOf, makeCgroups, placeOf, sweep } from './booted-host-leavings.ts';
import { eventually, runProcess, startProcess, type RunningProcess, type WaitOptions } from './processes.ts';

export type HostOptions = {
  /** Host name of the guest. */
  readonly name: string;
  /** 32 hex digits; default: drawn. Two hosts with one id are clones. */
  readonly machineId?: string;
  /** Files and folders of this machine that the guest sees. */
  readonly bind?: readonly Bind[];
  /** Folders with a file system of their own (tmpfs that outlives a power cut), by path: their size in bytes. */
  readonly disks?: Readonly<Record<string, number>>;
  /** A network of its own, joined to this machine by one link that can be cut; default: this machine's network. */
  readonly privateNetwork?: boolean;
};
type Bind = { readonly from: string; readonly to?: string; readonly writable?: boolean };

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type BootedHost = AsyncDisposable & {
  readonly name: string;
  readonly machineId: string;
  /** Null when the guest shares this machine's network. */
  readonly network: HostNetwork | null;
  /** Runs a program in the guest, as root unless `user` says otherwise. */
  readonly run: (argv: readonly string[], options?: { timeoutMs?: number; user?: string }) => Promise<Ran>;
  /** As `run`. @throws when it does not end with 0; @returns standard output */
  readonly sh: (...argv: string[]) => Promise<string>;
  /** Writes a file of the guest, also while it is off; folders above are made. */
  readonly write: (file: string, text: string, mode?: number) => Promise<void>;
  readonly read: (file: string) => Promise<string>;
  /** Lines of this boot and those before, of one unit or of all. */
  readonly journal: (unit?: string) => Promise<string>;
  /** Polls until a program of the guest ends with 0, or a condition holds. */
  readonly waitFor: (what: readonly string[] | (() => Promise<unknown>), wait?: WaitOptions) => Promise<void>;
  readonly bootId: () => Promise<string>;
  /** Ends everything in the guest at once; nothing is told. (What was written is kept also where it was not fsynced.) */
  readonly powerCut: () => Promise<void>;
  /** Boots again, on the same disk; also what the first boot did. @returns milliseconds until systemd was ready */
  readonly boot: () => Promise<number>;
  /** Waits until the guest, having rebooted by itself, runs under another boot id than this. */
  readonly rebooted: (since: string, timeoutMs?: number) => Promise<void>;
};

const BASE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const BOOT_TIMEOUT_MS = 60_000;
let count = 0;

/** Why tests that boot a host are left out here; null: they run. @throws in CI, where they must run */
export function hostsLeftOut(): string | null {
  const why = cannotBoot();
  if (why !== null && process.env['CI'] === 'true') throw new Error(`in CI hosts must boot: ${why}`);
  return why;
}

/** @throws with what systemd-nspawn said when the guest does not come up */
export async function bootHost(options: HostOptions): Promise<BootedHost> {
  await access(DEBIAN_TREE).catch((cause: unknown) => {
    throw new Error(`the Debian to boot is not there: ${DEBIAN_TREE}; run: npm run setup`, { cause });
  });
  await sweep();
  await using stack = new AsyncDisposableStack();
  const place = await placeOf(process.pid, (count += 1));
  stack.defer(async () => void (await sweep(place.id)));
  const machine = await openMachine(place, options, stack);
  const host = hostOf(machine, options);
  stack.defer(() => machine.off());
  await host.boot();
  const owned = stack.move();
  return Object.assign(host, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

type Place = Awaited<ReturnType<typeof placeOf>>;
type Machine = {
  readonly machineId: string;
  readonly network: HostNetwork | null;
  /** The guest's root as this machine sees it. */
  readonly root: () => Promise<string>;
  readonly on: () => Promise<void>;
  readonly off: () => Promise<void>;
  /** Pid of the guest's init. @throws while there is none */
  readonly leader: () => Promise<number>;
  readonly said: () => string;
};

async function openMachine(place: Place, options: HostOptions, stack: AsyncDisposableStack): Promise<Machine> {
  const machineId = options.machineId ?? randomBytes(16).toString('hex');
  const holder = await openHolder(stack);
  const inside = ['nsenter', `--target=${holder}`, '--mount', '--pid', '--'];
  const root = path.join(place.dir, 'root');
  await mountRoot(inside, place.dir, root);
  const disks = await mountDisks(inside, place.dir, options.disks ?? {});
  const seen = `/proc/${holder}/root${root}`;
  await writeFile(`${seen}/etc/machine-id`, `${machineId}\n`);
  await writeFile(`${seen}/etc/hostname`, `${options.name}\n`);
  await writeFile(`${seen}/etc/hosts`, `127.0.0.1 localhost ${options.name}\n`);
  const network = options.privateNetwork === true ? hostNetwork(place.number) : null;
  if (network !== null) stack.defer(() => network[Symbol.asyncDispose]());
  const cgroups = await cgroupsOf(place.id);
  const binds = [...(options.bind ?? []), ...disks].map(bindFlag);
  const argv = [...inside, ...IN_CGROUPS, ...cgroups, '--', ...nspawn(root, options.name), ...binds];
  let guest: RunningProcess | null = null;
  const leader = () => leaderOf(guest?.pid ?? null);
  const on = async (): Promise<void> => {
    await makeCgroups(cgroups);
    const started = startProcess([...DIES_WITH_US, ...argv, ...(network?.flags ?? [])], {
      name: `host ${options.name}`,
    });
    guest = started;
    void started.ended.then(({ code }) => (code === REBOOT && guest === started ? on() : null));
  };
  return {
    machineId,
    network,
    leader,
    said: () => guest?.output() ?? '',
    root: () =>
      leader().then(
        (pid) => `/proc/${pid}/root`,
        () => seen,
      ),
    on,
    off: async () => {
      const ending = guest;
      if (ending === null) return;
      await leader().then((pid) => process.kill(pid, 'SIGKILL'), nothing);
      const forced = setTimeout(() => void ending.kill(), 5_000);
      await ending.ended;
      clearTimeout(forced);
      guest = null;
    },
  };
}

/** systemd-nspawn ends with this when the guest wants to boot again. */
const REBOOT = 133;

const nothing = (): void => {};

/** The kernel ends what is started so when the process that started it ends, be it by SIGKILL. */
const DIES_WITH_US = ['setpriv', '--pdeathsig', 'KILL', '--'];

/** Each host in cgroups of its own: two systemd in one would end each other's processes. */
const IN_CGROUPS = [
  'sh',
  '-c',
  'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit 96; shift; done; shift; exec "$@"',
  'sh',
];

const NSPAWN_FLAGS =
  '--boot --register=no --keep-unit --console=pipe --link-journal=no --timezone=off --resolv-conf=off'.split(' ');

const nspawn = (root: string, name: string): string[] => [
  'systemd-nspawn',
  `--directory=${root}`,
  `--machine=${name}`,
  `--hostname=${name}`,
  ...NSPAWN_FLAGS,
];

const bindFlag = ({ from, to = from, writable = false }: Bind): string =>
  `${writable ? '--bind' : '--bind-ro'}=${from}:${to}`;

/**
 * The first process of the namespaces of mounts and of processes in which nspawn runs: when it ends, the kernel ends all in them,
 * the guest too, which would outlive nspawn.
 */
async function openHolder(stack: AsyncDisposableStack): Promise<number> {
  const apart = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  const holder = startProcess([...DIES_WITH_US, ...apart, 'sh', '-c', 'echo ready; exec sleep infinity']);
  stack.defer(async () => void (await holder.kill()));
  await holder.waitForLine('ready');
  const [pid] = await childrenOf(holder.pid);
  if (pid === undefined) throw new Error('unshare has no child');
  return pid;
}

const childrenOf = async (pid: number): Promise<number[]> =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).split(' ').filter(Boolean).map(Number);

/** A layer over the tree where the kernel can do that here, else a copy of it. */
async function mountRoot(inside: readonly string[], dir: string, root: string): Promise<void> {
  const [upper, work] = [path.join(dir, 'upper'), path.join(dir, 'work')];
  for (const folder of [upper, work, root]) await mkdir(folder, { recursive: true });
  // nspawn will not remove its folders from a /run that is on a disk; and none of it is to outlive the host.
  await must([...inside, 'mkdir', '-p', '/run/systemd/nspawn']);
  await must([...inside, 'mount', '-t', 'tmpfs', 'tmpfs', '/run/systemd/nspawn']);
  const layers = `lowerdir=${DEBIAN_TREE},upperdir=${upper},workdir=${work}`;
  const { code } = await runProcess([...inside, 'mount', '-t', 'overlay', '-o', layers, 'overlay', root]);
  if (code === 0) return;
  await must(['cp', '--archive', '--reflink=auto', `${DEBIAN_TREE}/.`, root]);
}

async function mountDisks(inside: readonly string[], dir: string, disks: Record<string, number>): Promise<Bind[]> {
  const binds: Bind[] = [];
  for (const [to, size] of Object.entries(disks)) {
    const from = path.join(dir, `disk-${binds.length}`);
    await mkdir(from);
    await must([...inside, 'mount', '-t', 'tmpfs', '-o', `size=${size},mode=0755`, 'tmpfs', from]);
    binds.push({ from, to, writable: true });
  }
  return binds;
}

async function must(argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProcess(argv);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}:\n${stderr}\n${stdout}`);
  return stdout;
}

/** The grandchild that is the first process of a pid namespace (nsenter's child is nspawn); it changes when the guest reboots. */
async function leaderOf(entered: number | null): Promise<number> {
  if (entered === null) throw new Error('the host is off');
  for (const nspawned of await childrenOf(entered)) {
    for (const child of await childrenOf(nspawned)) {
      const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
      if (/^NSpid:.*\t1$/m.test(status)) return child;
    }
  }
  throw new Error('the host has no init');
}

function hostOf(machine: Machine, { name }: HostOptions): Omit<BootedHost, typeof Symbol.asyncDispose> {
  const run: BootedHost['run'] = async (argv, { timeoutMs, user } = {}) => {
    const pid = await machine.leader();
    const network = machine.network === null ? [] : ['--net'];
    const enter = ['nsenter', `--target=${pid}`, '--mount', '--pid', '--uts', '--ipc', ...network, '--'];
    const clean = ['env', '-i', `PATH=${BASE_PATH}`, 'HOME=/root', 'LANG=C.UTF-8'];
    const as = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'];
    return runProcess([...enter, ...clean, ...as, ...argv], timeoutMs === undefined ? {} : { timeoutMs });
  };
  const bootId = async (): Promise<string> => (await run(['cat', '/proc/sys/kernel/random/boot_id'])).stdout.trim();
  const waitFor: BootedHost['waitFor'] = async (what, wait = {}) => {
    const holds = typeof what === 'function' ? what : async () => (await run(what)).code === 0;
    const text = wait.what ?? (typeof what === 'function' ? 'the condition' : what.join(' '));
    await eventually(holds, { everyMs: 100, ...wait, what: `${text} on ${name}` });
  };
  const up = async (timeoutMs: number): Promise<void> => {
    const ready = async () => (await run(['systemctl', 'is-active', '--quiet', 'basic.target'])).code === 0;
    try {
      await eventually(ready, { what: `${name} to be up`, timeoutMs, everyMs: 50 });
      await machine.network?.join(await machine.leader());
    } catch (cause) {
      throw new Error(`${name} did not boot; systemd-nspawn said:\n${machine.said()}`, { cause });
    }
  };
  return {
    name,
    machineId: machine.machineId,
    network: machine.network,
    run,
    sh: async (...argv) => {
      const { code, stdout, stderr } = await run(argv);
      if (code !== 0) throw new Error(`${argv.join(' ')} on ${name} ended with ${code}:\n${stderr}\n${stdout}`);
      return stdout;
    },
    write: async (file, text, mode = 0o644) => {
      const place = path.join(await machine.root(), file);
      await mkdir(path.dirname(place), { recursive: true });
      await rm(place, { force: true });
      await writeFile(place, text, { mode });
      await chmod(place, mode);
    },
    read: async (file) => readFile(path.join(await machine.root(), file), 'utf8'),
    journal: async (unit) => {
      const of = unit === undefined ? [] : [`--unit=${unit}`];
      return (await run(['journalctl', '--no-pager', '--output=short-precise', ...of])).stdout;
    },
    waitFor,
    bootId,
    powerCut: () => machine.off(),
    boot: async () => {
      const began = performance.now();
      await machine.on();
      await up(BOOT_TIMEOUT_MS);
      return Math.round(performance.now() - began);
    },
    rebooted: async (since, timeoutMs = BOOT_TIMEOUT_MS) => {
      const other = async () => ![since, ''].includes(await bootId());
      await eventually(other, { what: `${name} to run under another boot id`, timeoutMs, everyMs: 100 });
      await up(timeoutMs);
    },
  };
}

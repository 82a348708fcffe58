/** The one link between this machine and a booted host with a network of its own. */
import { createServer, connect, type Server } from 'node:net';
import { runProcess } from './processes.ts';

export type HostNetwork = AsyncDisposable & {
  /** How the guest reaches this machine. */
  readonly gateway: string;
  readonly address: string;
  /** What systemd-nspawn is told. */
  readonly flags: readonly string[];
  /** Gives both ends their addresses, after each boot. */
  readonly join: (leader: number) => Promise<void>;
  /** Cuts the link: packets are lost, connections are not closed. */
  readonly cut: () => Promise<void>;
  readonly mend: () => Promise<void>;
  /** Makes a port of this machine's loopback reachable from the guest, as `gateway:port`. */
  readonly forward: (port: number) => Promise<string>;
};

/** `number` tells networks apart. */
export function hostNetwork(number: number): HostNetwork {
  const link = `fh${number.toString(36)}`;
  // A /30 of 10.64.0.0/10 for each.
  const base = (0x0a400000 + ((number * 4) & 0x3fffff)) >>> 0;
  const gateway = dotted(base + 1);
  const address = dotted(base + 2);
  const forwards = new Map<number, Server>();
  return {
    gateway,
    address,
    flags: [`--network-veth-extra=${link}:host0`],
    join: async (leader) => {
      const guest = ['nsenter', `--target=${leader}`, '--net', '--'];
      await must(['ip', 'address', 'replace', `${gateway}/30`, 'dev', link]);
      await must(['ip', 'link', 'set', link, 'up']);
      await must([...guest, 'ip', 'link', 'set', 'lo', 'up']);
      await must([...guest, 'ip', 'address', 'replace', `${address}/30`, 'dev', 'host0']);
      await must([...guest, 'ip', 'link', 'set', 'host0', 'up']);
      // A listener goes with the address that it is bound to.
      for (const [port, server] of forwards) {
        await close(server);
        forwards.set(port, await forwardTo(gateway, port));
      }
    },
    cut: () => must(['ip', 'link', 'set', link, 'down']),
    mend: () => must(['ip', 'link', 'set', link, 'up']),
    forward: async (port) => {
      if (!forwards.has(port)) forwards.set(port, await forwardTo(gateway, port));
      return `${gateway}:${port}`;
    },
    [Symbol.asyncDispose]: async () => {
      for (const server of forwards.values()) await close(server);
    },
  };
}

const dotted = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');

async function must(argv: readonly string[]): Promise<void> {
  const { code, stderr } = await runProcess(argv);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}`);
}

const open = new WeakMap<Server, Set<() => void>>();

async function forwardTo(address: string, port: number): Promise<Server> {
  const ends = new Set<() => void>();
  const server = createServer((from) => {
    const to = connect(port, '127.0.0.1');
    const end = (): void => {
      from.destroy();
      to.destroy();
      ends.delete(end);
    };
    ends.add(end);
    for (const socket of [from, to]) socket.on('error', end).on('close', end);
    from.pipe(to).pipe(from);
  });
  open.set(server, ends);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
  return server;
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    for (const end of open.get(server) ?? []) end();
    server.close(() => resolve());
  });

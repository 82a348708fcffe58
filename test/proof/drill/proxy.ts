/** A wire that can be cut: TCP between one role and Temporal. */
import { connect, createServer, type Socket } from 'node:net';

export type Proxy = AsyncDisposable & {
  readonly address: string;
  /** Breaks every connection and lets none through for so long. */
  readonly cut: (ms: number) => void;
};

export async function startProxy(to: string): Promise<Proxy> {
  const [host = '', port = ''] = to.split(':');
  const sockets = new Set<Socket>();
  let cutUntil = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A broken connection is what this is for.
    socket.on('error', () => socket.destroy());
  };
  const server = createServer((near) => {
    keep(near);
    if (Date.now() < cutUntil) {
      near.destroy();
      return;
    }
    const far = connect({ host, port: Number(port) });
    keep(far);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const listening = server.address();
  if (listening === null || typeof listening === 'string') throw new Error('the proxy has no port');
  const breakAll = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    address: `127.0.0.1:${listening.port}`,
    cut: (ms) => {
      cutUntil = Date.now() + ms;
      breakAll();
    },
    [Symbol.asyncDispose]: async () => {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

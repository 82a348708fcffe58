/** Does for the root helper what its socket unit does (`Accept=yes`): starts one process for each connection, and hands it over. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

export type HelperSocket = AsyncDisposable & {
  /** Helpers at work. */
  readonly running: () => readonly ChildProcess[];
  /** How many were started. */
  readonly started: () => number;
  readonly log: () => string;
};

export async function listenForHelper(path: string, argv: readonly string[]): Promise<HelperSocket> {
  const children = new Set<ChildProcess>();
  let started = 0;
  let log = '';
  const server = createServer({ pauseOnConnect: true }, (connection) => {
    started += 1;
    const child = spawn(argv[0]!, argv.slice(1), { stdio: [connection, connection, 'pipe'] });
    children.add(child);
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (process.env['FETTLE_TEST_LOG']) process.stderr.write(chunk);
    });
    child.once('close', () => children.delete(child));
    // The child holds the connection now.
    child.once('spawn', () => connection.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    running: () => [...children],
    started: () => started,
    log: () => log,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const child of children) child.kill('SIGKILL');
      await Promise.all([...children].map((child) => once(child, 'close')));
    },
  };
}

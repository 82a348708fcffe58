/** A gate to measure: a development server, the gate's Workers in a process of their own, and gate clients as coordinators have them. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { GateClient } from '../coordinator/gate/gate-client.ts';
import { setupTemporal } from '../coordinator/setup-temporal.ts';
import { openGateClient, temporalAt } from '../test/support/gate-clients.ts';
import { startProcess, temporaryDirectory, type RunningProcess } from '../test/support/processes.ts';
import { startTemporal, type TemporalServer } from '../test/support/temporal.ts';

export const DOMAIN = 'bench';
const WORKER = fileURLToPath(new URL('../test/support/gate-worker-process.ts', import.meta.url));

export type GateHouse = AsyncDisposable & {
  readonly dir: string;
  readonly server: TemporalServer;
  /** In the control namespace, and able to read histories of many megabytes. */
  readonly control: Client;
  readonly startWorker: (name: string) => Promise<RunningProcess>;
  /** The gate client of a coordinator of its own, with its own connection. */
  readonly client: (name: string) => Promise<GateClient>;
};

export async function startGateHouse(): Promise<GateHouse> {
  await using stack = new AsyncDisposableStack();
  const { path: dir } = stack.use(await temporaryDirectory('fettle-gate-'));
  const server = stack.use(await startTemporal({ dbFile: path.join(dir, 'temporal.db') }));
  const config = temporalAt(server.address);
  await setupTemporal({ ...config, domain: DOMAIN, retentionDays: 1 });
  const channelArgs = { 'grpc.max_receive_message_length': -1 };
  const connection = await Connection.connect({ address: server.address, channelArgs });
  stack.defer(() => connection.close());
  const clients = new AsyncDisposableStack();
  stack.defer(() => clients.disposeAsync());
  const owned = stack.move();
  return {
    dir,
    server,
    control: new Client({ connection, namespace: config.namespace }),
    startWorker: async (name) => {
      const worker = owned.use(
        startProcess([process.execPath, WORKER, server.address, name], { name: `gate of ${name}` }),
      );
      await worker.waitForLine('polls', { timeoutMs: 60_000 });
      return worker;
    },
    client: (name) => openGateClient(clients, { address: server.address, domain: DOMAIN, name, dir }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

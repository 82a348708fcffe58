/** Bare Temporal beside Fettle: the same server, a trivial workflow in one process and its activity in another. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode } from '@temporalio/worker';
import { startProcess, type RunningProcess } from '../test/support/processes.ts';

export type BarePeer = AsyncDisposable & {
  readonly pids: readonly number[];
  /** Starts one and waits for its end. @returns when the activity began */
  readonly run: () => Promise<number>;
  /** One Update of a workflow that does nothing else. */
  readonly update: () => Promise<void>;
};

const WORKER = fileURLToPath(new URL('bare-worker.ts', import.meta.url));
const WORKFLOW = fileURLToPath(new URL('bare-workflow.ts', import.meta.url));

export async function startBarePeer(address: string, dir: string): Promise<BarePeer> {
  await using stack = new AsyncDisposableStack();
  const quiet = (): void => undefined;
  const logger = { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet };
  const { code } = await bundleWorkflowCode({ workflowsPath: WORKFLOW, logger });
  const codePath = path.join(dir, 'bare-workflow.js');
  await writeFile(codePath, code);
  const start = (name: string, ...args: string[]): RunningProcess =>
    stack.use(startProcess([process.execPath, WORKER, address, ...args], { name }));
  const workers = [start('bare workflows', codePath), start('bare activities')];
  await Promise.all(workers.map((worker) => worker.waitForLine('polls', { timeoutMs: 60_000 })));
  const connection = await Connection.connect({ address });
  stack.defer(() => connection.close());
  const client = new Client({ connection });
  const entity = await client.workflow.start<() => Promise<void>>('bareEntity', {
    workflowId: `bare-entity:${randomUUID()}`,
    taskQueue: 'bare/workflows',
  });
  const owned = stack.move();
  return {
    pids: workers.map((worker) => worker.pid),
    run: () =>
      client.workflow.execute<() => Promise<number>>('bare', {
        workflowId: `bare:${randomUUID()}`,
        taskQueue: 'bare/workflows',
      }),
    update: async () => void (await entity.executeUpdate<number, [number]>('bareUpdate', { args: [1] })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

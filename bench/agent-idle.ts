/** What an idle agent, connected to Temporal, costs its host, beside an empty Node process and a Temporal Worker of one queue. */
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { eventually, startProcess, type RunningProcess } from '../test/support/processes.ts';
import { makeSite, type Site } from '../test/support/site.ts';
import { agentIdentity, nodeQueue, type NodePlace } from '../workflows/contract.ts';
import type { Bench } from './bench-run.ts';
import { hundredths, median } from './percentiles.ts';
import { cpuSeconds, memoryOf } from './process-cost.ts';

const PLACE: NodePlace = { datacenter: 'dc1', nodeType: 'web', node: 'bench-1' };
const WORKER = fileURLToPath(new URL('bare-worker.ts', import.meta.url));
const SETTLE_MS = 5_000;
const ACTIVITY = proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY;
export const agentIdleBench: Bench = async ({ quick, say }) => {
  const idleMs = quick ? 10_000 : 60_000;
  await using stack = new AsyncDisposableStack();
  say('starting Temporal');
  const site = stack.use(await makeSite({ nodes: [{ name: PLACE.node, type: PLACE.nodeType }], workflows: {} }));
  await site.setUp();
  const connection = await Connection.connect({ address: site.temporal.address });
  stack.defer(() => connection.close());
  say('starting the agent, several times');
  const starts: number[] = [];
  let agent: RunningProcess | null = null;
  for (let turn = 0; turn < (quick ? 2 : 5); turn += 1) {
    await agent?.stop();
    const begun = await startAgent(site, connection);
    agent = begun.agent;
    starts.push(begun.ms);
  }
  if (agent === null) throw new Error('no agent was started');
  const empty = stack.use(startProcess([process.execPath, '-e', 'setInterval(() => {}, 2 ** 30)'], { name: 'empty' }));
  const worker = stack.use(startProcess([process.execPath, WORKER, site.temporal.address], { name: 'bare worker' }));
  await worker.waitForLine('polls', { timeoutMs: 60_000 });
  say(`all idle for ${(SETTLE_MS + idleMs) / 1000} s`);
  return report(await watchIdle({ agent, empty, worker }, idleMs), starts, idleMs);
};

/** From the start of the process until its own queue is polled, which is when an order reaches it. */
async function startAgent(site: Site, connection: Connection): Promise<{ agent: RunningProcess; ms: number }> {
  const spawned = Date.now();
  const began = performance.now();
  const agent = site.startAgent(PLACE.node);
  const polled = async (): Promise<boolean> => {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace: 'fettle-agents',
      taskQueue: { name: nodeQueue(PLACE.datacenter, PLACE.node) },
      taskQueueType: ACTIVITY,
    });
    return (pollers ?? []).some(
      ({ identity, lastAccessTime }) =>
        identity === agentIdentity(PLACE) &&
        Number(lastAccessTime?.seconds ?? 0) * 1000 + (lastAccessTime?.nanos ?? 0) / 1e6 >= spawned,
    );
  };
  await eventually(polled, { what: 'the agent to poll its queue', everyMs: 5, timeoutMs: 60_000 });
  return { agent, ms: Math.round(performance.now() - began) };
}

type Idle = { readonly rssMb: number; readonly privateDirtyMb: number; readonly cpuPercent: number };

/** CPU over the time, memory at its end. */
async function watchIdle<Name extends string>(
  processes: Readonly<Record<Name, RunningProcess>>,
  idleMs: number,
): Promise<Record<Name, Idle>> {
  const watch = async ([name, { pid }]: [string, RunningProcess]): Promise<[string, Idle]> => {
    const [before, from] = [await cpuSeconds(pid), performance.now()];
    await new Promise((done) => setTimeout(done, idleMs));
    const cpuPercent = (100_000 * ((await cpuSeconds(pid)) - before)) / (performance.now() - from);
    return [name, { ...(await memoryOf(pid)), cpuPercent: hundredths(cpuPercent) }];
  };
  await new Promise((done) => setTimeout(done, SETTLE_MS));
  const watched = await Promise.all(Object.entries<RunningProcess>(processes).map(watch));
  // Its keys are those of `processes`.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(watched) as Record<Name, Idle>;
}

function report(idle: Record<'agent' | 'empty' | 'worker', Idle>, starts: readonly number[], idleMs: number) {
  const startMs = median(starts);
  const fields = (prefix: string, one: Idle): Record<string, number> => ({
    [`${prefix}rss_mb`]: one.rssMb,
    [`${prefix}private_dirty_mb`]: one.privateDirtyMb,
    [`${prefix}cpu_percent`]: one.cpuPercent,
  });
  const json = {
    ...fields('', idle.agent),
    ready_ms: startMs,
    starts: starts.length,
    idle_s: idleMs / 1000,
    ...fields('bare_node_', idle.empty),
    ...fields('bare_worker_', idle.worker),
    ratio_rss: hundredths(idle.agent.rssMb / idle.empty.rssMb),
  };
  const row = (name: string, one: Idle) => [name, one.rssMb, one.privateDirtyMb, one.cpuPercent];
  const memory = {
    title: `idle for ${idleMs / 1000} s`,
    header: ['', 'RSS, MiB', 'private dirty, MiB', 'CPU, % of one core'],
    rows: [
      row('agent: three queues, one connection', idle.agent),
      row('bare Temporal Worker: one queue', idle.worker),
      row('empty Node process', idle.empty),
    ],
  };
  const start = {
    title: 'start of the process → an order reaches it, milliseconds',
    header: ['', 'median', 'least', 'most'],
    rows: [[`agent, ${starts.length} starts`, startMs, Math.min(...starts), Math.max(...starts)]],
  };
  return { name: 'agent_idle', json, tables: [memory, start], notes: [] };
}

/** How long a coordinator needs to take over a gate: the full replay of histories as long as a gate lets them grow. */
import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { loadWorkflowBundle, type WorkflowBundle } from '../coordinator/workflow-bundle.ts';
import { startTemporal } from '../test/support/temporal.ts';
import { PROTOCOL, QUEUES } from '../workflows/contract.ts';
import type { Answer, Batch, BatchAnswer, Operation } from '../workflows/gate/operations.ts';
import { median } from './percentiles.ts';

const NAMESPACE = 'fettle';
const WORKFLOW = 'restart-service';
const PLAN = 'p'.repeat(22);

export type Replay = {
  readonly perUpdate: number;
  readonly events: number;
  readonly operations: number;
  readonly ms: number;
  /** Of all threads: what it takes whatever else the machine does. */
  readonly cpuMs: number;
};

type Options = { readonly quick: boolean; readonly say: (line: string) => void };
type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

/** Lone operations make the most events, full batches the most work for each. */
export async function measureReplay({ quick, say }: Options): Promise<Replay[]> {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } },
  });
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startTemporal({ namespaces: [NAMESPACE] }));
  const bundle = await loadWorkflowBundle();
  const native = await NativeConnection.connect({ address: server.address });
  stack.defer(() => native.close());
  stack.defer(await runGateWorker(native, bundle));
  // Such a history is larger than the 4 MiB that a gRPC client takes by default; Workers take it.
  const channelArgs = { 'grpc.max_receive_message_length': -1 };
  const connection = await Connection.connect({ address: server.address, channelArgs });
  stack.defer(() => connection.close());
  const client = new Client({ connection, namespace: NAMESPACE });
  const replays: Replay[] = [];
  for (const perUpdate of quick ? [100] : [1, 20, 200]) {
    const { history, operations } = await driveGate(client, perUpdate);
    const events = history.events?.length ?? 0;
    say(`  ${perUpdate} operations per Update: ${events} events, ${operations} operations; replaying`);
    replays.push({ perUpdate, events, operations, ...(await timeReplay(bundle, history, quick ? 2 : 7)) });
  }
  return replays;
}

/** Gives what stops it. */
async function runGateWorker(
  connection: NativeConnection,
  workflowBundle: WorkflowBundle,
): Promise<() => Promise<void>> {
  const common = { connection, namespace: NAMESPACE };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: QUEUES.gate, workflowBundle, activities: { runId } }),
    Worker.create({ ...common, taskQueue: QUEUES.control, activities: { sweep: () => Promise.resolve([]) } }),
  ]);
  const runs = workers.map((worker) => worker.run());
  return async () => {
    for (const worker of workers) worker.shutdown();
    await Promise.all(runs);
  };
}

const runId = (): Promise<string> => Promise.resolve(Context.current().info.workflowExecution?.runId ?? '');

/** Lives of leases, one after the other, until the gate has continued as new; gives the history of its first run. */
async function driveGate(client: Client, perUpdate: number): Promise<{ history: History; operations: number }> {
  const workflowId = `fettle/gate/bench-${perUpdate}`;
  const { firstExecutionRunId } = await client.workflow.start('gate', {
    workflowId,
    taskQueue: QUEUES.gate,
    args: [{ domain: `bench-${perUpdate}`, fresh: true }],
    workflowTaskTimeout: '2s',
  });
  const gate = client.workflow.getHandle(workflowId);
  const exchange = async (ops: Operation[]): Promise<readonly Answer[]> => {
    const batch: Batch = { protocol: PROTOCOL, from: 'bench', clock: Date.now(), knows: [0, 0], ops };
    const answer = await gate.executeUpdate<BatchAnswer, [Batch]>('exchange', { args: [batch] });
    if (answer.status !== 'ok') throw new Error('the clocks of bench and server differ');
    return answer.answers;
  };
  const first = client.workflow.getHandle(workflowId, firstExecutionRunId);
  for (let round = 0; ; round += 1) {
    await liveOnce(exchange, perUpdate, round);
    const { status } = await first.describe();
    if (status.name === 'RUNNING') continue;
    const history = await first.fetchHistory();
    await gate.terminate('measured');
    return { history, operations: operationsIn(history) };
  }
}

/** Announce, then ask, permit, result and release, each for `n` leases on nodes of their own in one Update. */
async function liveOnce(
  exchange: (ops: Operation[]) => Promise<readonly Answer[]>,
  n: number,
  round: number,
): Promise<void> {
  const at = Date.now();
  const ids = Array.from({ length: n }, (_, i) => `${round}/${i}`);
  if (round % 20 === 0) {
    const lim = [
      { k: 'c', v: 1, p: 0, s: 'target' },
      { k: 'c', v: 1_000, p: 0, s: 'datacenter' },
      { k: 'm', v: 1_000_000, p: 3_600_000, s: 'global' },
    ] as const;
    await exchange([{ op: 'definitions', id: `d:${round}`, at, w: WORKFLOW, d: 'digest', lim, ch: true, by: 'bench' }]);
  }
  const admitted = await exchange(
    ids.map((id, i) => ({
      op: 'ask',
      id: `a:${id}`.padEnd(24, '.'),
      at,
      w: WORKFLOW,
      d: 'digest',
      t: { k: 'n', n: `host-${i}`, y: 'web', c: 'dc1' },
      p: PLAN,
      eu: at + 60_000,
    })),
  );
  const leases = admitted.map((answer) => {
    if (answer.a !== 'admitted') throw new Error(`not admitted: ${JSON.stringify(answer)}`);
    return answer.l;
  });
  const each = (make: (l: (typeof leases)[number], i: number) => Operation): Promise<unknown> =>
    exchange(leases.map(make));
  await each((l, i) => ({
    op: 'permit',
    id: `p:${ids[i]}`,
    at,
    l,
    p: PLAN,
    s: 'restart',
    a: 1,
    n: `host-${i}`,
    busy: 30_000,
    ch: true,
  }));
  await each((l, i) => ({ op: 'result', id: `r:${ids[i]}`, at, l, s: 'restart', a: 1, r: 'done' }));
  await each((l, i) => ({ op: 'release', id: `f:${ids[i]}`, at, l, o: 'healed' }));
}

function operationsIn(history: History): number {
  let operations = 0;
  for (const event of history.events ?? []) {
    const [payload] =
      event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.args?.payloads ?? [];
    const data = payload?.data;
    if (data === undefined || data === null) continue;
    const batch: Batch = JSON.parse(Buffer.from(data).toString('utf8'));
    operations += batch.ops.length;
  }
  return operations;
}

/** One Worker replays it again and again; the first time, with code not compiled yet, is left out. */
async function timeReplay(
  workflowBundle: WorkflowBundle,
  history: History,
  times: number,
): Promise<Pick<Replay, 'ms' | 'cpuMs'>> {
  let ended = Promise.withResolvers<void>();
  async function* copies() {
    for (let i = 0; i <= times; i += 1) {
      yield { workflowId: `replay-${i}`, history };
      await ended.promise;
      ended = Promise.withResolvers<void>();
    }
  }
  const took: number[] = [];
  const used: number[] = [];
  let began = performance.now();
  let before = process.cpuUsage();
  for await (const result of Worker.runReplayHistories({ workflowBundle }, copies())) {
    if (result.error !== undefined) throw result.error;
    const { user, system } = process.cpuUsage(before);
    took.push(performance.now() - began);
    used.push((user + system) / 1000);
    began = performance.now();
    before = process.cpuUsage();
    ended.resolve();
  }
  return { ms: Math.round(median(took.slice(1))), cpuMs: Math.round(median(used.slice(1))) };
}

/** A fleet of a thousand nodes as coordinators see it: all in the inventory, all beating, one of them a real agent that takes the orders of all. */
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { eventually } from '../test/support/processes.ts';
import { makeSite, type Site } from '../test/support/site.ts';
import { agentIdentity, generalQueue } from '../workflows/contract.ts';
import type { ProcessGroup } from './process-cost.ts';

export const NODES = 1_000;
/** Of a hundred nodes. */
export const FLOOR_PERCENT = 5;
const BEAT_MS = 15_000;
const CLIENTS = 8;

const step = (command: string): string =>
  `step "act" {\n  action  = "exec"\n  args    = { command = "${command}" }\n  timeout = "2m"\n}\n`;

const WORKFLOWS = {
  /** Its action lasts longer than a storm takes to be decided: what is admitted stays held. */
  'storm-fix': `task_queue_target = "general"
constraint {
  kind  = "maxUnavailable"
  value = "${FLOOR_PERCENT}%"
}
${step('hold')}`,
  /** Three limits, which refuse all but the first. */
  once: `task_queue_target = "general"
constraint {
  kind  = "concurrency"
  value = "1"
}
constraint {
  kind   = "maxExecution"
  value  = "1"
  period = "1h"
}
constraint {
  kind      = "maxExecution"
  value     = "1"
  period    = "24h"
  is_global = true
}
${step('now')}`,
  /** The same three, wide enough for all. */
  often: `task_queue_target = "general"
constraint {
  kind  = "concurrency"
  value = "5"
}
constraint {
  kind   = "maxExecution"
  value  = "100000"
  period = "1h"
}
constraint {
  kind      = "maxExecution"
  value     = "100000"
  period    = "24h"
  is_global = true
}
step "act" {
  action  = "ping"
  timeout = "1m"
}
`,
};
const ACTIONS = `command "hold" {
  argv    = ["/usr/bin/sleep", "60"]
  timeout = "90s"
}
command "now" {
  argv    = ["/usr/bin/true"]
  timeout = "30s"
}
`;
const AGENT = { node: 'runner-1', nodeType: 'runner', datacenter: 'dc1' } as const;

export type StormFleet = AsyncDisposable & {
  readonly site: Site;
  readonly nodes: readonly string[];
  /** Each begins with another coordinator and knows both. */
  readonly clients: readonly CoordinatorClient[];
  readonly groups: readonly ProcessGroup[];
  readonly control: Client;
};

export async function startStormFleet(): Promise<StormFleet> {
  await using stack = new AsyncDisposableStack();
  const nodes = Array.from({ length: NODES }, (_, n) => `web-${String(n).padStart(4, '0')}`);
  const site = stack.use(
    await makeSite({
      nodes: [{ name: AGENT.node, type: AGENT.nodeType }],
      listed: nodes.map((name) => ({ name, type: 'web' })),
      workflows: WORKFLOWS,
      actions: ACTIONS,
      logLevel: 'warn',
    }),
  );
  await site.setUp();
  const connection = await Connection.connect({
    address: site.temporal.address,
    channelArgs: { 'grpc.max_receive_message_length': -1 },
  });
  stack.defer(() => connection.close());
  await beat(connection, nodes);
  const beating = setInterval(() => void beat(connection, nodes), BEAT_MS);
  stack.defer(() => clearInterval(beating));
  const agent = site.startAgent(AGENT.node);
  const coordinators = [await site.startCoordinator('c1'), await site.startCoordinator('c2')];
  const addresses = coordinators.map(({ address }) => address);
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) => site.client('oncall', n % 2 === 0 ? addresses : addresses.toReversed())),
  );
  for (const client of clients) stack.defer(() => client[Symbol.asyncDispose]());
  const ping = async (client: CoordinatorClient): Promise<boolean> => {
    const decision = await client.request({ workflow: 'often', target: { node: nodes[0] ?? '' }, dry_run: true });
    return decision.decision !== 'refused';
  };
  for (const client of clients) await eventually(() => ping(client), { what: 'an agent', timeoutMs: 60_000 });
  const owned = stack.move();
  return {
    site,
    nodes,
    clients,
    control: new Client({ connection, namespace: 'fettle' }),
    groups: [
      { name: 'temporal server', pids: [site.temporal.process().pid] },
      { name: 'two coordinators', pids: coordinators.map((one) => one.process.pid) },
      { name: 'callers', pids: [process.pid] },
      { name: 'agent', pids: [agent.pid] },
    ],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What the agents of all nodes would tell Temporal by themselves. */
async function beat(connection: Connection, nodes: readonly string[]): Promise<void> {
  const now = { seconds: Math.floor(Date.now() / 1000) as never, nanos: 0 };
  await connection.workflowService.recordWorkerHeartbeat({
    namespace: 'fettle-agents',
    identity: 'bench',
    workerHeartbeat: nodes.map((node) => ({
      workerInstanceKey: `bench-${node}`,
      workerIdentity: agentIdentity({ node, nodeType: 'web', datacenter: AGENT.datacenter }),
      taskQueue: generalQueue(AGENT.datacenter),
      heartbeatTime: now,
      status: proto.temporal.api.enums.v1.WorkerStatus.WORKER_STATUS_RUNNING,
    })),
  });
}

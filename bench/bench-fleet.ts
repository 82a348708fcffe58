/** A fleet to measure: Temporal, one coordinator, a few agents, each a process of its own, reached over mTLS as callers reach it. */
import { Client, Connection } from '@temporalio/client';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { eventually } from '../test/support/processes.ts';
import { makeSite, type Site } from '../test/support/site.ts';
import type { ExecutionResult, StepRecord } from '../workflows/contract.ts';
import type { ProcessGroup } from './process-cost.ts';

const WORKFLOWS = {
  look: 'step "look" {\n  action  = "ping"\n  timeout = "30s"\n}\n',
  change: 'step "change" {\n  action  = "exec"\n  args    = { command = "tell-time" }\n  timeout = "30s"\n}\n',
};

/** Says in nanoseconds when it ran: a change as cheap as `/bin/true` whose own clock can be read from its receipt. */
const ACTIONS = 'command "tell-time" {\n  argv    = ["/usr/bin/date", "+%s%N"]\n  timeout = "20s"\n}\n';

/** Milliseconds by the machine's clock. */
export type Remedy = {
  readonly asked: number;
  /** The answer of `POST /v1/requests` had come. */
  readonly answered: number;
  readonly permitted: number;
  /** By the agent's receipt. */
  readonly began: number;
  /** Null unless a command told it. */
  readonly commandBegan: number | null;
  readonly finished: number;
};

export type BenchFleet = AsyncDisposable & {
  readonly site: Site;
  readonly groups: readonly ProcessGroup[];
  /** Asks over mTLS and waits for the end of the execution. @throws when it was not healed at the first attempt */
  readonly remedy: (workflow: keyof typeof WORKFLOWS, node: string) => Promise<Remedy>;
  readonly nodes: readonly string[];
};

export async function startBenchFleet(nodes: readonly string[]): Promise<BenchFleet> {
  await using stack = new AsyncDisposableStack();
  const site = stack.use(
    await makeSite({
      nodes: nodes.map((name) => ({ name, type: 'web' })),
      workflows: WORKFLOWS,
      actions: ACTIONS,
    }),
  );
  await site.setUp();
  const agents = nodes.map((node) => site.startAgent(node));
  const coordinator = await site.startCoordinator();
  const client = await site.client();
  stack.defer(() => client[Symbol.asyncDispose]());
  for (const node of nodes) await eventually(() => takesOrders(client, node), { what: node, timeoutMs: 60_000 });
  const connection = await Connection.connect({ address: site.temporal.address });
  stack.defer(() => connection.close());
  const temporal = new Client({ connection, namespace: 'fettle' });
  const owned = stack.move();
  return {
    site,
    nodes,
    groups: [
      { name: 'temporal server', pids: [site.temporal.process().pid] },
      { name: 'coordinator', pids: [coordinator.process.pid] },
      { name: 'agents', pids: agents.map((agent) => agent.pid) },
    ],
    remedy: (workflow, node) => remedy(client, temporal, workflow, node),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function takesOrders(client: CoordinatorClient, node: string): Promise<boolean> {
  const decision = await client.request({ workflow: 'site-ping', target: { node }, dry_run: true });
  return decision.decision !== 'refused';
}

const now = (): number => performance.timeOrigin + performance.now();

/** The end is awaited at Temporal, as the bare peer's is: the coordinator is not burdened with telling it. */
async function remedy(client: CoordinatorClient, temporal: Client, workflow: string, node: string): Promise<Remedy> {
  const asked = now();
  const decision = await client.request({ workflow, target: { node }, reason: 'bench' });
  const answered = now();
  if (decision.decision !== 'admitted') throw new Error(`not admitted: ${JSON.stringify(decision)}`);
  const ended: ExecutionResult = await temporal.workflow.getHandle(decision.execution).result();
  const finished = now();
  const [step] = ended.steps;
  if (ended.outcome !== 'healed' || step === undefined || step.began === null || step.permittedAt === null)
    throw new Error(`${decision.execution} was not healed: ${JSON.stringify(ended)}`);
  return {
    asked,
    answered,
    permitted: step.permittedAt,
    began: step.began,
    commandBegan: commandTime(step),
    finished,
  };
}

function commandTime(step: StepRecord): number | null {
  if (step.result.status !== 'done' || step.result.output.tail === null) return null;
  return Number(BigInt(step.result.output.tail.trim()) / 1_000n) / 1_000;
}

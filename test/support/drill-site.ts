/** A site for fault drills: commands leave marks in files and wait for a gate to open, so that a test decides what happens when. */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { CoordinatorClient } from '../../identity/coordinator-client.ts';
import type { ApiRequest } from '../../workflows/api.ts';
import { readMarks } from './paths-site.ts';
import { eventually, startProcess, temporaryDirectory, type RunningProcess } from './processes.ts';
import { makeSite, type Site, type SiteOptions } from './site.ts';

export type DrillSite = AsyncDisposable & {
  readonly site: Site;
  /** Talks to Temporal as an operator would, in the control namespace. */
  readonly control: Client;
  /** Sets Temporal up, starts these agents and coordinators, and waits until each agent takes orders. */
  readonly begin: (agents: readonly string[], coordinators: readonly string[]) => Promise<void>;
  /** Started roles by name, the latest run of each. */
  readonly roles: ReadonlyMap<string, RunningProcess>;
  readonly startCoordinator: (name: string) => Promise<void>;
  readonly startAgent: (node: string) => Promise<void>;
  /** Marks that commands left under a name, in order. */
  readonly marks: (name: string) => Promise<string[]>;
  /** Lets the command `gated` that waits under this name go on. */
  readonly open: (name: string) => Promise<void>;
  /** Starts the coordinator `name` with a point at which it kills itself, and waits until it answers. */
  readonly startDoomed: (name: string, drill: 'beforeStart' | 'beforeOrder' | 'beforeProof') => Promise<Doomed>;
  /** A client of these coordinators alone, closed with the site. */
  readonly client: (...addresses: string[]) => Promise<CoordinatorClient>;
  /** The coordinator that works on the execution's activity now; null while none does. */
  readonly worker: (execution: string) => Promise<string | null>;
};

export type Doomed = { readonly process: RunningProcess; readonly address: string };

const INPUT = `
input "mark" {
  type    = "string"
  pattern = "[a-z0-9-]+"
}
`;

/** A step that runs one of the commands below. */
export const drillStep = (command: string, more = '', timeout = '20s'): string => `${INPUT}
step "act" {
  action  = "exec"
  args    = { command = "${command}", mark = "\${input.mark}" }
  timeout = "${timeout}"
  ${more}
}
`;

const command = (dir: string, name: string, script: string): string => `
command "${name}" {
  argv    = ${JSON.stringify(['/bin/sh', '-c', script, 'sh', `${dir}/{mark}`])}
  timeout = "60s"
  input "mark" {
    pattern = "[a-z0-9-]+"
  }
}
`;

/** A command that waits ends also when its directory is gone: no test leaves one behind. */
const actions = (dir: string): string =>
  command(dir, 'mark', 'echo done >> "$1.marks"') +
  command(
    dir,
    'gated',
    `echo begun >> "$1.marks"; while [ -d ${dir} ] && [ ! -e "$1.open" ]; do sleep 0.05; done; echo ended >> "$1.marks"`,
  );

export async function startDrillSite(options: Partial<SiteOptions> & Pick<SiteOptions, 'nodes'>): Promise<DrillSite> {
  await using stack = new AsyncDisposableStack();
  const { path: dir } = stack.use(await temporaryDirectory('fettle-drill-'));
  await mkdir(dir, { recursive: true });
  const site = stack.use(
    await makeSite({
      workflows: { gated: drillStep('gated'), quick: drillStep('mark') },
      actions: actions(dir),
      ...options,
    }),
  );
  const connection = Connection.lazy({ address: site.temporal.address });
  stack.defer(() => connection.close());
  const control = new Client({ connection, namespace: 'fettle' });
  const owned = stack.move();
  const client: DrillSite['client'] = async (...addresses) => {
    const made = await site.client('oncall', addresses);
    owned.defer(() => made[Symbol.asyncDispose]());
    return made;
  };
  const roles = new Map<string, RunningProcess>();
  const startCoordinator = async (name: string): Promise<void> => {
    roles.set(name, (await site.startCoordinator(name)).process);
  };
  const startAgent = async (node: string): Promise<void> => {
    const agent = site.startAgent(node);
    roles.set(node, agent);
    await agent.waitForLine('connected to Temporal', { timeoutMs: 60_000 });
  };
  return {
    site,
    control,
    client,
    roles,
    startCoordinator,
    startAgent,
    begin: async (agents, coordinators) => {
      await site.setUp();
      await Promise.all(agents.map(startAgent));
      for (const name of coordinators) await startCoordinator(name);
      const asking = await site.client();
      try {
        for (const node of agents) {
          const ping = () => asking.request({ workflow: 'site-ping', target: { node }, dry_run: true });
          await eventually(ping, { what: `the agent of ${node}`, timeoutMs: 60_000, everyMs: 200 });
        }
        await allFree(asking);
      } finally {
        await asking[Symbol.asyncDispose]();
      }
    },
    marks: (name) => readMarks(path.join(dir, `${name}.marks`)),
    open: (name) => writeFile(path.join(dir, `${name}.open`), ''),
    startDoomed: async (name, drill) => {
      const { file, address } = await site.coordinatorFile(name);
      const entry = fileURLToPath(new URL('./coordinator-process.ts', import.meta.url));
      const process_ = owned.use(startProcess([process.execPath, entry, file, drill], { name: `coordinator ${name}` }));
      const asking = await client(address);
      await process_.waitUntil(() => isOpen(asking), { what: 'readiness', timeoutMs: 60_000 });
      return { process: process_, address };
    },
    worker: async (execution) => {
      const { raw } = await control.workflow.getHandle(execution).describe();
      const identity = raw.pendingActivities?.find((one) => Number(one.state) === STARTED)?.lastWorkerIdentity;
      return identity?.replace('fettle-coordinator/', '') ?? null;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** temporal.api.enums.v1.PendingActivityState */
const STARTED = 2;

const isOpen = async (client: CoordinatorClient): Promise<boolean> =>
  client.status().then(
    (status) => status.temporal.connected && status.gate.state === 'open',
    () => false,
  );

/** Waits until no lease is held. */
export async function allFree(client: CoordinatorClient, timeoutMs = 60_000): Promise<void> {
  const free = async (): Promise<boolean> => (await client.status()).gate.leases === 0;
  await eventually(free, { what: 'all leases to be free', timeoutMs, everyMs: 200 });
}

/** A request that may be repeated as it is: the same id, the same time of issue. */
export const drillRequest = (workflow: string, mark: string, node = 'web-1'): ApiRequest => ({
  workflow,
  target: { node },
  args: { mark },
  request_id: randomUUID(),
  issued_at: new Date().toISOString(),
});

/** Asks, and wants to be admitted. @returns the execution's id */
export async function admitted(client: CoordinatorClient, asked: ApiRequest): Promise<string> {
  const decision = await client.request(asked);
  if (decision.decision !== 'admitted') throw new Error(`not admitted: ${JSON.stringify(decision)}`);
  return decision.execution;
}

/** GET of a route that needs no certificate: `/metrics`, `/readyz`. Whose certificate the server shows is not looked at. */
export const getPublic = (address: string, route: string): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const asking = request(`${address}${route}`, { rejectUnauthorized: false, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }));
    });
    asking.on('error', reject);
    asking.end();
  });

/** The sum of a metric over all its labels. */
export async function metricOf(address: string, name: string): Promise<number> {
  const { body } = await getPublic(address, '/metrics');
  const lines = body.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

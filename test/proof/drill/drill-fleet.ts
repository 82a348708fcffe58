/** The fleet under drill: Temporal on a file, two coordinators, agents, a wire to each that can be cut; everything can be killed and comes back. */
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { CoordinatorClient } from '../../../identity/coordinator-client.ts';
import { eventually, startProcess, temporaryDirectory, type RunningProcess } from '../../support/processes.ts';
import { makeSite, type Site } from '../../support/site.ts';
import { actionsText, AGENTS, FLEET_LIMITS, SPARES, WORKFLOWS } from './drill-workflows.ts';
import { startProxy, type Proxy } from './proxy.ts';

export const COORDINATORS: readonly string[] = ['c1', 'c2'];

export type DrillFleet = AsyncDisposable & {
  readonly site: Site;
  /** Talks to Temporal as an operator would, around all proxies. */
  readonly control: Client;
  /** What commands wrote on hosts. */
  readonly effects: string;
  readonly addresses: readonly string[];
  /** Of a coordinator or an agent: the latest run. */
  readonly role: (name: string) => RunningProcess;
  /** Starts it again unless it runs. */
  readonly revive: (name: string) => void;
  readonly wire: (name: string) => Proxy;
  /** A client of the person on call. */
  readonly person: CoordinatorClient;
};

/** @param log where each line of each role goes; null: nowhere */
export async function startDrillFleet(log: string | null): Promise<DrillFleet> {
  await using stack = new AsyncDisposableStack();
  const { path: dir } = stack.use(await temporaryDirectory('fettle-crash-'));
  const effects = path.join(dir, 'effects.jsonl');
  await appendFile(effects, '');
  const wires = new Map<string, Proxy>();
  const site = stack.use(
    await makeSite({
      nodes: [...AGENTS, ...SPARES],
      workflows: Object.fromEntries(Object.entries(WORKFLOWS).map(([name, { hcl }]) => [name, hcl])),
      actions: actionsText(dir, effects),
      coordinator: FLEET_LIMITS,
      through: async (role, temporal) => {
        const wire = stack.use(await startProxy(temporal));
        wires.set(role, wire);
        return wire.address;
      },
    }),
  );
  const files = new Map(AGENTS.map(({ name }) => [name, ['agent', site.configFile(`agent-${name}`)]]));
  const addresses: string[] = [];
  for (const name of COORDINATORS) {
    const { file, address } = await site.coordinatorFile(name);
    files.set(name, ['coordinator', file]);
    addresses.push(address);
  }
  const roles = new Map<string, RunningProcess>();
  const onLine = (name: string) => (line: string) => {
    if (log !== null) void appendFile(log, `${new Date().toISOString()} ${name} ${line}\n`);
  };
  const revive = (name: string): void => {
    if (roles.get(name)?.exit() === null) return;
    const [role = '', file = ''] = files.get(name) ?? [];
    roles.set(name, startProcess(site.fettle(role, '--config', file), { name, onLine: onLine(name) }));
  };
  stack.defer(async () => {
    await Promise.all([...roles.values()].map((role) => role.stop()));
  });
  const connection = Connection.lazy({ address: site.temporal.address });
  stack.defer(() => connection.close());
  await site.setUp();
  for (const name of files.keys()) revive(name);
  const person = stack.use(await site.client('oncall', addresses));
  for (const { name } of AGENTS) await eventually(() => takesOrders(person, name), { what: name, timeoutMs: 90_000 });
  const owned = stack.move();
  return {
    site,
    control: new Client({ connection, namespace: 'fettle' }),
    effects,
    addresses,
    role: (name) => known(roles, name),
    revive,
    wire: (name) => known(wires, name),
    person,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function known<T>(of: ReadonlyMap<string, T>, name: string): T {
  const found = of.get(name);
  if (found === undefined) throw new Error(`the drill has no ${name}`);
  return found;
}

/** `site-ping` is a look, so that asking changes nothing. */
const takesOrders = (client: CoordinatorClient, node: string): Promise<boolean> =>
  client.request({ workflow: 'site-ping', target: { node }, dry_run: true }).then(
    ({ decision }) => decision !== 'refused',
    () => false,
  );

/** A coordinator stopped with SIGSTOP, or killed: people and trigger daemons that know two addresses go on with the other. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { admitted, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually, type RunningProcess } from './support/processes.ts';
import { startExporter, startPrometheus, type Exporter } from './support/prometheus.ts';

/** One trigger for each turn, so that each fault is a new one. */
const trigger = (name: string): string => `trigger "${name}" {
  source     = "prometheus.main"
  query      = "${name} == 0"
  every      = "500ms"
  for        = "500ms"
  workflow   = "triggered"
  target     = { node = "\${labels.node}" }
  node_types = ["web"]
  args       = { mark = "${name}" }
  valid_for  = "60s"
}
`;

describe('two coordinators, of which one', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let exporter: Exporter;
  /** Each asks another one first. */
  let clients: readonly CoordinatorClient[];

  before(async () => {
    exporter = stack.use(await startExporter('stopped{node="web-1"} 1\nkilled{node="web-1"} 1'));
    const prometheus = stack.use(await startPrometheus({ scrape: [exporter.port] }));
    drill = stack.use(
      await startDrillSite({
        nodes: ['web-1', 'web-2', 'web-3'].map((name) => ({ name, type: 'web' })),
        workflows: { asked: drillStep('mark'), triggered: drillStep('mark') },
        prometheus: prometheus.url,
        triggers: trigger('stopped') + trigger('killed'),
      }),
    );
    await drill.begin(['web-1', 'web-2', 'web-3'], ['c1', 'c2']);
    const { address } = await drill.site.coordinatorFile('c2');
    clients = [await drill.client(drill.site.address, address), await drill.client(address, drill.site.address)];
    // Makes the connections that a stopped coordinator then holds.
    for (const client of clients) await client.status();
    const daemon = await drill.site.startTriggerDaemon();
    await daemon.waitUntil(() => daemon.output().includes('"role":"trigger-daemon"'), { what: 'a first line' });
  });
  after(() => stack.disposeAsync());

  const coordinator = (name: string): RunningProcess => {
    const role = drill.roles.get(name);
    assert.ok(role, name);
    return role;
  };
  /** Both people are answered, and so is the daemon, which sees this fault. */
  const allAreAnswered = async (fault: string): Promise<string[]> => {
    exporter.set(`${fault}{node="web-1"} 0`);
    const asked = ['web-2', 'web-3'].map((node, index) => {
      const client = clients[index];
      assert.ok(client);
      return admitted(client, drillRequest('asked', `${fault}-${index}`, node));
    });
    const [client] = clients;
    const triggered = await eventually(
      async () => (await client?.listExecutions({ workflow: 'triggered' }))?.find(({ id }) => !seen.has(id)),
      { what: 'the remedy that the daemon asked for', timeoutMs: 60_000, everyMs: 200 },
    );
    seen.add(triggered.id);
    return [...(await Promise.all(asked)), triggered.id];
  };
  const seen = new Set<string>();

  const allHealOnce = async (fault: string, executions: readonly string[]): Promise<void> => {
    for (const id of executions) assert.equal((await ended(clients[0] as CoordinatorClient, id)).outcome, 'healed');
    for (const mark of [`${fault}-0`, `${fault}-1`, fault]) assert.deepEqual(await drill.marks(mark), ['done'], mark);
  };

  it('stands still: what it was asked is asked the other as well, and done once', async () => {
    coordinator('c1').signal('SIGSTOP');
    const executions = await allAreAnswered('stopped');
    coordinator('c1').signal('SIGCONT');
    await allHealOnce('stopped', executions);
  });

  it('is killed: the other goes on alone', async () => {
    await coordinator('c2').kill();
    await allHealOnce('killed', await allAreAnswered('killed'));
  });
});

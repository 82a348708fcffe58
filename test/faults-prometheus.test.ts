/** Monitoring that is away, silent or talks nonsense: it proves nothing, and starts nothing. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { admitted, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';
import { startExporter, startPrometheus, type Exporter, type TestPrometheus } from './support/prometheus.ts';

const verify = (source: string, timeout: string): string => `${drillStep('mark')}
verify {
  source  = "prometheus.${source}"
  query   = "service_healthy{node=\\"\${target.node}\\"} == 1"
  for     = "1s"
  every   = "250ms"
  timeout = "${timeout}"
}
`;

const TRIGGER = `trigger "unhealthy" {
  source     = "prometheus.main"
  query      = "service_healthy == 0"
  every      = "500ms"
  for        = "1s"
  workflow   = "triggered"
  target     = { node = "\${labels.node}" }
  node_types = ["web"]
  args       = { mark = "triggered" }
  valid_for  = "30s"
}
`;

describe('Prometheus', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;
  let prometheus: TestPrometheus;
  let exporter: Exporter;

  before(async () => {
    exporter = stack.use(await startExporter('service_healthy{node="web-1"} 1'));
    prometheus = stack.use(await startPrometheus({ scrape: [exporter.port] }));
    const nonsense = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html><title>Sign in</title></html>');
    });
    await new Promise<void>((resolve) => {
      nonsense.listen(0, '127.0.0.1', resolve);
    });
    stack.defer(() => nonsense.closeAllConnections());
    stack.defer(() => void nonsense.close());
    const address = nonsense.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    drill = stack.use(
      await startDrillSite({
        nodes: [{ name: 'web-1', type: 'web' }],
        workflows: {
          impatient: verify('main', '2s'),
          patient: verify('main', '40s'),
          nonsense: verify('nonsense', '2s'),
          triggered: drillStep('mark'),
        },
        prometheus: prometheus.url,
        triggers: TRIGGER,
        coordinator: `source "prometheus" "nonsense" {\n  url = "http://127.0.0.1:${port}"\n}`,
      }),
    );
    await drill.begin(['web-1'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  const cannotTell = async (workflow: string, mark: string): Promise<void> => {
    const detail = await ended(client, await admitted(client, drillRequest(workflow, mark)));
    assert.equal(detail.outcome, 'ineffective', detail.message ?? '');
    assert.equal(detail.verified, false);
    assert.match(detail.message ?? '', /cannot tell|gave no answer in time/);
    assert.deepEqual(await drill.marks(mark), ['done']);
  };
  const verifying = (id: string) => async (): Promise<boolean> =>
    (await client.getExecution(id)).timeline.some((line) => line.event === 'verifying');

  it('that answers with a web page proves nothing: ineffective, because nobody can tell', async () => {
    await cannotTell('nonsense', 'nonsense');
  });

  it('that is silent proves nothing in time, and is believed as soon as it speaks', async () => {
    prometheus.freeze();
    await cannotTell('impatient', 'silent');
    const id = await admitted(client, drillRequest('patient', 'patient-silent'));
    await eventually(verifying(id), { what: 'the wait for proof' });
    prometheus.thaw();
    const detail = await ended(client, id);
    assert.deepEqual([detail.outcome, detail.verified], ['healed', true], detail.message ?? '');
  });

  it('that is away proves nothing in time, and is believed when it is back', async () => {
    await prometheus.stop();
    await cannotTell('impatient', 'away');
    const id = await admitted(client, drillRequest('patient', 'patient-away'));
    await eventually(verifying(id), { what: 'the wait for proof' });
    await prometheus.start();
    const detail = await ended(client, id);
    assert.deepEqual([detail.outcome, detail.verified], ['healed', true], detail.message ?? '');
    assert.deepEqual(await drill.marks('patient-away'), ['done'], 'waiting repeats nothing');
  });

  it('that is away triggers nothing, and the fault is asked about once it tells of it', async () => {
    await prometheus.stop();
    exporter.set('service_healthy{node="web-1"} 0');
    const daemon = await drill.site.startTriggerDaemon();
    await daemon.waitForLine(/query failed|cannot|failed/, { timeoutMs: 30_000 });
    const triggered = () => client.listExecutions({ workflow: 'triggered' });
    assert.deepEqual(await triggered(), []);
    await prometheus.start();
    const id = await eventually(async () => (await triggered())[0]?.id, { what: 'the remedy', timeoutMs: 30_000 });
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.deepEqual(await drill.marks('triggered'), ['done']);
  });
});

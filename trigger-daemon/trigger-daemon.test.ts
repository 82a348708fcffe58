/** The whole daemon over a real Prometheus, against an HTTP stand-in for the coordinator that answers as it is told. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import { prometheusSource } from '../sources/prometheus.ts';
import type { ApiRequest } from '../workflows/api.ts';
import { eventually } from '../test/support/processes.ts';
import { startExporter, startPrometheus } from '../test/support/prometheus.ts';
import { admitted, standIn, type Answer } from '../test/support/stand-in-coordinator.ts';
import { sourceConfig, startDaemon, webWedged } from '../test/support/watching.ts';

const pending = (request: ApiRequest): Answer => ({
  status: 202,
  body: {
    decision: 'pending',
    request_id: request.request_id,
    pending: 'pending:x',
    waits_for: 'limits',
    message: 'waits',
    reasons: [],
    place: 0,
    asks_again_at: new Date().toISOString(),
    expires_at: new Date(Date.now() + 90_000).toISOString(),
  },
});

const probe = (node: string, value: number, more = ''): string =>
  `probe_success{job="web",node="${node}"${more}} ${value}`;

test('asks once for a fault, joins it after a restart and from a second daemon, and says when it is over', async () => {
  await using exporter = await startExporter(probe('web-1', 1));
  await using prometheus = await startPrometheus({ scrape: [exporter.port] });
  await using coordinator = await standIn({ decide: admitted });
  const first = await startDaemon(prometheus.url, coordinator.client, [webWedged]);
  await using again = new AsyncDisposableStack();
  again.use(first);
  await eventually(async () => (await first.metric('fettle_trigger_looks_total', { result: 'answer' })) > 2);
  assert.equal(coordinator.requests.length, 0);

  exporter.set(probe('web-1', 0));
  const request = await eventually(() => coordinator.requests[0]);
  assert.deepEqual(request.target, { node: 'web-1' });
  assert.deepEqual(request.args, { unit: 'web.service' });
  assert.deepEqual(request.node_types, ['web']);
  assert.equal(request.identity?.source, 'prometheus.main/web-wedged');
  assert.deepEqual(request.identity?.labels, { job: 'web', node: 'web-1' });
  const looks = await first.metric('fettle_trigger_looks_total');
  await eventually(async () => (await first.metric('fettle_trigger_looks_total')) > looks + 5);
  assert.equal(coordinator.requests.length, 1);
  await first.stop();

  const restarted = again.use(await startDaemon(prometheus.url, coordinator.client, [webWedged]));
  const second = again.use(await startDaemon(prometheus.url, coordinator.client, [webWedged], 'watcher-2'));
  await eventually(() => coordinator.requests.length === 3);
  for (const { identity } of coordinator.requests) {
    assert.equal(identity?.source, request.identity?.source);
    assert.deepEqual(identity?.labels, request.identity?.labels);
  }
  assert.equal(new Set(coordinator.requests.map(({ request_id }) => request_id)).size, 3);
  assert.deepEqual(
    new Set(coordinator.requests.map(({ identity }) => identity?.observer)),
    new Set(['watcher-1', 'watcher-2']),
  );

  exporter.set(probe('web-1', 1));
  await eventually(() => coordinator.reports.filter(({ state }) => state === 'resolved').length === 2);
  assert.equal(restarted.status().triggers[0]?.state, 'quiet');
  assert.equal(second.status().triggers[0]?.state, 'quiet');
  assert.equal(coordinator.requests.length, 3);
});

test('begins and ends nothing while Prometheus is down or slow, and goes on when it is back', async () => {
  await using exporter = await startExporter(probe('web-1', 0));
  await using prometheus = await startPrometheus({ scrape: [exporter.port] });
  await using coordinator = await standIn({ decide: admitted });
  await using daemon = await startDaemon(prometheus.url, coordinator.client, [webWedged]);
  await eventually(() => coordinator.requests.length === 1);

  prometheus.freeze();
  await eventually(() => daemon.status().triggers[0]?.state === 'cannot_tell');
  assert.match(daemon.status().triggers[0]?.detail ?? '', /no whole answer/);
  prometheus.thaw();
  await eventually(() => daemon.status().triggers[0]?.state === 'holds');

  await prometheus.stop();
  await eventually(() => daemon.status().triggers[0]?.detail?.includes('ECONNREFUSED'));
  assert.equal(await daemon.metric('fettle_trigger_state', { state: 'cannot_tell' }), 1);
  assert.equal(coordinator.requests.length, 1);
  assert.deepEqual(
    coordinator.reports.filter(({ state }) => state === 'resolved'),
    [],
  );
  await prometheus.start();
  await eventually(() => daemon.status().triggers[0]?.state === 'holds', { timeoutMs: 40_000 });
  assert.equal(coordinator.requests.length, 1);
});

test('takes nothing a broken server says for an answer', async () => {
  let page: 'html' | 'fault' = 'fault';
  const server = createServer((_, response) => {
    const result = [{ metric: { __name__: 'probe_success', node: 'web-1' }, value: [Date.now() / 1000, '0'] }];
    const fault = JSON.stringify({ status: 'success', data: { resultType: 'vector', result } });
    response.writeHead(200, { 'content-type': page === 'html' ? 'text/html' : 'application/json' });
    response.end(page === 'html' ? '<html>maintenance</html>' : fault);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  await using coordinator = await standIn({ decide: admitted });
  await using daemon = await startDaemon(`http://127.0.0.1:${address.port}`, coordinator.client, [webWedged]);
  await eventually(() => coordinator.requests.length === 1);
  page = 'html';
  await eventually(() => daemon.status().triggers[0]?.detail?.includes('HTML'));
  page = 'fault';
  await eventually(() => daemon.status().triggers[0]?.state === 'holds');
  assert.deepEqual([coordinator.requests.length, coordinator.reports.length], [1, 0]);
  assert.equal(daemon.logged('cannot tell').length, 1);
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

test('with one Prometheus: what the coordinator does with requests', async (t) => {
  await using exporter = await startExporter(probe('web-1', 0));
  const rules =
    'groups: [{ name: g, rules: [{ alert: WebDown, expr: probe_success == 0, labels: { severity: page } }] }]';
  await using prometheus = await startPrometheus({ scrape: [exporter.port], rules });
  const { url } = prometheus;

  await t.test('a coordinator that is away gets the same request when it is back', async () => {
    const unavailable = { status: 503, body: { code: 'no_decision', message: 'wait' } };
    await using coordinator = await standIn({ decide: () => unavailable });
    await using daemon = await startDaemon(url, coordinator.client, [webWedged]);
    await eventually(() => coordinator.requests.length > 2);
    coordinator.script.decide = admitted;
    await eventually(() => daemon.status().triggers[0]?.faults[0]?.phase === 'joined');
    assert.equal(new Set(coordinator.requests.map(({ request_id }) => request_id)).size, 1);
    assert.equal(daemon.status().triggers[0]?.faults[0]?.detail, 'restart:web-1:1-1');
    assert.equal(
      daemon.logged('request admitted').filter((line) => line.includes('"execution":"restart:web-1:1-1"')).length,
      1,
    );
  });

  await t.test(
    'a request whose evidence is void is dropped, said so, and followed by one with fresh evidence',
    async () => {
      await using coordinator = await standIn({
        decide: () => ({ status: 503, body: { code: 'no_decision', message: 'wait' } }),
      });
      await using daemon = await startDaemon(url, coordinator.client, [{ ...webWedged, validForMs: 700 }]);
      await eventually(async () => (await daemon.metric('fettle_trigger_dropped_total', { reason: 'void' })) > 0);
      assert.equal(daemon.logged('evidence is too old').length > 0, true);
      coordinator.script.decide = admitted;
      await eventually(() => daemon.status().triggers[0]?.faults[0]?.phase === 'joined');
      const ids = new Set(coordinator.requests.map(({ request_id }) => request_id));
      assert(ids.size > 1);
      for (const { evidence } of coordinator.requests) {
        assert.equal(Date.parse(evidence?.valid_until ?? '') - Date.parse(evidence?.observed_at ?? ''), 700);
      }
    },
  );

  await t.test('a request that waits is not asked for again, and the fault goes on being asserted', async () => {
    const trigger = { ...webWedged, waitMs: 90_000, validForMs: 2_000, gapMs: 2_000 };
    await using coordinator = await standIn({ decide: pending });
    await using daemon = await startDaemon(url, coordinator.client, [trigger]);
    await eventually(() => daemon.status().triggers[0]?.faults[0]?.phase === 'pending');
    assert.equal(coordinator.requests[0]?.wait_s, 90);
    await eventually(() => coordinator.reports.filter(({ state }) => state === 'seen').length >= 2);
    assert.equal(coordinator.requests.length, 1);
    assert.match(daemon.status().triggers[0]?.faults[0]?.detail ?? '', /^pending:x: /);
    assert.equal(await daemon.metric('fettle_trigger_faults', { phase: 'pending' }), 1);
  });

  await t.test('a request that is not allowed is complained of once and not hammered', async () => {
    await using coordinator = await standIn({
      decide: () => ({ status: 403, body: { code: 'not_allowed', message: 'no rule' } }),
    });
    await using daemon = await startDaemon(url, coordinator.client, [webWedged]);
    await eventually(() => daemon.status().triggers[0]?.faults[0]?.phase === 'rejected');
    const looks = await daemon.metric('fettle_trigger_looks_total');
    await eventually(async () => (await daemon.metric('fettle_trigger_looks_total')) > looks + 3);
    assert.equal(coordinator.requests.length, 1);
    assert.equal(daemon.logged('the coordinator rejects this request').length, 1);
    assert.equal(await daemon.metric('fettle_trigger_faults', { phase: 'rejected' }), 1);
  });

  await t.test('by an alert: began when Prometheus says, alertname in the identity', async () => {
    await using coordinator = await standIn({ decide: admitted });
    const byAlert: TriggerConfig = {
      ...webWedged,
      name: 'by-alert',
      condition: { kind: 'alert', alert: 'WebDown' },
      forMs: 0,
    };
    const noRule: TriggerConfig = { ...byAlert, name: 'no-rule', condition: { kind: 'alert', alert: 'Nothing' } };
    await using daemon = await startDaemon(url, coordinator.client, [byAlert, noRule]);
    const request = await eventually(() => coordinator.requests[0]);
    assert.deepEqual(request.identity?.labels, { alertname: 'WebDown', job: 'web', node: 'web-1', severity: 'page' });
    const alerts = await prometheusSource(sourceConfig(url)).alerts();
    assert(alerts.state === 'answer');
    assert.equal(Date.parse(request.identity?.began_at ?? ''), alerts.value[0]?.activeAt);
    const other = await eventually(() =>
      daemon.status().triggers.find(({ trigger, detail }) => trigger === 'no-rule' && detail !== null),
    );
    assert.equal(other.state, 'cannot_tell');
    assert.match(other.detail ?? '', /no alerting rule is named "Nothing"/);
  });

  await t.test('more series than max_series are held, and loud', async () => {
    const all = ['web-1', 'web-2', 'web-3', 'web-4'];
    exporter.set(all.map((node) => probe(node, 0)).join('\n'));
    const counted = prometheusSource(sourceConfig(url));
    await eventually(async () => {
      const look = await counted.query('probe_success == 0');
      return look.state === 'answer' && look.value.length === 4;
    });
    await using coordinator = await standIn({ decide: admitted });
    await using daemon = await startDaemon(url, coordinator.client, [{ ...webWedged, forMs: 0 }]);
    await eventually(async () => (await daemon.metric('fettle_trigger_looks_total', { result: 'answer' })) > 5);
    assert.equal(daemon.status().triggers[0]?.state, 'storm');
    assert.equal(await daemon.metric('fettle_trigger_held_series'), 4);
    assert.deepEqual([coordinator.requests.length, daemon.logged('STORM').length], [0, 1]);
    exporter.set(probe('web-1', 0));
    await eventually(() => coordinator.requests.length === 1);
    assert.deepEqual(coordinator.requests[0]?.target, { node: 'web-1' });
    counted.close();
  });

  await t.test('triggers that change, come and go take effect at once; the rest goes on', async () => {
    await using coordinator = await standIn({ decide: admitted });
    const other: TriggerConfig = { ...webWedged, name: 'other', workflow: 'other' };
    await using daemon = await startDaemon(url, coordinator.client, [webWedged, other]);
    await eventually(() => coordinator.requests.length === 2);
    const moved: TriggerConfig = { ...webWedged, place: { file: 'moved.hcl', line: 9, column: 1 } };
    const changed: TriggerConfig = { ...other, workflow: 'changed' };
    const sourceless: TriggerConfig = { ...other, name: 'sourceless', source: 'prometheus.nowhere' };
    daemon.change([moved, changed, sourceless]);
    await eventually(() => coordinator.requests.length === 3);
    assert.equal(coordinator.requests[2]?.workflow, 'changed');
    assert.deepEqual(daemon.status().problems, [
      'trigger "sourceless": there is no source prometheus.nowhere; it is not watched',
    ]);
    daemon.change([moved]);
    await eventually(() => daemon.status().triggers.length === 1);
    assert.equal(await daemon.metric('fettle_trigger_state', { trigger: 'other' }), 0);
    assert.deepEqual([coordinator.requests.length, coordinator.reports.length], [3, 0]);
  });

  await t.test('a source that moves is asked at its new address', async () => {
    await using coordinator = await standIn({ decide: admitted });
    await using daemon = await startDaemon('http://127.0.0.1:1', coordinator.client, [webWedged]);
    await eventually(() => daemon.status().triggers[0]?.state === 'cannot_tell');
    daemon.moveSource(url);
    await eventually(() => coordinator.requests.length === 1);
  });

  await t.test('metrics, status and readiness are served over HTTP', async () => {
    await using coordinator = await standIn({ decide: admitted });
    await using daemon = await startDaemon(url, coordinator.client, [webWedged]);
    await eventually(() => coordinator.requests.length === 1);
    const get = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${daemon.metricsAddress?.port}${path}`, { method });
      return { status: response.status, text: await response.text() };
    };
    assert.match((await get('/metrics')).text, /fettle_trigger_state\{trigger="web-wedged",state="holds"\} 1/);
    assert.equal(JSON.parse((await get('/status')).text).triggers[0].trigger, 'web-wedged');
    assert.deepEqual([(await get('/readyz')).status, (await get('/healthz')).status], [200, 200]);
    assert.deepEqual([(await get('/nothing')).status, (await get('/status', 'POST')).status], [404, 405]);
  });
});

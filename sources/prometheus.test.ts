/** What the source promises, against a real Prometheus. What servers do wrong is in prometheus-hostile.test.ts. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PrometheusSourceConfig } from '../config/connections.ts';
import { eventually } from '../test/support/processes.ts';
import { type Exporter, startExporter, startPrometheus, type TestPrometheus } from '../test/support/prometheus.ts';
import { type Look, type MetricSource, staleness } from './metric-source.ts';
import { prometheusSource } from './prometheus.ts';
import { watchUntilHealthy } from './verification.ts';

const RULES = `groups:
  - name: one
    rules:
      - { alert: Hot, expr: temperature > 50, for: 0s, labels: { severity: page }, annotations: { summary: "hot" } }
      - { alert: Slow, expr: temperature > 50, for: 1h }
      - { alert: Broken, expr: "temperature * on(job) group_left() (temperature2)" }
  - name: two
    rules:
      - { alert: Hot, expr: temperature < -1000 }
`;

const undo = new AsyncDisposableStack();
let exporter: Exporter;
let prometheus: TestPrometheus;
let source: MetricSource;

before(async () => {
  exporter = undo.use(
    await startExporter('temperature{node="a"} +Inf\ntemperature{node="b"} 20\ntemperature{node="c"} NaN'),
  );
  prometheus = undo.use(await startPrometheus({ scrape: [exporter.port], rules: RULES }));
  source = prometheusSource(config());
  undo.defer(() => source.close());
  await eventually(async () => value(await source.query('temperature')).length === 3);
});
after(() => undo.disposeAsync());

const config = (more: Partial<PrometheusSourceConfig> = {}): PrometheusSourceConfig => ({
  kind: 'prometheus',
  name: 'main',
  url: prometheus.url,
  headers: {},
  parameters: {},
  auth: { kind: 'none' },
  tls: null,
  timeoutMs: 5_000,
  maxBytes: 1_000_000,
  ...more,
});

function value<T>(look: Look<T>): T {
  assert(look.state === 'answer', JSON.stringify(look));
  return look.value;
}
function failure<T>(look: Look<T>) {
  assert(look.state === 'failed', JSON.stringify(look));
  return look.failure;
}

test('gives samples with labels and values, infinities and NaN included', async () => {
  const samples = value(
    await source.query(
      'temperature or -temperature{node="a"} or label_replace(-temperature{node="a"}, "node", "d", "", "")',
    ),
  );
  const found = Object.fromEntries(samples.map((sample) => [sample.labels['node'], sample.value]));
  assert.deepEqual(found, { a: Infinity, b: 20, c: NaN, d: -Infinity });
  const [first] = samples;
  assert.equal(first?.name, 'temperature');
  assert(!Object.hasOwn(first.labels, '__name__'));
  assert.deepEqual(
    value(await source.query('temperature > 1e300')).map(({ labels }) => labels['node']),
    ['a'],
  );
});

test('says by whose clock it was answered, also when the answer is empty', async () => {
  for (const promql of ['temperature', 'temperature == 12345']) {
    const look = await source.query(promql);
    assert(look.state === 'answer' && look.evaluatedAt !== null);
    assert.equal(staleness(look.evaluatedAt, Date.now()), null);
    assert.match(staleness(look.evaluatedAt, Date.now() + 3_600_000) ?? '', /behind/);
    assert.match(staleness(look.evaluatedAt, Date.now() - 3_600_000) ?? '', /ahead/);
  }
});

test('an expression that is wrong, needs too much, or gives no vector is a failed look that says why', async () => {
  const syntax = failure(await source.query('up{'));
  assert.equal(`${syntax.kind} ${syntax.http} ${syntax.retryable}`, 'query 400 false');
  assert.match(syntax.message, /prometheus\.main: HTTP 400 bad_data: .*parse error/);
  const labels = failure(await source.query('temperature * on(job) temperature'));
  assert.equal(`${labels.kind} ${labels.http}`, 'query 422');
  for (const promql of ['1 + 1', '"text"', 'temperature[5m]']) {
    const type = failure(await source.query(promql));
    assert.equal(type.kind, 'result_type');
    assert.match(type.message, /not an instant vector/);
  }
});

test('gives pending and firing alerts with their beginning', async () => {
  const alerts = await eventually(async () => {
    const all = value(await source.alerts());
    return all.some(({ labels }) => labels['alertname'] === 'Slow') && all.some(({ state }) => state === 'firing')
      ? all
      : null;
  });
  const hot = alerts.find(({ labels }) => labels['alertname'] === 'Hot');
  assert.deepEqual(hot?.labels, {
    alertname: 'Hot',
    instance: `127.0.0.1:${exporter.port}`,
    job: 'test',
    node: 'a',
    severity: 'page',
  });
  assert.equal(`${hot?.state} ${hot?.value} ${hot?.annotations['summary']}`, 'firing Infinity hot');
  assert(Math.abs((hot?.activeAt ?? 0) - Date.now()) < 60_000);
  assert.equal(alerts.find(({ labels }) => labels['alertname'] === 'Slow')?.state, 'pending');
});

test('gives rules with what tells a quiet rule from one that fails, of all groups that have the name', async () => {
  const hot = await eventually(async () => {
    const rules = value(await source.alertingRules({ name: 'Hot' }));
    return rules.every(({ health }) => health === 'ok') && rules[0]?.alerts.length === 1 ? rules : null;
  });
  assert.deepEqual(
    hot.map(({ group, name }) => [group, name]),
    [
      ['one', 'Hot'],
      ['two', 'Hot'],
    ],
  );
  assert.deepEqual(
    hot.map(({ alerts }) => alerts.length),
    [1, 0],
  );
  assert.equal(hot[0]?.intervalMs, 1_000);
  assert(Math.abs((hot[0]?.lastEvaluation ?? 0) - Date.now()) < 60_000);
  assert.equal(value(await source.alertingRules()).length, 4);
  assert.deepEqual(value(await source.alertingRules({ name: 'Nothing' })), []);
});

test('knows a rule that fails from one that is quiet', async () => {
  exporter.set('temperature{node="a"} 90\ntemperature{node="b"} 20\ntemperature2{k="1"} 1\ntemperature2{k="2"} 1');
  const broken = await eventually(async () => {
    const [rule] = value(await source.alertingRules({ name: 'Broken' }));
    return rule?.health === 'err' ? rule : null;
  });
  assert.match(broken.lastError ?? '', /many-to-many|duplicate/);
});

test('proves that it can answer, and how far the clocks are apart', async () => {
  assert(Math.abs(value(await source.ready()).clockAheadMs) < 30_000);
});

test('is not ready, without throwing, when nothing listens', async () => {
  const nobody = prometheusSource(config({ url: 'http://127.0.0.1:1' }));
  const failed = failure(await nobody.ready());
  assert.equal(
    `${failed.kind} ${failed.retryable} ${failed.message}`,
    'network true prometheus.main: cannot reach http://127.0.0.1:1: ECONNREFUSED',
  );
});

test('sees a service become healthy, and not before', async () => {
  exporter.set('temperature{node="a"} 90');
  await eventually(async () => value(await source.query('temperature{node="a"} > 50')).length === 1);
  const looks: string[] = [];
  const watching = watchUntilHealthy(source, {
    query: 'temperature{node="a"} < 50',
    forMs: 1_000,
    timeoutMs: 30_000,
    everyMs: 100,
    onLook: ({ kind }) => {
      looks.push(kind);
      if (looks.length === 3) exporter.set('temperature{node="a"} 20');
    },
  });
  const result = await watching;
  assert.equal(result.held, true);
  assert.deepEqual(new Set(looks.slice(0, 3)), new Set(['unhealthy']));
});

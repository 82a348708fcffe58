/** The whole daemon over a real Prometheus, against an HTTP stand-in for the coordinator that answers as it is told. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { PrometheusSourceConfig } from '../config/connections.ts';
import type { TriggerConfig, TriggerDaemonConfig } from '../config/trigger-daemon.ts';
import { prometheusSource } from '../sources/prometheus.ts';
import { eventually } from '../test/support/processes.ts';
import { startExporter, startPrometheus } from '../test/support/prometheus.ts';
import type { ApiEpisodeReport, ApiRequest } from '../workflows/api.ts';
import type { CoordinatorPort } from './coordinator-port.ts';
import { startTriggerDaemon } from './trigger-daemon.ts';

type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> };
const admitted = (request: ApiRequest): Answer => ({
  status: 201,
  body: { decision: 'admitted', request_id: request.request_id, execution: 'restart:web-1:1-1' },
});

/** A coordinator that records what it is asked and answers by script. */
async function standIn(script: { decide: (request: ApiRequest) => Answer }) {
  const requests: ApiRequest[] = [];
  const reports: ApiEpisodeReport[] = [];
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
    incoming.on('end', () => {
      let answer: Answer = { status: 200, body: { episode: 'e1', open: true } };
      if (incoming.url === '/v1/requests') {
        const request: ApiRequest = JSON.parse(text);
        requests.push(request);
        answer = script.decide(request);
      } else reports.push(JSON.parse(text));
      response
        .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
        .end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const url = `http://127.0.0.1:${address.port}`;
  return {
    requests,
    reports,
    client: httpClient(url),
    script,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterS: number | null;
  constructor(status: number, code: string, retryAfterS: number | null) {
    super(`HTTP ${status}`);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

function httpClient(url: string): CoordinatorPort {
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) });
    const answer = JSON.parse(await response.text());
    if (response.status < 300 || answer.decision !== undefined) return answer;
    throw new HttpError(response.status, String(answer.code), Number(response.headers.get('retry-after')) || null);
  };
  return {
    request: (body) => post('/v1/requests', body),
    reportEpisode: (report) => post('/v1/episodes', report),
  };
}

const sourceConfig = (url: string): PrometheusSourceConfig => ({
  kind: 'prometheus',
  name: 'main',
  url,
  headers: {},
  parameters: {},
  auth: { kind: 'none' },
  tls: null,
  timeoutMs: 1_000,
  maxBytes: 1_000_000,
});

const webWedged: TriggerConfig = {
  place: { file: 'web.hcl', line: 1, column: 1 },
  name: 'web-wedged',
  source: 'prometheus.main',
  condition: { kind: 'query', query: 'probe_success{job="web"} == 0' },
  everyMs: 200,
  forMs: 400,
  workflow: 'restart-service',
  target: { kind: 'node', value: { template: [{ ref: 'labels.node' }] } },
  nodeTypes: ['web'],
  args: { unit: 'web.service' },
  validForMs: 60_000,
  maxSeries: 3,
  volatileLabels: ['instance'],
  gapMs: 30_000,
  againMs: null,
};

const daemonConfig = (name: string): TriggerDaemonConfig => ({
  name,
  identity: { certificate: '', key: '', bundle: '', federated: [] },
  coordinators: [],
  coordinatorId: 'spiffe://example.com/coordinator',
  triggersDir: '',
  sources: [],
  metricsListen: { host: '127.0.0.1', port: 0 },
});

async function startDaemon(
  url: string,
  client: CoordinatorPort,
  triggers: readonly TriggerConfig[],
  name = 'watcher-1',
) {
  const source = prometheusSource(sourceConfig(url));
  const metrics = new Registry();
  const daemon = await startTriggerDaemon(daemonConfig(name), {
    client,
    triggers: () => triggers,
    sourceFor: (address) => (address === source.address ? source : undefined),
    log: pino({ level: 'silent' }),
    metrics,
    outbox: { backoff: { firstMs: 20, mostMs: 100 } },
  });
  return {
    ...daemon,
    metric: async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const found = await metrics.getSingleMetric(name)?.get();
      const wanted = Object.entries(labels);
      const values =
        found?.values.filter((value) => wanted.every(([key, text]) => Reflect.get(value.labels, key) === text)) ?? [];
      return values.reduce((sum, value) => sum + value.value, 0);
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      source.close();
    },
  };
}

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

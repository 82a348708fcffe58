/** Servers that answer wrongly, slowly, too much or half: never an answer, never a hang, never a credential in a message. */
import assert from 'node:assert/strict';
import { utimes, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import path from 'node:path';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { pino } from 'pino';
import type { PrometheusSourceConfig } from '../config/connections.ts';
import { makeTestPki } from '../test/support/ca.ts';
import { temporaryDirectory } from '../test/support/processes.ts';
import type { MetricFailureKind } from './metric-source.ts';
import { prometheusSource } from './prometheus.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function listen(server: Server, scheme = 'http://127.0.0.1') {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return {
    url: `${scheme}:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function')
        server.closeAllConnections();
      await closed;
    },
  };
}
const serve = (handler: Handler) => listen(createServer(handler));

const config = (url: string, more: Partial<PrometheusSourceConfig> = {}): PrometheusSourceConfig => ({
  kind: 'prometheus',
  name: 'main',
  url,
  headers: {},
  parameters: {},
  auth: { kind: 'none' },
  tls: null,
  timeoutMs: 400,
  maxBytes: 10_000,
  ...more,
});

const json =
  (body: unknown, status = 200): Handler =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
const raw =
  (body: string, status = 200, headers: Record<string, string> = { 'content-type': 'application/json' }): Handler =>
  (_, response) => {
    response.writeHead(status, headers).end(body);
  };
const vector = (result: unknown[], more: object = {}) => ({
  status: 'success',
  data: { resultType: 'vector', result },
  ...more,
});
const now = (): number => Date.now() / 1000;

const failures: [string, Handler, MetricFailureKind, number | null, boolean, RegExp][] = [
  [
    'a login page',
    raw('<html>log in</html>', 200, { 'content-type': 'text/html' }),
    'not_prometheus',
    200,
    false,
    /HTML/,
  ],
  [
    "a gateway's page",
    raw('<html>bad gateway</html>', 502, { 'content-type': 'text/html' }),
    'server',
    502,
    true,
    /HTTP 502 with a page of HTML/,
  ],
  [
    'a redirect',
    raw('', 302, { location: 'http://127.0.0.1:1/' }),
    'not_prometheus',
    302,
    false,
    /redirects are not followed/,
  ],
  ['JSON that ends early', raw('{"status":"success","data":{"resultType":"vec'), 'malformed', null, true, /ends early/],
  ['an empty body', raw(''), 'not_prometheus', 200, false, /not JSON/],
  ['a list', raw('[]'), 'not_prometheus', 200, false, /not JSON/],
  ['other JSON', json({ hello: 'world' }), 'malformed', null, true, /"success"/],
  ['no data', json({ status: 'success' }), 'malformed', null, true, /"data"/],
  [
    'a result that is no list',
    json({ status: 'success', data: { resultType: 'vector', result: {} } }),
    'malformed',
    null,
    true,
    /"result"/,
  ],
  ['a sample without value', json(vector([{ metric: {} }])), 'malformed', null, true, /sample/],
  [
    'a value that is no number',
    json(vector([{ metric: {}, value: [now(), 'ten'] }])),
    'malformed',
    null,
    true,
    /sample/,
  ],
  [
    'labels that are no text',
    json(vector([{ metric: { a: 1 }, value: [now(), '1'] }])),
    'malformed',
    null,
    true,
    /sample/,
  ],
  [
    'an error with status 200',
    json({ status: 'error', errorType: 'internal', error: 'oops' }),
    'server',
    200,
    true,
    /oops/,
  ],
  ['401', json({ status: 'error', error: 'who?' }, 401), 'denied', 401, false, /who\?/],
  ['404', raw('404 page not found', 404, { 'content-type': 'text/plain' }), 'not_prometheus', 404, false, /404/],
  ['429', raw('slow down', 429), 'unavailable', 429, true, /429/],
  ['503 while it starts', raw('Service Unavailable', 503), 'unavailable', 503, true, /503/],
  [
    'more than is allowed',
    raw(JSON.stringify(vector([{ metric: { a: 'x'.repeat(20_000) }, value: [now(), '1'] }]))),
    'too_large',
    null,
    false,
    /larger than 10000 bytes/,
  ],
  ['a closed connection', (request) => request.socket.destroy(), 'network', null, true, /cannot reach/],
  [
    'half a body',
    (_, response) => {
      response.writeHead(200, { 'content-length': '500' }).write('{');
      setTimeout(() => response.destroy(), 20);
    },
    'network',
    null,
    true,
    /cannot reach/,
  ],
  ['silence', () => undefined, 'deadline', null, true, /no whole answer .* within 400 ms/],
  ['a byte at a time', drip, 'deadline', null, true, /no whole answer/],
  [
    'line breaks in an error',
    json({ status: 'error', error: 'a\nlevel=fatal\u001b[31m' }, 500),
    'server',
    500,
    true,
    /a level=fatal \[31m$/,
  ],
];

function drip(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 50);
  response.once('close', () => clearInterval(timer));
}

for (const [what, handler, kind, http, retryable, message] of failures) {
  test(`${what} is a failed look: ${kind}`, async () => {
    await using server = await serve(handler);
    const source = prometheusSource(config(server.url));
    const look = await source.query('up');
    source.close();
    assert(look.state === 'failed', JSON.stringify(look));
    const { failure } = look;
    assert(failure instanceof Error);
    assert.deepEqual([failure.kind, failure.http, failure.retryable], [kind, http, retryable]);
    assert.match(failure.message, message);
  });
}

test('alerts and rules that cannot be read are failed looks, not empty ones', async () => {
  const bodies = [
    { alerts: {}, groups: {} },
    {},
    { alerts: [1], groups: [{ rules: [{ type: 'alerting', alerts: [1] }] }] },
  ];
  const alert = { labels: { a: 'b' }, state: 'asleep', activeAt: '2026-01-01T00:00:00Z', value: '1' };
  for (const data of [...bodies, { alerts: [alert], groups: [{ rules: [{ type: 'alerting', alerts: [alert] }] }] }]) {
    await using server = await serve(json({ status: 'success', data }));
    const source = prometheusSource(config(server.url));
    assert.equal((await source.alerts()).state, 'failed', JSON.stringify(data));
    assert.equal((await source.alertingRules()).state, 'failed', JSON.stringify(data));
    source.close();
  }
});

test('warnings, isPartial and native histograms make an answer partial; infos do not', async () => {
  const histogram = { metric: { a: 'b' }, histogram: [now(), { count: '1', sum: '2', buckets: [] }] };
  const one = { metric: { a: 'b' }, value: [now(), '1'] };
  const cases: [unknown, string][] = [
    [vector([one], { warnings: ['store 3 is away'] }), 'store 3 is away'],
    [vector([one], { isPartial: true }), 'isPartial'],
    [vector([one, histogram]), 'native histogram'],
  ];
  for (const [body, warning] of cases) {
    await using server = await serve(json(body));
    const source = prometheusSource(config(server.url));
    const look = await source.query('up');
    source.close();
    assert(look.state === 'partial', JSON.stringify(look));
    assert(look.warnings.some((text) => text.includes(warning)));
  }
  await using server = await serve(json(vector([one], { infos: ['not a counter'] })));
  const source = prometheusSource(config(server.url));
  const look = await source.query('up');
  source.close();
  assert(look.state === 'answer');
  assert.deepEqual(look.infos, ['not a counter']);
});

test('answers that come at once do not mix their warnings', async () => {
  await using server = await serve((request, response) => {
    const partial = (request.url ?? '').includes('bad');
    setTimeout(() => json(vector([], partial ? { warnings: ['w'] } : {}))(request, response), partial ? 10 : 30);
  });
  const source = prometheusSource(config(server.url));
  const looks = await Promise.all(['good', 'bad', 'good', 'bad'].map((promql) => source.query(promql)));
  source.close();
  assert.deepEqual(
    looks.map(({ state }) => state),
    ['answer', 'partial', 'answer', 'partial'],
  );
});

test('gives up when the caller does', async () => {
  await using server = await serve(() => undefined);
  const source = prometheusSource(config(server.url, { timeoutMs: 60_000 }));
  const stop = new AbortController();
  const asking = source.query('up', { signal: stop.signal });
  setTimeout(() => stop.abort(), 20);
  const look = await asking;
  source.close();
  assert(look.state === 'failed');
  assert.equal(look.failure.kind, 'aborted');
});

test('sends prefix, headers and parameters, the query as it stands, and not our clock as its time', async () => {
  const seen: IncomingMessage[] = [];
  await using server = await serve((request, response) => {
    seen.push(request);
    json(vector([]))(request, response);
  });
  const more = { headers: { 'X-Scope-OrgID': 'tenant-1' }, parameters: { partial_response: 'false' } };
  const source = prometheusSource(config(`${server.url}/prometheus/`, more));
  const promql = 'up{a="&=+ %20ü\\n#"} == 0';
  assert.equal((await source.query(promql)).state, 'answer');
  source.close();
  const [request] = seen;
  const url = new URL(request?.url ?? '', server.url);
  assert.equal(url.pathname, '/prometheus/api/v1/query');
  assert.equal(url.searchParams.get('query'), promql);
  assert.equal(url.searchParams.get('partial_response'), 'false');
  assert(!url.searchParams.has('time'));
  assert.equal(request?.headers['x-scope-orgid'], 'tenant-1');
});

test('reads its token and password anew when the file changes, and never shows them', async () => {
  await using directory = await temporaryDirectory();
  const file = path.join(directory.path, 'secret');
  const seen: (string | undefined)[] = [];
  await using server = await serve((request, response) => {
    seen.push(request.headers.authorization);
    // A server that repeats what it was sent.
    json({ status: 'error', error: `bad ${request.headers.authorization}` }, 401)(request, response);
  });
  const bearer = prometheusSource(config(server.url, { auth: { kind: 'bearer', tokenFile: file } }));
  const basic = prometheusSource(
    config(server.url, { auth: { kind: 'basic', username: 'fettle', passwordFile: file } }),
  );
  for (const [n, secret] of ['first-secret', 'other-secret'].entries()) {
    await writeFile(file, `${secret}\n`);
    await utimes(file, n, n);
    for (const source of [bearer, basic]) {
      const look = await source.query('up');
      assert(look.state === 'failed');
      assert.equal(look.failure.kind, 'denied');
      const lines: string[] = [];
      pino({}, { write: (line) => lines.push(line) }).error({ err: look.failure }, 'x');
      const shown = `${inspect(look.failure, { depth: 9 })} ${lines.join('')} ${look.failure.stack}`;
      assert(!shown.includes(secret));
      assert(!shown.includes(Buffer.from(`fettle:${secret}`).toString('base64')));
    }
  }
  const encode = (secret: string): string => `Basic ${Buffer.from(`fettle:${secret}`).toString('base64')}`;
  assert.deepEqual(seen, [
    'Bearer first-secret',
    encode('first-secret'),
    'Bearer other-secret',
    encode('other-secret'),
  ]);
  for (const [text, message] of [
    ['', /is empty/],
    ['two\nlines', /one line of printable ASCII/],
  ] as const) {
    await writeFile(file, text);
    const look = await bearer.query('up');
    assert(look.state === 'failed');
    assert.equal(look.failure.kind, 'credentials');
    assert.match(look.failure.message, message);
  }
  bearer.close();
  basic.close();
});

test('does not log in where the password file is missing: it says so', async () => {
  await using server = await serve(json(vector([])));
  const source = prometheusSource(config(server.url, { auth: { kind: 'bearer', tokenFile: '/nonexistent/token' } }));
  const look = await source.query('up');
  assert(look.state === 'failed');
  assert.match(look.failure.message, /cannot read \/nonexistent\/token: ENOENT/);
});

test('checks the server by its own CA, shows a client certificate, and takes new ones from the files', async () => {
  await using pki = await makeTestPki();
  const server = await pki.issue('/prometheus', { override: { dnsNames: ['localhost'] } });
  const client = await pki.issue('/coordinator');
  const [cert, key, ca] = await Promise.all([server.certificate, server.key, pki.bundle].map((file) => readFile(file)));
  const peers: string[] = [];
  const tls = createTlsServer(
    { cert, key, ca, requestCert: true, rejectUnauthorized: true } as object,
    (request, response) => {
      peers.push('getPeerCertificate' in request.socket ? 'certificate' : 'none');
      json(vector([{ metric: {}, value: [now(), '1'] }]))(request, response);
    },
  );
  await using listening = await listen(tls, 'https://localhost');
  const files = { ca: pki.bundle, certificate: client.certificate, key: client.key };
  const ask = async (own: PrometheusSourceConfig['tls'], url = listening.url) => {
    const source = prometheusSource(config(url, { tls: own, timeoutMs: 5_000 }));
    const look = await source.query('up');
    source.close();
    return look.state === 'failed' ? `${look.failure.kind}: ${look.failure.message}` : look.state;
  };
  assert.equal(await ask(files), 'answer');
  assert.match(await ask(null), /^tls: .*(SELF_SIGNED|UNABLE_TO|LEAF)/);
  assert.match(await ask(files, listening.url.replace('localhost', '127.0.0.1')), /^tls: .*ALTNAME/);
  assert.match(await ask({ ca: pki.bundle, certificate: null, key: null }), /^(tls|network): /);
  assert.match(await ask({ ...files, certificate: '/nonexistent.pem' }), /^credentials: /);

  await using directory = await temporaryDirectory();
  const copy = path.join(directory.path, 'ca.pem');
  await using stranger = await makeTestPki();
  await writeFile(copy, await readFile(stranger.bundle));
  const source = prometheusSource(config(listening.url, { tls: { ...files, ca: copy }, timeoutMs: 5_000 }));
  assert.equal((await source.query('up')).state, 'failed');
  await writeFile(copy, await readFile(pki.bundle));
  await utimes(copy, 1, 1);
  assert.equal((await source.query('up')).state, 'answer');
  source.close();
  assert.deepEqual(new Set(peers), new Set(['certificate']));
});

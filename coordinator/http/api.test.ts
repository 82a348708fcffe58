import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { parseSpiffeId } from '../../config/spiffe-id.ts';
import { openTo } from '../../test/support/api-listener.ts';
import { DETAIL, EXECUTION, recordedService, type RecordedService } from '../../test/support/recorded-service.ts';
import { openApiDocument } from '../openapi.ts';
import { ROUTES } from '../routes.ts';
import { ApiFailure } from '../service.ts';
import { createApi } from './api.ts';
import { nodeSchema } from './node-schemas.ts';
import { decisionSchema, executionDetailSchema, statusSchema, workflowSchema } from './schemas.ts';

const ANN = parseSpiffeId('spiffe://example.com/person/ann');

/** The API as a function, with ann as its caller. */
const api = (service: RecordedService = recordedService()) => {
  const app = createApi({
    service,
    access: () => openTo(ANN.text),
    metrics: () => Promise.resolve('fettle_up 1\n'),
    log: pino({ level: 'silent' }),
    callerOf: () => ({
      verdict: { kind: 'caller', caller: { kind: 'identified', id: ANN } },
      closing: new AbortController().signal,
    }),
  });
  const send = async (method: string, path: string, body?: unknown) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const init =
      body === undefined ? { method } : { method, body: text, headers: { 'content-type': 'application/json' } };
    const response = await app.request(path, init);
    const answer = await response.text();
    return { status: response.status, headers: response.headers, text: answer, json: () => JSON.parse(answer) };
  };
  return { service, send };
};
const GOOD = { workflow: 'restart-service', target: { node: 'web-1' } };

describe('decisions over HTTP', () => {
  test('201 and Location when admitted, 200 when a duplicate', async () => {
    const admitted = await api().send('POST', '/v1/requests', GOOD);
    assert.equal(admitted.status, 201);
    assert.equal(admitted.headers.get('location'), '/v1/executions/restart-service:web-1:1-4k');
    const service = recordedService({
      request: () => Promise.resolve({ decision: 'duplicate', request_id: 'r', execution: EXECUTION.id }),
    });
    assert.equal((await api(service).send('POST', '/v1/requests', GOOD)).status, 200);
  });
  test('409 with every reason, and Retry-After when all of them know it', async () => {
    const refused = (...waits: (number | null)[]) =>
      recordedService({
        request: () =>
          Promise.resolve({
            decision: 'refused',
            request_id: 'r',
            code: 'limits',
            message: 'm',
            reasons: waits.map((wait) => ({
              constraint: 'maxExecution',
              scope: 'target',
              name: null,
              limit: 1,
              current: 1,
              retry_after_s: wait,
            })),
          }),
      });
    const known = await api(refused(10.2, 90.5)).send('POST', '/v1/requests', GOOD);
    assert.equal(known.status, 409);
    assert.equal(known.headers.get('retry-after'), '91');
    assert.equal(known.json().reasons.length, 2);
    assert.equal((await api(refused(10, null)).send('POST', '/v1/requests', GOOD)).headers.get('retry-after'), null);
  });
  test('what a service refuses keeps its status, code, details and Retry-After', async () => {
    const service = recordedService({
      request: () =>
        Promise.reject(new ApiFailure(503, 'gate_unreachable', 'try again', { retryAfterS: 0.2, details: { x: 1 } })),
    });
    const answer = await api(service).send('POST', '/v1/requests', GOOD);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get('retry-after'), '1');
    assert.deepEqual(answer.json(), { code: 'gate_unreachable', message: 'try again', details: { x: 1 } });
  });
  test('what nobody foresaw is a 500 that tells nothing of the inside', async () => {
    const service = recordedService({ nodes: () => Promise.reject(new Error('password=hunter2')) });
    const answer = await api(service).send('GET', '/v1/nodes');
    assert.equal(answer.status, 500);
    assert.equal(answer.json().code, 'internal');
    assert.ok(!answer.text.includes('hunter2'));
  });
  test('readyz says why requests cannot be decided', async () => {
    const service = recordedService({ notReady: () => Promise.resolve('cannot reach Temporal') });
    const answer = await api(service).send('GET', '/readyz');
    assert.equal(answer.status, 503);
    assert.equal(answer.json().message, 'cannot reach Temporal');
  });
});

describe('bad requests', () => {
  const identity = { source: 'prometheus.main/x', labels: {}, began_at: '2026-05-01T12:00:00Z', gap_s: 30 };
  const bad: [string, unknown, RegExp][] = [
    ['an unknown key', { ...GOOD, reson: 'x' }, /unknown key "reson"; did you mean reason\?/],
    [
      'an unknown key within',
      { ...GOOD, identity: { ...identity, gaps: 1 } },
      /identity: unknown key "gaps"; did you mean gap_s\?/,
    ],
    ['no workflow', { target: { node: 'a' } }, /workflow: /],
    ['a workflow that is a path', { ...GOOD, workflow: '../x' }, /workflow: not a workflow/],
    ['no target', { workflow: 'w' }, /target: not a target; write \{"node": "web-1"\}/],
    ['an empty target', { workflow: 'w', target: {} }, /not a target/],
    ['a target of two kinds', { workflow: 'w', target: { node: 'a', datacenter: 'b' } }, /not a target/],
    ['a node that is a list', { workflow: 'w', target: { node: ['a'] } }, /target/],
    ['args that are a list', { ...GOOD, args: [1] }, /args/],
    ['a request id with a space', { ...GOOD, request_id: 'a b' }, /request_id: not a request id/],
    ['a time that is none', { ...GOOD, issued_at: 'yesterday' }, /issued_at: not a time; write RFC 3339/],
    ['a gap of nothing', { ...GOOD, identity: { ...identity, gap_s: 0 } }, /gap_s/],
    [
      'an infinite gap',
      `{"workflow":"w","target":{"node":"a"},"identity":{"source":"a","labels":{},"began_at":"2026-05-01T12:00:00Z","gap_s":1e999}}`,
      /gap_s/,
    ],
    [
      '101 labels',
      {
        ...GOOD,
        identity: { ...identity, labels: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`l${n}`, 'x'])) },
      },
      /more than 100 labels/,
    ],
    ['a label that is a number', { ...GOOD, identity: { ...identity, labels: { a: 1 } } }, /identity\.labels\.a/],
    ['a list', [], /bad_body|expected object/i],
    ['null', 'null', /expected object/i],
    ['a dry run in words', { ...GOOD, dry_run: 'yes' }, /dry_run/],
  ];
  for (const [name, body, message] of bad) {
    test(`refuses ${name}`, async () => {
      const { send, service } = api();
      const answer = await send('POST', '/v1/requests', body);
      assert.equal(answer.status, 400);
      assert.equal(answer.json().code, 'bad_body');
      assert.match(answer.json().message, message);
      assert.deepEqual(service.calls, []);
    });
  }
  const queries: [string, RegExp][] = [
    ['?limt=3', /did you mean limit\?/],
    ['?limit=0', /limit: not a limit; write 1 to 500/],
    ['?limit=501', /not a limit/],
    ['?limit=1e2', /not a limit/],
    ['?limit=1&limit=2', /holds "limit" twice/],
    ['?outcome=cured', /outcome/],
    ['?since=2026', /since: not a time/],
    ['?__proto__=1', /unknown key/],
  ];
  for (const [query, message] of queries) {
    test(`refuses executions${query}`, async () => {
      const answer = await api().send('GET', `/v1/executions${query}`);
      assert.equal(answer.status, 400);
      assert.match(answer.json().message, message);
    });
  }
  test('other routes take no query at all', async () => {
    assert.equal((await api().send('GET', '/v1/nodes?x=1')).status, 400);
  });
  test('404 for no route and 405 with Allow for another method, never a redirect', async () => {
    const { send } = api();
    for (const path of ['/v1/nodes/', '/V1/nodes', '/v2/nodes', '/', '/v1/executions/a/b/c']) {
      const answer = await send('GET', path);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.json().code, 'no_such_route');
    }
    const other = await send('GET', '/v1/requests');
    assert.equal(other.status, 405);
    assert.equal(other.headers.get('allow'), 'POST');
  });
  test('the id of an execution goes through as it is', async () => {
    const { send, service } = api();
    await send('POST', '/v1/executions/restart-service:web-1:1-4k/cancel', { reason: 'x' });
    assert.deepEqual(service.calls.at(-1)?.args, ['restart-service:web-1:1-4k', 'x']);
    assert.equal((await send('GET', '/v1/executions/a@b')).json().code, 'bad_execution_id');
  });
});

describe('the OpenAPI document', () => {
  test('describes every route with its answers', async () => {
    const document = (await api().send('GET', '/v1/openapi.json')).json();
    assert.equal(document.openapi, '3.1.0');
    for (const { method, path, answers, body } of ROUTES) {
      const operation = document.paths[path]?.[method.toLowerCase()];
      assert.ok(operation, `${method} ${path}`);
      for (const status of Object.keys(answers)) assert.ok(operation.responses[status], `${method} ${path} ${status}`);
      assert.equal(operation.requestBody !== undefined, body !== null);
    }
    assert.equal(document.components.schemas.Request.additionalProperties, false);
    const ids = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    assert.equal(new Set(ids).size, ROUTES.length);
  });
  test('is the same each time', () => assert.deepEqual(openApiDocument('1'), openApiDocument('1')));
  test('describes what the service really gives', async () => {
    const service = recordedService();
    executionDetailSchema.parse(DETAIL);
    nodeSchema.array().parse(await service.nodes());
    workflowSchema.array().parse(await service.workflows());
    statusSchema.parse(await service.status());
    decisionSchema.parse({ decision: 'admitted', request_id: 'r', execution: 'e' });
  });
});

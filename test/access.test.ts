/** Every route × every kind of caller, over real sockets. A route without an expected answer here fails the test. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ROUTES } from '../coordinator/routes.ts';
import type { CoordinatorService } from '../coordinator/service.ts';
import { EKU } from '../identity/certificate-facts.ts';
import type { MintOptions } from '../identity/mint.ts';
import {
  ask,
  openTo,
  startApiListener,
  tlsOptionsOf,
  type ApiListener,
  type TestClient,
} from './support/api-listener.ts';
import { makeTestPki, type TestPki } from './support/ca.ts';

const IDENTITY = {
  source: 'prometheus.main/web-wedged',
  labels: { node: 'web-1' },
  began_at: '2026-05-01T12:00:00Z',
  gap_s: 30,
};

type Expected = {
  /** What a caller gets whom a rule lets in. */
  readonly status: number;
  /** What the service is then asked; null: nothing. */
  readonly asks: keyof CoordinatorService | null;
  readonly body?: object;
  readonly query?: string;
  /** Open to callers without a certificate by the example's `public` rule. */
  readonly public?: true;
  /** Open to agents' ids without any rule; nothing else is, be it public. */
  readonly agents?: true;
};

const EXPECTED: Readonly<Record<string, Expected>> = {
  'POST /v1/requests': {
    status: 201,
    asks: 'request',
    body: { workflow: 'restart-service', target: { node: 'web-1' } },
  },
  'POST /v1/episodes': { status: 200, asks: 'reportEpisode', body: { identity: IDENTITY, state: 'seen' } },
  'GET /v1/executions': { status: 200, asks: 'listExecutions' },
  'GET /v1/executions/{id}': { status: 200, asks: 'getExecution' },
  'GET /v1/executions/{id}/events': { status: 200, asks: 'executionEvents' },
  'POST /v1/executions/{id}/cancel': { status: 200, asks: 'cancelExecution', body: { reason: 'wrong host' } },
  'GET /v1/pending': { status: 200, asks: 'listPending' },
  'POST /v1/executions/{id}/approve': { status: 200, asks: 'approve', body: { plan: 'p' } },
  'POST /v1/executions/{id}/deny': { status: 200, asks: 'deny', body: { reason: 'not now' } },
  'POST /v1/pause': { status: 200, asks: 'pause', body: { scope: { everything: true }, reason: 'storm' } },
  'POST /v1/resume': { status: 200, asks: 'resume', body: { id: 'p-3f9a1c07', reason: 'over' } },
  'GET /v1/windows': { status: 200, asks: 'windows' },
  'POST /v1/windows': {
    status: 200,
    asks: 'addWindow',
    body: { scope: { node_types: ['web'] }, until: '2026-05-01T12:00:00Z', reason: 'release' },
  },
  'POST /v1/windows/{name}/remove': { status: 200, asks: 'removeWindow', body: { reason: 'done early' } },
  'GET /v1/decisions': { status: 200, asks: 'decisions' },
  'GET /v1/why': { status: 200, asks: 'why', query: '?node=web-1' },
  'GET /v1/limits': { status: 200, asks: 'limits', query: '?workflow=restart-service&node=web-1' },
  'GET /v1/nodes': { status: 200, asks: 'nodes' },
  'POST /v1/nodes/{name}/revoke': { status: 200, asks: 'changeNode', body: { reason: 'stolen' } },
  'POST /v1/nodes/{name}/restore': { status: 200, asks: 'changeNode', body: { reason: 'found' } },
  'POST /v1/nodes/{name}/unpin': { status: 200, asks: 'changeNode', body: { reason: 'new disk' } },
  'POST /v1/agent-token': { status: 200, asks: 'agentToken', body: { machine_id: 'm-1' }, agents: true },
  'GET /v1/jwks': { status: 200, asks: 'tokenKeys' },
  'GET /v1/workflows': { status: 200, asks: 'workflows' },
  'GET /v1/status': { status: 200, asks: 'status' },
  'GET /v1/openapi.json': { status: 200, asks: null },
  'GET /metrics': { status: 200, asks: null, public: true },
  'GET /healthz': { status: 200, asks: null },
  'GET /readyz': { status: 200, asks: 'notReady' },
};

type Outcome =
  | { readonly kind: 'in' }
  | { readonly kind: 'agent' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'rejected'; readonly code: string };
const LET_IN: Outcome = { kind: 'in' };
const CLOSED: Outcome = { kind: 'closed' };
const AGENT: Outcome = { kind: 'agent' };
const rejected = (code: string): Outcome => ({ kind: 'rejected', code });

const HOUR = 3_600_000;
/** Bad certificates, all of them signed by the right CA for a listed id unless they say otherwise. */
const BAD: Readonly<Record<string, { readonly override: Partial<MintOptions>; readonly code: string }>> = {
  'an expired certificate': {
    override: { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) },
    code: 'certificate_expired',
  },
  'a certificate that is not yet valid': {
    override: { notBefore: new Date(Date.now() + HOUR) },
    code: 'certificate_not_yet_valid',
  },
  'two URI SANs': {
    override: { uris: ['spiffe://example.com/person/ann', 'spiffe://example.com/person/bob'] },
    code: 'certificate_two_uris',
  },
  'no URI SAN': { override: { uris: [], dnsNames: ['ann.example.com'] }, code: 'certificate_no_uri' },
  'an https id': { override: { uris: ['https://example.com/person/ann'] }, code: 'certificate_bad_id' },
  'an upper-case trust domain': { override: { uris: ['spiffe://EXAMPLE.com/person/ann'] }, code: 'certificate_bad_id' },
  'a parent segment in its id': {
    override: { uris: ['spiffe://example.com/x/../person/ann'] },
    code: 'certificate_bad_id',
  },
  'an encoded segment in its id': {
    override: { uris: ['spiffe://example.com/person/%61nn'] },
    code: 'certificate_bad_id',
  },
  'an id without a path': { override: { uris: ['spiffe://example.com'] }, code: 'certificate_bad_id' },
  'an id of 3000 bytes': {
    override: { uris: [`spiffe://example.com/${'a'.repeat(3000)}`] },
    code: 'certificate_bad_id',
  },
  'a CA as leaf': { override: { ca: true, keyUsage: ['digitalSignature', 'keyCertSign'] }, code: 'certificate_is_ca' },
  'a CA without keyCertSign as leaf': { override: { ca: true }, code: 'certificate_is_ca' },
  'no key usage': { override: { keyUsage: null }, code: 'certificate_no_key_usage' },
  'a key usage that is not critical': {
    override: { keyUsageCritical: false },
    code: 'certificate_key_usage_not_critical',
  },
  keyCertSign: { override: { keyUsage: ['digitalSignature', 'keyCertSign'] }, code: 'certificate_may_sign' },
  cRLSign: { override: { keyUsage: ['digitalSignature', 'cRLSign'] }, code: 'certificate_may_sign' },
  'no digitalSignature': { override: { keyUsage: ['keyEncipherment'] }, code: 'certificate_no_digital_signature' },
  'EKU serverAuth only': { override: { extendedKeyUsage: [EKU.serverAuth] }, code: 'certificate_extended_key_usage' },
  'EKU clientAuth only': { override: { extendedKeyUsage: [EKU.clientAuth] }, code: 'certificate_extended_key_usage' },
  'an unknown critical extension': {
    override: { extra: [{ oid: '1.3.6.1.4.1.99999.1', critical: true, value: Buffer.from([5, 0]) }] },
    code: 'certificate_unknown_critical',
  },
  'an empty subject and a SAN that is not critical': {
    override: { commonName: null, altNameCritical: false },
    code: 'certificate_alt_name_not_critical',
  },
};

describe('every route and every kind of caller', () => {
  const stack = new AsyncDisposableStack();
  const callers = new Map<string, { readonly client: TestClient; readonly outcome: Outcome }>();
  let own: TestPki;
  let listener: ApiListener;

  before(async () => {
    own = stack.use(await makeTestPki('example.com'));
    const friend = stack.use(await makeTestPki('friend.test'));
    const stranger = stack.use(await makeTestPki('stranger.test'));
    const server = await own.issue('/coordinator');
    listener = stack.use(
      await startApiListener({
        identity: { ...server.identity, federated: [{ trustDomain: 'friend.test', bundle: friend.bundle }] },
        access: openTo(
          'spiffe://example.com/person/ann',
          'spiffe://friend.test/person/eve',
          'spiffe://example.com/agent/dc1/web/web-2',
        ),
      }),
    );
    const add = async (
      name: string,
      outcome: Outcome,
      from: TestPki,
      path: string,
      servername: string,
      override?: Partial<MintOptions>,
    ) => {
      const options = override === undefined ? {} : { override, name: name.replaceAll(/\W/g, '-') };
      const { certificate, key } = await from.issue(path, options);
      callers.set(name, { client: { certificate, key, bundle: own.bundle, servername }, outcome });
    };
    callers.set('no certificate', {
      client: { certificate: null, key: null, bundle: own.bundle, servername: 'example.com' },
      outcome: CLOSED,
    });
    await add('a listed id', LET_IN, own, '/person/ann', 'example.com');
    await add('a listed id under a host name that is no trust domain', LET_IN, own, '/person/ann2', 'c1.internal', {
      uris: ['spiffe://example.com/person/ann'],
    });
    await add('a valid id that no rule names', CLOSED, own, '/person/bob', 'example.com');
    await add('an agent', AGENT, own, '/agent/dc1/web/web-1', 'example.com');
    await add('an agent that a rule names', AGENT, own, '/agent/dc1/web/web-2', 'example.com');
    await add('an id that only begins like an agent', CLOSED, own, '/agent/dc1/web', 'example.com');
    await add('a longer id than the listed one', CLOSED, own, '/person/ann/x', 'example.com');
    await add('a listed id of a federated domain', LET_IN, friend, '/person/eve', 'friend.test');
    await add('an id of a federated domain that no rule names', CLOSED, friend, '/person/ann', 'friend.test');
    await add(
      'a federated id in the own domain context',
      rejected('certificate_other_trust_domain'),
      friend,
      '/person/eve2',
      'example.com',
      {
        uris: ['spiffe://friend.test/person/eve'],
      },
    );
    await add(
      'a domain that is not configured',
      rejected('certificate_unknown_trust_domain'),
      stranger,
      '/person/ann',
      'stranger.test',
    );
    const forged = { uris: ['spiffe://example.com/person/ann'] };
    await add(
      'an own id signed by a stranger',
      rejected('certificate_untrusted'),
      stranger,
      '/forged',
      'example.com',
      forged,
    );
    await add(
      'an own id signed by a federated CA, own context',
      rejected('certificate_untrusted'),
      friend,
      '/forged',
      'example.com',
      forged,
    );
    await add(
      'an own id signed by a federated CA, its context',
      rejected('certificate_other_trust_domain'),
      friend,
      '/forged2',
      'friend.test',
      forged,
    );
    for (const [name, { override, code }] of Object.entries(BAD)) {
      await add(name, rejected(code), own, '/person/ann', 'example.com', override);
    }
  });
  after(() => stack.disposeAsync());

  for (const route of ROUTES) {
    const name = `${route.method} ${route.path}`;
    test(name, async () => {
      const expected = EXPECTED[name];
      assert.ok(expected, `${name} has no expected answer: add it to EXPECTED`);
      for (const [who, { client, outcome }] of callers) {
        listener.service.calls.length = 0;
        const names = route.path.replace('{id}', 'restart-service:web-1:1-4k').replace('{name}', 'w-3f9a1c07');
        const path = names + (expected.query ?? '');
        const body = expected.body === undefined ? undefined : JSON.stringify(expected.body);
        const options = { ...(await tlsOptionsOf(client)), port: listener.port, method: route.method, path };
        const answer = await ask(options, body);
        const asked = listener.service.calls.map((call) => call.method);
        const letIn = { in: true, closed: expected.public === true, agent: expected.agents === true, rejected: false };
        if (letIn[outcome.kind]) {
          assert.equal(answer.status, expected.status, `${who}: ${answer.text}`);
          assert.equal(asked.at(-1) ?? null, expected.asks, who);
          continue;
        }
        const code = outcome.kind === 'rejected' ? outcome.code : 'not_allowed';
        assert.equal(answer.status, outcome.kind === 'rejected' ? 401 : 403, `${who}: ${answer.text}`);
        assert.equal(JSON.parse(answer.text).code, code, who);
        assert.deepEqual(asked, [], `${who} reached the service`);
      }
    });
  }

  test('no route is expected that does not exist', () => {
    assert.deepEqual(
      Object.keys(EXPECTED).toSorted(),
      ROUTES.map((route) => `${route.method} ${route.path}`).toSorted(),
    );
  });

  test('a path that no route serves is closed to whom no rule names, and 404 to others', async () => {
    for (const [who, status] of [
      ['a listed id', 404],
      ['a valid id that no rule names', 403],
      ['no certificate', 403],
    ] as const) {
      const caller = callers.get(who);
      assert.ok(caller);
      const answer = await ask({ ...(await tlsOptionsOf(caller.client)), port: listener.port, path: '/v1/nothing' });
      assert.equal(answer.status, status, who);
    }
  });

  test('every denial leaves a line with its reason, whatever a rule hides', () => {
    const denied = listener.log.filter((line) => line.msg === 'denied');
    assert.ok(denied.some((line) => line['status'] === 401 && line['path'] === '/metrics'));
    assert.ok(denied.every((line) => typeof line['reason'] === 'string'));
    assert.ok(!listener.log.some((line) => line.msg === 'answered' && line['path'] === '/metrics'));
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AccessConfig, RouteRule, SourceRule, WorkflowRule } from '../config/coordinator.ts';
import { parseSpiffeId } from '../config/spiffe-id.ts';
import { matchesId, matchesPath, mayDo, maySpeakFor, mayUseRoute } from './access.ts';
import type { Caller } from './service.ts';

const place = { file: 'c.hcl', line: 7, column: 1 };
const ADMIN = 'spiffe://example.com/worker-admin';
const caller = (id: string): Caller => ({ kind: 'identified', id: parseSpiffeId(id) });
const anonymous: Caller = { kind: 'anonymous' };
const admin = caller(ADMIN);
const other = caller('spiffe://example.com/other');
const AGENT = 'spiffe://example.com/agent/dc1/web/web-1';
const agent = caller(AGENT);

const route = (rule: Partial<RouteRule>): RouteRule => ({
  place,
  name: 'r',
  method: 'GET',
  routePatterns: ['/*'],
  uris: [],
  allowPublic: false,
  skipLogMatch: false,
  ...rule,
});
const workflow = (rule: Partial<WorkflowRule>): WorkflowRule => ({
  place,
  name: 'w',
  workflows: ['*'],
  nodeTypes: ['*'],
  uris: [ADMIN],
  verbs: ['run'],
  ...rule,
});
const access = (
  routeRules: RouteRule[],
  workflowRules: WorkflowRule[] = [],
  sourceRules: SourceRule[] = [],
): AccessConfig => ({
  routeRules,
  workflowRules,
  sourceRules,
});

/** The file known from the field. */
const FIELD = access([
  route({ name: 'global_get', uris: [ADMIN] }),
  route({ name: 'global_post', method: 'POST', uris: [ADMIN], allowPublic: true }),
  route({ name: 'public_access', routePatterns: ['/metrics'], allowPublic: true, skipLogMatch: true }),
]);

describe('route rules', () => {
  const cases: [string, AccessConfig, Caller, string, string, string | null][] = [
    ['nothing is open without a rule', access([]), admin, 'GET', '/healthz', null],
    ['a named id may use what its rule names', FIELD, admin, 'GET', '/v1/nodes', 'global_get'],
    ['another id may not', FIELD, other, 'GET', '/v1/nodes', null],
    ['nor may a caller without a certificate', FIELD, anonymous, 'GET', '/v1/nodes', null],
    ['allow_public opens for all', FIELD, anonymous, 'POST', '/v1/requests', 'global_post'],
    ['a public path is open to all', FIELD, anonymous, 'GET', '/metrics', 'public_access'],
    ['HEAD is what GET is', FIELD, anonymous, 'HEAD', '/metrics', 'public_access'],
    ['no other method is', FIELD, admin, 'DELETE', '/metrics', null],
    ['methods are compared as they stand', FIELD, admin, 'get', '/v1/nodes', null],
    ['a public path opens nothing below it', FIELD, anonymous, 'GET', '/metrics/x', null],
    ['an agent gets its token without a rule', access([]), agent, 'POST', '/v1/agent-token', 'agents'],
    ['and nothing else, be it public', FIELD, agent, 'GET', '/metrics', null],
    ['nor by a public POST', FIELD, agent, 'POST', '/v1/requests', null],
    ['nor by a rule that names it', access([route({ uris: [AGENT] })]), agent, 'GET', '/v1/nodes', null],
    ['a token is not for others without a rule', access([]), admin, 'POST', '/v1/agent-token', null],
    ['nor anything that begins like it', FIELD, anonymous, 'GET', '/metricsx', null],
    ['nor another case of it', FIELD, anonymous, 'GET', '/METRICS', null],
  ];
  for (const [name, config, who, method, path, rule] of cases) {
    test(name, () => {
      const decision = mayUseRoute(config, who, method, path);
      assert.equal(decision.allowed ? decision.rule : null, rule, decision.reason);
    });
  }
  test('skip_log_match hides only what a rule lets in', () => {
    const decision = mayUseRoute(FIELD, admin, 'GET', '/metrics');
    assert.ok(decision.allowed && decision.skipLog);
    const shown = mayUseRoute(FIELD, admin, 'GET', '/v1/nodes');
    assert.ok(shown.allowed && !shown.skipLog);
  });
  test('a denial says which rules were not enough and what to do', () => {
    assert.match(
      mayUseRoute(FIELD, anonymous, 'GET', '/v1/nodes').reason,
      /does not name anonymous; show a client certificate/,
    );
    assert.match(mayUseRoute(access([]), other, 'GET', '/v1/nodes').reason, /no route_rule covers GET \/v1\/nodes/);
  });
});

describe('patterns', () => {
  const paths: [string, string, boolean][] = [
    ['/*', '/', true],
    ['/*', '/v1/x', true],
    ['/v1/*', '/v1/x', true],
    ['/v1/*', '/v1/x/y', true],
    ['/v1/*', '/v1/', false],
    ['/v1/*', '/v1', false],
    ['/v1/*', '/v10/x', false],
    ['/v1/nodes', '/v1/nodes/', false],
  ];
  for (const [pattern, path, fits] of paths) {
    test(`${pattern} ${fits ? 'fits' : 'does not fit'} ${path}`, () => assert.equal(matchesPath(pattern, path), fits));
  }
  const ids: [string, string, boolean][] = [
    ['spiffe://a.test/x', 'spiffe://a.test/x', true],
    ['spiffe://a.test/x', 'spiffe://a.test/x/y', false],
    ['spiffe://a.test/x/*', 'spiffe://a.test/x/y', true],
    ['spiffe://a.test/x/*', 'spiffe://a.test/x/y/z', false],
    ['spiffe://a.test/x/*', 'spiffe://a.test/x', false],
    ['spiffe://a.test/*', 'spiffe://a.test/x', true],
    ['spiffe://a.test/*', 'spiffe://a.test.evil/x', false],
    ['spiffe://*', 'spiffe://a.test/x', false],
    ['spiffe:/*', 'spiffe://a.test/x', false],
    ['*', 'spiffe://a.test/x', false],
    ['spiffe://a.test/x*', 'spiffe://a.test/xy', false],
    ['anonymous', 'spiffe://a.test/anonymous', false],
  ];
  for (const [pattern, id, fits] of ids) {
    test(`${pattern} ${fits ? 'fits' : 'does not fit'} ${id}`, () =>
      assert.equal(matchesId(pattern, parseSpiffeId(id)), fits));
  }
});

describe('workflow rules', () => {
  const subject = (name: string, ...nodeTypes: string[]) => ({ workflow: name, nodeTypes });
  const onlyWeb = workflow({ workflows: ['restart'], nodeTypes: ['web'], verbs: ['run', 'cancel'] });
  const cases: [
    string,
    WorkflowRule[],
    Caller,
    'run' | 'cancel' | 'approve' | 'pause' | 'break_glass',
    ReturnType<typeof subject>,
    boolean,
  ][] = [
    ['without any, an identified caller may', [], other, 'run', subject('restart', 'web'), true],
    ['without any, an anonymous caller may not', [], anonymous, 'run', subject('restart', 'web'), false],
    ['without any, nobody may break glass', [], admin, 'break_glass', subject('restart', 'web'), false],
    ['breaking glass needs its own word', [workflow({})], admin, 'break_glass', subject('restart', 'web'), false],
    [
      'and with it, one may',
      [workflow({ verbs: ['break_glass'] })],
      admin,
      'break_glass',
      subject('restart', 'web'),
      true,
    ],
    ['a rule lets in whom it names', [onlyWeb], admin, 'run', subject('restart', 'web'), true],
    ['with one rule, nobody else may', [onlyWeb], other, 'run', subject('restart', 'web'), false],
    ['nor with another verb', [onlyWeb], admin, 'pause', subject('restart', 'web'), false],
    ['nor another workflow', [onlyWeb], admin, 'run', subject('reboot', 'web'), false],
    ['nor on another node type', [onlyWeb], admin, 'run', subject('restart', 'db'), false],
    ['nor where only some of the types are open', [onlyWeb], admin, 'run', subject('restart', 'web', 'db'), false],
    [
      'two rules may open two types',
      [onlyWeb, workflow({ nodeTypes: ['db'] })],
      admin,
      'run',
      subject('restart', 'web', 'db'),
      true,
    ],
    ['no types at all means every type', [onlyWeb], admin, 'run', subject('restart'), false],
    ['which a rule for all types opens', [workflow({})], admin, 'run', subject('restart'), true],
    [
      '`*` of uris names nobody without a certificate',
      [workflow({ uris: ['*'] })],
      anonymous,
      'run',
      subject('restart', 'web'),
      false,
    ],
    ['`anonymous` does', [workflow({ uris: ['anonymous'] })], anonymous, 'run', subject('restart', 'web'), true],
    ['and only those without one', [workflow({ uris: ['anonymous'] })], other, 'run', subject('restart', 'web'), false],
  ];
  for (const [name, rules, who, verb, what, may] of cases) {
    test(name, () => {
      const decision = mayDo(access([], rules), who, verb, what);
      assert.equal(decision.allowed, may, decision.reason);
    });
  }
});

describe('source rules', () => {
  const rule = (sources: string[], uris = [ADMIN]): SourceRule => ({ place, sources, uris });
  const cases: [string, SourceRule[], Caller, string, boolean][] = [
    ['without any, an identified caller may speak', [], other, 'prometheus.main/down', true],
    ['without any, an anonymous caller may not', [], anonymous, 'prometheus.main/down', false],
    ['a source is named without its triggers', [rule(['prometheus.main'])], admin, 'prometheus.main/down', true],
    ['or with one', [rule(['prometheus.main/down'])], admin, 'prometheus.main/down', true],
    ['which opens no other', [rule(['prometheus.main/down'])], admin, 'prometheus.main/up', false],
    ['nor a source that begins like it', [rule(['prometheus.main'])], admin, 'prometheus.main2/down', false],
    ['`*` is every source', [rule(['*'])], admin, 'x/y', true],
    ['with one rule, nobody else may speak', [rule(['*'])], other, 'x/y', false],
  ];
  for (const [name, rules, who, source, may] of cases) {
    test(name, () => {
      const decision = maySpeakFor(access([], [], rules), who, source);
      assert.equal(decision.allowed, may, decision.reason);
    });
  }
});

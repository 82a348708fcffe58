import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiError, ApiLimit, ApiPaused, ApiPendingDetail, ApiStatus, ApiWindow } from '../workflows/api.ts';
import { type Answer, DETAIL, EXECUTION, eventStream, PENDING, scriptedCoordinator, STATUS } from './testing.ts';

const ok = (body: unknown, status = 200): Answer => ({ status, body });
const failure = (status: number, code: string, message: string): Answer => ({
  status,
  body: { code, message } satisfies ApiError,
});
const PAUSED: ApiPaused = {
  id: 'p-3f9a1c07',
  scope: { everything: true },
  reason: 'alert storm',
  by: 'spiffe://example.com/person/ann',
  since: '2026-11-21T12:00:00Z',
  until: '2026-11-21T12:30:00Z',
  outstanding: [{ execution: EXECUTION.id, begins_by: '2026-11-21T12:00:15Z' }],
  quiet_after: '2026-11-21T12:00:15Z',
};
const bodyOf = (asked: { readonly body: unknown } | undefined): Record<string, unknown> => {
  const { request_id: _, ...body } = (asked?.body ?? {}) as Record<string, unknown>;
  return body;
};

test('pause says what is stopped, what may still begin and until when, and how to lift it', async () => {
  await using coordinator = await scriptedCoordinator({ 'POST /v1/pause': ok(PAUSED) });
  const { code, out } = await coordinator.fettle(['pause', 'everything', '--reason', 'alert storm', '--for', '30m']);
  assert.equal(code, 0);
  assert.equal(
    out,
    [
      'paused  everything  p-3f9a1c07  until 12:30:00Z in 30m',
      'Permitted before; after 12:00:15Z in 15s nothing begins any more, other than undoing:',
      `  ${EXECUTION.id} may begin a step until 12:00:15Z in 15s`,
      'Lift it: fettle resume p-3f9a1c07 --reason "..."',
      '',
    ].join('\n'),
  );
  assert.deepEqual(bodyOf(coordinator.asked[0]), { scope: { everything: true }, reason: 'alert storm', for_s: 1800 });
});

const SCOPES: [string[], object][] = [
  [['workflow', 'restart-service'], { workflow: 'restart-service' }],
  [['datacenter', 'dc1'], { datacenter: 'dc1' }],
  [['node_type', 'web'], { node_type: 'web' }],
  [['node-type', 'web'], { node_type: 'web' }],
  [['node', 'web-1'], { node: 'web-1' }],
];
for (const [words, scope] of SCOPES) {
  test(`pause ${words.join(' ')} stops that and no more`, async () => {
    await using coordinator = await scriptedCoordinator({
      'POST /v1/pause': ok({ ...PAUSED, scope, outstanding: [] }),
    });
    const { code, out } = await coordinator.fettle(['pause', ...words, '--reason', 'r']);
    assert.equal(code, 0);
    assert.match(out, /No step is permitted any more/);
    assert.deepEqual(bodyOf(coordinator.asked[0])['scope'], scope);
  });
}

for (const words of [[], ['everything', 'web-1'], ['workflow'], ['cluster', 'x']]) {
  test(`"pause ${words.join(' ')}" stops nothing: what is meant is not said`, async () => {
    await using coordinator = await scriptedCoordinator({});
    const { code, err } = await coordinator.fettle(['pause', ...words, '--reason', 'r']);
    assert.equal(code, 2);
    assert.match(err, /try: fettle pause --help/);
    assert.deepEqual(coordinator.asked, []);
  });
}

test('pause of something unknown fails with what there is, so that nobody believes a typo is stopped', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/pause': failure(404, 'unknown_scope', 'there is no node "web-11": there are web-1, web-2'),
  });
  const { code, out, err } = await coordinator.fettle(['pause', 'node', 'web-11', '--reason', 'r']);
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /there are web-1, web-2 \(unknown_scope\); try: fettle nodes/);
});

const BREAKER = {
  id: 'breaker:restart-service:n:web-1',
  workflow: 'restart-service',
  scope: 'node',
  of: 'web-1',
  limit: 3,
  streak: 3,
  since: '2026-11-21T11:50:00Z',
  last_execution: EXECUTION.id,
};
const WINDOW: ApiWindow = {
  name: 'w-3f9a1c07',
  scope: { node_types: ['db'], datacenters: ['dc1'] },
  from: '2026-11-21T11:00:00Z',
  until: '2026-11-21T14:00:00Z',
  source: 'person',
  by: 'spiffe://example.com/person/ann',
  reason: 'schema change',
};
const STANDING: ApiStatus = {
  ...STATUS,
  gate: {
    ...STATUS.gate,
    state: 'paused',
    waiting: 2,
    pauses: [PAUSED],
    windows: [WINDOW, { ...WINDOW, name: 'w-later', from: '2026-11-21T13:00:00Z' }],
    breakers: [BREAKER],
    orphans: [{ execution: EXECUTION.id, unsettled: ['restart #1 on web-1'] }],
    disagreements: [
      {
        workflow: 'restart-service',
        definitions: [
          { digest: 'aaaaaaaaaa', announced_by: ['c1'] },
          { digest: 'bbbbbbbbbb', announced_by: ['c2', 'c3'] },
        ],
      },
    ],
  },
  strays: [{ execution: 'restart-service:web-9:1-9', why: 'no_lease' }],
};

test('status shows all that stands in the way, who put it there, and the command that lifts it', async () => {
  await using coordinator = await scriptedCoordinator({ 'GET /v1/status': ok(STANDING) });
  const { code, out, err } = await coordinator.fettle(['status']);
  assert.equal(code, 1);
  for (const part of [
    /^gate +paused, 2 leases, 1 orphaned, 2 waiting$/m,
    /^paused +everything: alert storm \(spiffe:\/\/example\.com\/person\/ann, 12:00:00Z 0s ago, until 12:30:00Z in 30m\)$/m,
    /^ +lift: fettle resume p-3f9a1c07 --reason "\.\.\."$/m,
    /^window +w-3f9a1c07: node type db; datacenter dc1, until 14:00:00Z in 2h \(schema change, /m,
    /^ +lift: fettle window remove w-3f9a1c07 /m,
    /^breaker +restart-service on node web-1: 3 in a row did not heal/m,
    /^ +lift: fettle resume breaker:restart-service:n:web-1 /m,
    /^orphan +restart-service:web-1:1-7: not settled: restart #1 on web-1$/m,
    /^ +lift: fettle lease free restart-service:web-1:1-7 --config FILE /m,
    /^differ +coordinators define restart-service differently: c1 as aaaaaaaa; c2, c3 as bbbbbbbb/m,
    /^stray +restart-service:web-9:1-9: runs without a lease/m,
  ])
    assert.match(out, part);
  assert.ok(!out.includes('w-later'), 'a window to come is not in force');
  assert.match(err, /everything is paused/);
});

test('status of a quarantined gate says how a person takes it back', async () => {
  const gate = { ...STATUS.gate, state: 'quarantined', detail: 'this gate was reset' };
  await using coordinator = await scriptedCoordinator({ 'GET /v1/status': ok({ ...STATUS, gate }) });
  const { code, out, err } = await coordinator.fettle(['status']);
  assert.equal(code, 1);
  assert.match(out, /^gate +quarantined.*: this gate was reset$/m);
  assert.match(err, /fettle gate adopt --config FILE/);
});

test('resume lifts by id; --all lifts every pause and no breaker; without either it says what stands', async () => {
  await using coordinator = await scriptedCoordinator({
    'GET /v1/status': ok(STANDING),
    'POST /v1/resume': ok({ id: PAUSED.id, what: 'pause', by: 'ann' }),
  });
  const one = await coordinator.fettle(['resume', PAUSED.id, '--reason', 'over']);
  assert.equal(one.code, 0);
  assert.match(one.out, /^p-3f9a1c07 +pause$/m);
  const all = await coordinator.fettle(['resume', '--all', '--reason', 'over']);
  assert.equal(all.code, 0);
  assert.deepEqual(
    coordinator.asked.filter(({ method }) => method === 'POST').map(({ body }) => body),
    [
      { id: PAUSED.id, reason: 'over' },
      { id: PAUSED.id, reason: 'over' },
    ],
  );
  const none = await coordinator.fettle(['resume', '--reason', 'over']);
  assert.equal(none.code, 2);
  assert.match(none.err, /p-3f9a1c07 {2}everything: alert storm/);
  assert.match(none.err, /breaker:restart-service:n:web-1 {2}restart-service on node web-1/);
});

test('windows are added with all that they cover, listed, and taken away', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/windows': ok(WINDOW),
    'GET /v1/windows': ok([WINDOW]),
    [`POST /v1/windows/${WINDOW.name}/remove`]: ok(WINDOW),
  });
  const scope = ['--node-type', 'db', '--node-type', 'cache', '--datacenter', 'dc1'];
  const added = await coordinator.fettle(['window', 'add', ...scope, '--for', '2h', '--reason', 'schema change']);
  assert.equal(added.code, 0);
  assert.match(added.err, /fettle window remove w-3f9a1c07/);
  assert.deepEqual(bodyOf(coordinator.asked[0]), {
    scope: { node_types: ['db', 'cache'], datacenters: ['dc1'] },
    until: '2026-11-21T14:00:00.000Z',
    reason: 'schema change',
  });
  const listed = await coordinator.fettle(['window', 'list']);
  assert.match(listed.out, /^w-3f9a1c07 +in force +node type db; datacenter dc1 +11:00:00Z 1h ago +14:00:00Z in 2h /m);
  const removed = await coordinator.fettle(['window', 'remove', WINDOW.name, '--reason', 'done']);
  assert.equal(removed.code, 0);
  assert.deepEqual(coordinator.asked.at(-1)?.body, { reason: 'done' });
});

for (const words of [
  ['--for', '2h'],
  ['--node', 'web-1'],
  ['--everything', '--node', 'web-1', '--for', '2h'],
  ['--node', 'web-1', '--until', 'tomorrow'],
  ['--node', 'web-1', '--until', '2026-11-21T14:00:00Z', '--for', '2h'],
]) {
  test(`"window add ${words.join(' ')}" adds nothing`, async () => {
    await using coordinator = await scriptedCoordinator({});
    const { code, err } = await coordinator.fettle(['window', 'add', ...words, '--reason', 'r']);
    assert.equal(code, 2);
    assert.match(err, /try: fettle window add --help/);
    assert.deepEqual(coordinator.asked, []);
  });
}

test('limits show what is taken, by what, and when it can be free', async () => {
  const limit = (more: Partial<ApiLimit>): ApiLimit => ({
    constraint: 'maxExecution',
    scope: 'node_type',
    name: null,
    of: 'web',
    limit: 2,
    current: 2,
    retry_after_s: 90,
    free: 0,
    holders: [EXECUTION.id],
    starts: ['2026-11-21T11:00:00Z'],
    ...more,
  });
  await using coordinator = await scriptedCoordinator({
    'GET /v1/limits': ok([
      limit({}),
      limit({ constraint: 'concurrency', name: 'reboots', scope: 'global', of: '', current: 1, free: 1, starts: [] }),
    ]),
  });
  const { code, out } = await coordinator.fettle(['limits', 'restart-service', '--node', 'web-1']);
  assert.equal(code, 0);
  assert.match(out, /^maxExecution +node_type web +2\/2 +in 1m30s +restart-service:web-1:1-7, 1 ended$/m);
  assert.match(out, /^reboots +global +1\/2 +now +restart-service:web-1:1-7$/m);
  assert.equal(coordinator.asked[0]?.path, '/v1/limits?workflow=restart-service&node=web-1');
  assert.equal((await coordinator.fettle(['limits', 'restart-service'])).code, 2);
});

const WAITS: ApiPendingDetail = {
  pending: PENDING.pending,
  state: 'waiting',
  outcome: null,
  execution: null,
  message: 'waits for a yes',
  request: PENDING,
  asked: { args: { unit: 'web.service' }, reason: 'alert', evidence: 'probe_success is 0' },
};
const ENDED: ApiPendingDetail = {
  ...WAITS,
  state: 'ended',
  outcome: 'admitted',
  execution: EXECUTION.id,
  request: null,
  asked: null,
};
const APPROVED = { pending: PENDING.pending, by: 'ann', execution: EXECUTION.id, message: 'approved; it has started' };

test('approve shows what it approves and says yes to the plan that it showed', async () => {
  await using coordinator = await scriptedCoordinator({
    [`GET /v1/executions/${PENDING.pending}`]: ok(WAITS),
    [`POST /v1/executions/${PENDING.pending}/approve`]: ok(APPROVED),
  });
  const { code, out, err } = await coordinator.fettle(['approve', '4k9']);
  assert.equal(code, 0);
  for (const part of ['restart-service', 'web-2', 'unit=web.service', 'person/bob', 'plan-abc'])
    assert.ok(out.includes(part), `${part}\nis not in\n${out}`);
  assert.match(out, /^approved {2}approved; it has started$/m);
  assert.match(err, /fettle watch restart-service:web-1:1-7/);
  assert.deepEqual(coordinator.asked.at(-1)?.body, { plan: 'plan-abc' });
});

test('approve refuses another plan than the one named, and what waits no more', async () => {
  await using coordinator = await scriptedCoordinator({
    [`GET /v1/executions/${PENDING.pending}`]: [ok(WAITS), ok({ ...ENDED, outcome: 'denied', execution: null })],
  });
  const other = await coordinator.fettle(['approve', PENDING.pending, '--plan', 'plan-xyz']);
  assert.equal(other.code, 6);
  assert.match(other.err, /waits with plan plan-abc, not with plan-xyz/);
  assert.equal((await coordinator.fettle(['approve', PENDING.pending])).code, 6);
  assert.ok(coordinator.asked.every(({ method }) => method === 'GET'));
});

test('approve --break-glass needs a reason; who asked is told to find somebody else', async () => {
  await using coordinator = await scriptedCoordinator({
    [`GET /v1/executions/${PENDING.pending}`]: ok(WAITS),
    [`POST /v1/executions/${PENDING.pending}/approve`]: [
      failure(403, 'same_person', 'whoever asked cannot approve'),
      ok(APPROVED),
    ],
  });
  assert.equal((await coordinator.fettle(['approve', PENDING.pending, '--break-glass'])).code, 2);
  const same = await coordinator.fettle(['approve', PENDING.pending]);
  assert.equal(same.code, 4);
  assert.match(same.err, /whoever asked cannot approve \(same_person\); try: somebody else/);
  const glass = await coordinator.fettle(['approve', PENDING.pending, '--break-glass', '--reason', 'alone on call']);
  assert.equal(glass.code, 0);
  assert.deepEqual(coordinator.asked.at(-1)?.body, { plan: 'plan-abc', reason: 'alone on call', break_glass: true });
});

test('deny and cancel end what waits', async () => {
  await using coordinator = await scriptedCoordinator({
    [`POST /v1/executions/${PENDING.pending}/deny`]: ok({ ...APPROVED, execution: null, message: 'denied' }),
    [`POST /v1/executions/${PENDING.pending}/cancel`]: ok({ ...ENDED, outcome: 'cancelled', execution: null }),
  });
  assert.equal((await coordinator.fettle(['deny', PENDING.pending, '--reason', 'no'])).code, 0);
  const cancelled = await coordinator.fettle(['cancel', PENDING.pending, '--reason', 'wrong']);
  assert.equal(cancelled.code, 0);
  assert.match(cancelled.out, /^pending:4k9 {2}ended \(cancelled\)/);
});

test('ps shows what waits: for what, in which place, and when it asks again', async () => {
  const second = { ...PENDING, pending: 'pending:5x1', waits_for: 'limits', place: 2, target: 'web-3' };
  const reasons = [
    { constraint: 'concurrency', scope: 'global', name: 'reboots', limit: 5, current: 5, retry_after_s: 60 },
  ];
  await using coordinator = await scriptedCoordinator({
    'GET /v1/executions': ok([EXECUTION]),
    'GET /v1/pending': ok([PENDING, { ...second, reasons }]),
  });
  const { code, out } = await coordinator.fettle(['ps']);
  assert.equal(code, 0);
  assert.match(out, /^restart-service:web-1:1-7 +running /m);
  assert.match(out, /^pending:4k9 +pending +restart-service +web-2 +a yes: fettle approve +1 +12:05:00Z in 5m /m);
  assert.match(out, /^pending:5x1 +pending +restart-service +web-3 +reboots per global +3 +12:05:00Z in 5m /m);
  const one = await coordinator.fettle(['ps', '--node', 'web-2', '-o', 'json']);
  assert.deepEqual(
    JSON.parse(one.out).pending.map((row: { pending: string }) => row.pending),
    ['pending:4k9'],
  );
});

test('ps shows what runs although this caller may not see what waits', async () => {
  await using coordinator = await scriptedCoordinator({
    'GET /v1/executions': ok([EXECUTION]),
    'GET /v1/pending': failure(403, 'not_allowed', 'no route_rule names you'),
  });
  const { code, out, err } = await coordinator.fettle(['ps']);
  assert.equal(code, 0);
  assert.match(out, /^restart-service:web-1:1-7 +running /m);
  assert.match(err, /what waits is not shown: no route_rule names you/);
});

test('show of what waits says what it waits for and how to answer; afterwards, what it became', async () => {
  await using coordinator = await scriptedCoordinator({
    [`GET /v1/executions/${PENDING.pending}`]: [ok(WAITS), ok(ENDED)],
  });
  const waits = await coordinator.fettle(['show', PENDING.pending]);
  assert.match(waits.out, /^pending:4k9 {2}pending: waits for a yes$/m);
  assert.match(waits.out, /^Say yes: fettle approve pending:4k9/m);
  const ended = await coordinator.fettle(['show', PENDING.pending]);
  assert.match(ended.out, /ended \(admitted\).*\n\nIts execution: fettle show restart-service:web-1:1-7$/m);
});

const RUN = ['run', 'restart-service', '--node', 'web-2', '--arg', 'unit=web.service'];
const pendingAnswer = ok({ decision: 'pending', request_id: 'r', ...PENDING }, 202);

test('run --wait waits for limits too, says what for, and follows what it becomes', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/requests': pendingAnswer,
    [`GET /v1/executions/${PENDING.pending}`]: [ok(WAITS), ok(ENDED)],
    [`GET /v1/executions/${EXECUTION.id}/events`]: eventStream([]),
    [`GET /v1/executions/${EXECUTION.id}`]: ok(DETAIL),
  });
  const { code, out, err } = await coordinator.fettle([...RUN, '--wait', '10m']);
  assert.equal(code, 0);
  assert.match(out, /^pending {2}pending:4k9: waits for a yes\nrestart-service:web-1:1-7 {2}healed/);
  assert.match(err, /^pending:4k9 waits for a yes: fettle approve\.$/m);
  assert.equal(bodyOf(coordinator.asked[0])['wait_s'], 600);
});

for (const [outcome, exit] of [
  ['denied', 6],
  ['expired', 6],
  ['cancelled', 5],
  ['no_fault', 0],
] as const) {
  test(`run --wait of a wait that ends ${outcome} exits ${exit}`, async () => {
    await using coordinator = await scriptedCoordinator({
      'POST /v1/requests': pendingAnswer,
      [`GET /v1/executions/${PENDING.pending}`]: ok({ ...ENDED, outcome, execution: null, message: 'so it is' }),
    });
    const { code, out } = await coordinator.fettle([...RUN, '--wait']);
    assert.equal(code, exit);
    assert.match(out, new RegExp(`${outcome}: so it is`));
  });
}

test('run --wait gives up after the time allowed, and the request waits on', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/requests': pendingAnswer,
    [`GET /v1/executions/${PENDING.pending}`]: ok(WAITS),
  });
  const { code, err } = await coordinator.fettle([...RUN, '--wait', '200ms']);
  assert.equal(code, 124);
  assert.match(err, /it waits on; try: fettle show pending:4k9/);
});

test('run in shadow says plainly that nothing runs, and what would have been', async () => {
  const shadow = { decision: 'shadow', request_id: 'r', message: 'every limit has room', reasons: [] };
  await using coordinator = await scriptedCoordinator({
    'POST /v1/requests': [ok({ ...shadow, would: 'admitted' }), ok({ ...shadow, would: 'refused' })],
  });
  const admitted = await coordinator.fettle(RUN);
  assert.equal(admitted.code, 0);
  assert.match(admitted.out, /^shadow, nothing runs; would be admitted: every limit has room$/m);
  assert.equal((await coordinator.fettle([...RUN, '--wait'])).code, 6);
});

test('what waits and what is paused cannot act on the terminal', async () => {
  const evil = '\u001b]0;owned\u0007\u202e';
  const gate = {
    ...STANDING.gate,
    pauses: [{ ...PAUSED, reason: evil, by: evil, id: evil }],
    windows: [{ ...WINDOW, name: evil, reason: evil }],
    breakers: [{ ...BREAKER, workflow: evil, of: evil, id: evil }],
    orphans: [{ execution: evil, unsettled: [evil] }],
  };
  await using coordinator = await scriptedCoordinator({
    'GET /v1/status': ok({ ...STANDING, gate, strays: [{ execution: evil, why: 'no_lease' }] }),
    'GET /v1/executions': ok([]),
    'GET /v1/pending': ok([{ ...PENDING, pending: evil, target: evil, caller: evil }]),
    'GET /v1/windows': ok([{ ...WINDOW, name: evil, reason: evil }]),
    [`GET /v1/executions/${PENDING.pending}`]: ok({
      ...WAITS,
      message: evil,
      asked: { args: { [evil]: evil }, reason: evil, evidence: evil },
    }),
  });
  for (const words of [['status'], ['ps'], ['window', 'list'], ['show', PENDING.pending]]) {
    const { out, err } = await coordinator.fettle(words);
    assert.doesNotMatch((out + err).replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u, words.join(' '));
  }
});

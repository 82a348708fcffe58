import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiError, ApiEvent, ApiNode, ApiWorkflow } from '../workflows/api.ts';
import {
  type Answer,
  DETAIL,
  EXECUTION,
  eventStream,
  scriptedCoordinator,
  type Script,
  STATUS,
  testIo,
} from './testing.ts';

const ok = (body: unknown, status = 200): Answer => ({ status, body });
const failure = (status: number, code: string, message: string, retryAfter?: number): Answer => ({
  status,
  body: { code, message } satisfies ApiError,
  ...(retryAfter === undefined ? {} : { headers: { 'retry-after': String(retryAfter) } }),
});
const WORKFLOW: ApiWorkflow = {
  name: 'restart-service',
  description: 'Restart one systemd unit',
  kind: 'runbook',
  task_queue_target: 'node',
  constraints: [{ kind: 'maxExecution', value: 1, percent: false, period_s: 3600, scope: 'target' }],
  mode: 'auto',
  inputs: [
    { name: 'unit', type: 'string', required: true, default: null, description: '' },
    { name: 'lines', type: 'number', required: false, default: 100, description: '' },
  ],
};
const FLEET_WORKFLOW: ApiWorkflow = { ...WORKFLOW, name: 'rebalance', task_queue_target: 'node_type' };
const node = (name: string, alive: boolean, node_type = 'web', datacenter = 'dc1'): ApiNode => ({
  node: name,
  node_type,
  datacenter,
  alive,
  last_seen: '2026-11-21T11:59:30Z',
  in_inventory: true,
  labels: { rack: 'r1' },
  revoked: null,
  machine: null,
  other_machine: null,
  renewed_at: null,
});
const admitted = ok({ decision: 'admitted', request_id: 'r', execution: EXECUTION.id }, 201);
const refused = ok(
  {
    decision: 'refused',
    request_id: 'r',
    code: 'limits',
    message: 'a limit stands against it',
    reasons: [
      { constraint: 'maxExecution', scope: 'target web-1', name: null, limit: 1, current: 1, retry_after_s: 2520 },
    ],
  },
  409,
);
const RUN = ['run', 'restart-service', '--node', 'web-1', '--arg', 'unit=web.service'];
const EVENTS: ApiEvent[] = [
  { at: '2026-11-21T11:56:00Z', event: 'admitted', message: 'lease 1-7' },
  {
    at: '2026-11-21T11:56:02Z',
    event: 'began',
    message: 'systemd.restart',
    step: 'restart',
    attempt: 1,
    node: 'web-1',
  },
];
const closed = (outcome: string): Answer => ok({ ...DETAIL, outcome });

test('run sends what was typed, with a time and a random id, and prints the execution', async () => {
  await using coordinator = await scriptedCoordinator({ 'POST /v1/requests': admitted });
  const { code, out, err } = await coordinator.fettle([...RUN, '--arg', 'n:=3', '--dry-run', '--reason', 'a test']);
  assert.deepEqual([code, out, err], [0, `admitted  ${EXECUTION.id}\n`, '']);
  const { request_id, ...body } = (coordinator.asked[0]?.body ?? {}) as Record<string, unknown>;
  assert.match(String(request_id), /^[0-9a-f-]{36}$/);
  assert.deepEqual(body, {
    workflow: 'restart-service',
    target: { node: 'web-1' },
    args: { unit: 'web.service', n: 3 },
    issued_at: '2026-11-21T12:00:00.000Z',
    dry_run: true,
    reason: 'a test',
  });
});

test('run repeats the same request id on a coordinator that can decide', async () => {
  await using first = await scriptedCoordinator({ 'POST /v1/requests': failure(503, 'no_decision', 'not now') });
  await using second = await scriptedCoordinator({ 'POST /v1/requests': admitted });
  const { code } = await second.fettle([...RUN, '--request-id', 'mine', '--coordinator', first.url]);
  assert.equal(code, 0);
  assert.equal(second.asked.length, 1);
  assert.deepEqual(first.asked[0]?.body, second.asked[0]?.body);
  assert.match(JSON.stringify(first.asked[0]?.body), /"request_id":"mine"/);
});

test('run says every reason of a refusal, and when it will be free', async () => {
  await using coordinator = await scriptedCoordinator({ 'POST /v1/requests': refused });
  const { code, out } = await coordinator.fettle(RUN);
  assert.equal(code, 6);
  assert.equal(
    out,
    'refused (limits): a limit stands against it\n  maxExecution, target web-1: 1 of 1 used; free in 42m\n',
  );
});

test('run takes a duplicate for what it is: the thing is being done', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/requests': ok({ decision: 'duplicate', request_id: 'r', execution: EXECUTION.id }),
  });
  const { code, out } = await coordinator.fettle(RUN);
  assert.deepEqual([code, out], [0, `duplicate  ${EXECUTION.id} does this already\n`]);
});

const FAILURES: [Answer, number, RegExp][] = [
  [
    failure(403, 'not_allowed', 'no route_rule names you'),
    4,
    /route_rule .* workflow_rule.*\(not_allowed\); try: fettle doctor$/,
  ],
  [failure(401, 'no_certificate', 'show one'), 4, /you showed no certificate \(--cert, --key\)/],
  [failure(404, 'unknown_workflow', 'there is no workflow "x"'), 1, /\(unknown_workflow\); try: fettle workflows$/],
  [failure(404, 'unknown_target', 'there is no node "x"'), 1, /try: fettle nodes$/],
  [failure(409, 'request_id_reused', 'used before'), 6, /try: the same command with another --request-id$/],
  [failure(410, 'too_old', 'older than ten minutes'), 6, /\(too_old\)/],
  [failure(422, 'arguments', 'arguments of "x": unit is required'), 2, /try: fettle workflows -o json$/],
  [failure(400, 'bad_json', 'not JSON'), 2, /try: fettle run --help$/],
  [failure(503, 'gate_missing', 'there is no gate', 5), 7, /try: it again in 5 s, or: fettle status$/],
  [failure(503, 'no_agent', 'no agent of web-1 takes orders'), 7, /try: fettle nodes$/],
  [failure(500, 'internal', 'something broke'), 1, /try: fettle status$/],
  [(response) => void response.writeHead(200).end('<html>'), 7, /not JSON; is this a coordinator.*try: fettle doctor$/],
  [
    (response) => void response.destroy(),
    7,
    /no coordinator answered: http:.*--request-id [0-9a-f-]{36} tells; try: fettle doctor$/,
  ],
];
for (const [answer, exit, says] of FAILURES) {
  test(`run exits ${exit} and says what to type next when the answer is ${typeof answer === 'function' ? says.source : answer.status} ${typeof answer === 'function' ? '' : (answer.body as ApiError).code}`, async () => {
    await using coordinator = await scriptedCoordinator({ 'POST /v1/requests': answer });
    const { code, out, err } = await coordinator.fettle(RUN);
    assert.deepEqual([code, out], [exit, '']);
    assert.match(err.trimEnd(), says);
    assert.equal(err.trimEnd().split('\n').length, 1);
  });
}

test('what a coordinator says in an error cannot act on the terminal', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/requests': failure(404, 'unknown_workflow', 'no \u001b]0;owned\u0007 workflow'),
  });
  assert.match((await coordinator.fettle(RUN)).err, /no \\x1b\]0;owned\\x07 workflow/);
});

const FLEET: Script = {
  'GET /v1/workflows': ok([WORKFLOW, FLEET_WORKFLOW]),
  'GET /v1/nodes': ok([
    node('web-3', true),
    node('web-1', true),
    node('web-2', false),
    node('web-4', true),
    node('db-1', true, 'db'),
  ]),
};
const MANY = ['run', 'restart-service', '--node-type', 'web', '--arg', 'unit=web.service'];

test('run asks for at most --max alive nodes of a type, each by itself, and says which are left out', async () => {
  await using coordinator = await scriptedCoordinator({ ...FLEET, 'POST /v1/requests': [admitted, refused] });
  const { code, out, err } = await coordinator.fettle([...MANY, '--max', '2', '--request-id', 'job']);
  assert.equal(code, 6);
  assert.match(out, /^web-1: admitted {2}restart-service:web-1:1-7\nweb-3: refused \(limits\)/);
  assert.match(err, /2 of type web: web-1, web-3; 1 more are alive and not asked for \(--max 2\)/);
  const bodies = coordinator.asked.flatMap(({ body }) =>
    body === null ? [] : [body as { target: unknown; request_id: string }],
  );
  assert.deepEqual(
    bodies.map(({ target, request_id }) => [target, request_id]),
    [
      [{ node: 'web-1' }, 'job-web-1'],
      [{ node: 'web-3' }, 'job-web-3'],
    ],
  );
});

test('run never takes a node type for all of its nodes', async () => {
  await using coordinator = await scriptedCoordinator(FLEET);
  const { code, err } = await coordinator.fettle(MANY);
  assert.equal(code, 2);
  assert.match(err, /heals single nodes; say how many of type web at most: --max N/);
});

test('run without an alive node of the type is an error, not a success about nothing', async () => {
  await using coordinator = await scriptedCoordinator(FLEET);
  const { code, err } = await coordinator.fettle([...MANY, '--max', '3', '--datacenter', 'dc2']);
  assert.equal(code, 1);
  assert.match(err, /no node of type web in dc2 is alive: none is known; try: fettle nodes$/m);
});

test('run asks once for a node type as a whole where the workflow is for types', async () => {
  await using coordinator = await scriptedCoordinator({ ...FLEET, 'POST /v1/requests': admitted });
  const { code } = await coordinator.fettle(['run', 'rebalance', '--node-type', 'web', '--datacenter', 'dc1']);
  assert.equal(code, 0);
  assert.match(JSON.stringify(coordinator.asked.at(-1)?.body), /"target":\{"node_type":"web","datacenter":"dc1"\}/);
});

const TARGETS: [string[], RegExp][] = [
  [[], /say what to heal/],
  [['--node', 'a', '--max', '2'], /--node names one node/],
  [['--max', '2'], /add --node-type/],
];
for (const [flags, says] of TARGETS) {
  test(`run with the target "${flags.join(' ')}" asks for nothing`, async () => {
    await using coordinator = await scriptedCoordinator(FLEET);
    const { code, err } = await coordinator.fettle(['run', 'restart-service', ...flags]);
    assert.equal(code, 2);
    assert.match(err, says);
    assert.deepEqual(coordinator.asked, []);
  });
}

test('run --wait ends with the outcome: 5 when it did not heal', async () => {
  for (const [outcome, exit] of [
    ['healed', 0],
    ['no_fault', 0],
    ['dry_run', 0],
    ['ineffective', 5],
    ['failed', 5],
    ['expired', 5],
  ] as const) {
    await using coordinator = await scriptedCoordinator({
      'POST /v1/requests': admitted,
      [`GET /v1/executions/${EXECUTION.id}/events`]: eventStream(EVENTS),
      [`GET /v1/executions/${EXECUTION.id}`]: closed(outcome),
    });
    const { code, out } = await coordinator.fettle([...RUN, '--wait']);
    assert.equal(code, exit, outcome);
    assert.match(out, new RegExp(`^admitted .*\n${EXECUTION.id} {2}${outcome}`));
  }
});

test('run --wait gives up after the time allowed and says how to go on', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/requests': admitted,
    [`GET /v1/executions/${EXECUTION.id}/events`]: (response) =>
      void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n'),
    [`GET /v1/executions/${EXECUTION.id}`]: ok({ ...DETAIL, ...EXECUTION }),
  });
  const { code, err } = await coordinator.fettle([...RUN, '--wait', '200ms']);
  assert.equal(code, 124);
  assert.match(err, /not ended within 200ms; it goes on; try: fettle watch restart-service:web-1:1-7/);
});

test('run --watch -o json prints one document with decision and execution', async () => {
  await using coordinator = await scriptedCoordinator({
    'POST /v1/requests': admitted,
    [`GET /v1/executions/${EXECUTION.id}/events`]: eventStream(EVENTS),
    [`GET /v1/executions/${EXECUTION.id}`]: closed('healed'),
  });
  const { code, out } = await coordinator.fettle([...RUN, '--watch', '-o', 'json']);
  const document = JSON.parse(out);
  assert.equal(code, 0);
  assert.equal(document.api_version, 1);
  assert.equal(document.requests[0].decision.decision, 'admitted');
  assert.equal(document.requests[0].execution.outcome, 'healed');
});

test('watch tells each event once, through a lost connection, and ends with the outcome', async () => {
  await using coordinator = await scriptedCoordinator({
    [`GET /v1/executions/1-7/events`]: [eventStream(EVENTS.slice(0, 1), 'lost'), eventStream(EVENTS)],
    [`GET /v1/executions/1-7`]: closed('healed'),
  });
  const { code, out } = await coordinator.fettle(['watch', '1-7']);
  assert.equal(code, 0);
  assert.equal(
    out,
    [
      '11:56:00Z  admitted    lease 1-7',
      '11:56:02Z  began       restart@web-1  systemd.restart',
      `${EXECUTION.id}  healed (verified) in 14s: the query held for 10s`,
      '',
    ].join('\n'),
  );
});

test('watch stops when it is interrupted, and the execution goes on', async () => {
  const io = testIo();
  await using coordinator = await scriptedCoordinator({
    [`GET /v1/executions/1-7/events`]: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
      io.abort();
    },
  });
  const { code, err } = await coordinator.fettle(['watch', '1-7'], io);
  assert.equal(code, 130);
  assert.match(err, /interrupted/);
});

test('watch of an execution that does not exist says where to look', async () => {
  await using coordinator = await scriptedCoordinator({
    'GET /v1/executions/1-9/events': failure(404, 'unknown_execution', 'there is no execution 1-9'),
  });
  const { code, err } = await coordinator.fettle(['watch', '1-9']);
  assert.equal(code, 1);
  assert.match(err, /try: fettle ps --all$/m);
});

test('ps shows what runs, all with --all, and passes its filters on', async () => {
  const ended = {
    ...EXECUTION,
    id: 'restart-service:web-2:1-6',
    state: 'closed',
    outcome: 'failed',
    closed_at: '2026-11-21T11:57:00Z',
  };
  await using coordinator = await scriptedCoordinator({ 'GET /v1/executions': ok([EXECUTION, ended]) });
  const running = await coordinator.fettle(['ps', '--node', 'web-1', '--workflow', 'restart-service', '--since', '2h']);
  assert.equal(running.code, 0);
  assert.match(
    running.out,
    /^ID +STATE +STARTED +TOOK +CALLER\nrestart-service:web-1:1-7 +running +11:56:00Z 4m ago +4m +spiffe:\/\/example\.com\/person\/oncall\n$/,
  );
  const query = new URL(coordinator.asked[0]?.path ?? '', coordinator.url).searchParams;
  assert.deepEqual(Object.fromEntries(query), {
    workflow: 'restart-service',
    node: 'web-1',
    since: '2026-11-21T10:00:00.000Z',
    limit: '500',
  });
  const all = await coordinator.fettle(['ps', '--all', '-o', 'jsonl']);
  assert.deepEqual(
    all.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).outcome),
    [null, 'failed'],
  );
});

test('ps of nothing says so on standard error and leaves standard output empty', async () => {
  await using coordinator = await scriptedCoordinator({ 'GET /v1/executions': ok([]) });
  assert.deepEqual(await coordinator.fettle(['ps']), {
    code: 0,
    out: '',
    err: 'Nothing is running. Those that have ended: fettle ps --all\n',
  });
  const json = await coordinator.fettle(['ps', '-o', 'json']);
  assert.deepEqual(JSON.parse(json.out), { api_version: 1, executions: [], pending: [] });
});

test('a table fits the terminal, in colour only there and not with NO_COLOR', async () => {
  await using coordinator = await scriptedCoordinator({ 'GET /v1/executions': ok([EXECUTION]) });
  const plain = await coordinator.fettle(['ps'], testIo({ columns: 70, env: { NO_COLOR: '1' } }));
  for (const line of plain.out.trimEnd().split('\n')) assert.ok(line.length <= 70, line);
  assert.ok(!plain.out.includes('\u001b'));
  assert.match(plain.out, /^restart-service:web-1:1-7 /m);
  assert.ok((await coordinator.fettle(['ps'], testIo({ columns: 200 }))).out.includes('\u001b[36mrunning'));
  assert.ok(!(await coordinator.fettle(['ps'])).out.includes('\u001b'));
});

test('show tells who, why, on what evidence, each step with permit and receipt, and the outcome', async () => {
  await using coordinator = await scriptedCoordinator({ 'GET /v1/executions/1-7': ok(DETAIL) });
  const { code, out } = await coordinator.fettle(['show', '1-7']);
  assert.equal(code, 0);
  for (const part of [
    'restart-service:web-1:1-7  healed (verified) in 14s: the query held for 10s',
    'asked by    spiffe://example.com/person/oncall',
    'why         alert WebDown',
    'arguments   unit=web.service',
    'plan        sha256-abc',
    'seen        probe_success is 0',
    'source      prometheus.main/web-wedged',
    'restart #1: systemd.restart on web-1: done in 1s',
    'permitted 11:56:01Z 3m ago',
    'facts     active_state=active',
    '    | one\n    | two\n',
  ])
    assert.ok(out.includes(part), `${part}\nis not in\n${out}`);
});

test('show names the code of a refusal, of the gate and of the agent', async () => {
  const step = DETAIL.steps[0];
  const steps = [
    { ...step, began: null, ended: null, result: { status: 'no_permit', code: 'stale_evidence', message: 'too old' } },
    { ...step, attempt: 2, result: { status: 'refused', code: 'brake', message: 'the brake file is there' } },
    { ...step, attempt: 3, result: { status: 'unsettled', message: 'no proof' } },
  ];
  await using coordinator = await scriptedCoordinator({
    'GET /v1/executions/1-7': ok({ ...DETAIL, outcome: 'refused_by_agent', steps }),
  });
  const { code, out } = await coordinator.fettle(['show', '1-7']);
  assert.equal(code, 0);
  assert.match(out, /no permit from the gate \(stale_evidence\): too old/);
  assert.match(out, /refused by the agent \(brake\): the brake file is there/);
  assert.match(out, /unsettled: no proof/);
});

test('labels, messages and output from hosts cannot act on the terminal', async () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J\u202e';
  const result = {
    status: 'done',
    output: { facts: { [evil]: evil }, exitCode: 0, tail: `ok\n${evil}\n`, digest: evil, bytes: 3 },
  };
  const detail = {
    ...DETAIL,
    id: evil,
    workflow: evil,
    reason: evil,
    message: evil,
    args: { [evil]: [evil] },
    evidence: { ...DETAIL.evidence, summary: evil, labels: { [evil]: evil } },
    steps: [{ ...DETAIL.steps[0], step: evil, node: evil, result }],
    timeline: [{ at: evil, event: evil, message: evil }],
  };
  await using coordinator = await scriptedCoordinator({
    'GET /v1/executions/1-7': ok(detail),
    'GET /v1/nodes': ok([{ ...node(evil, true), labels: { [evil]: evil } }]),
    'GET /v1/workflows': ok([{ ...WORKFLOW, description: evil }]),
  });
  for (const words of [
    ['show', '1-7'],
    ['show', '1-7', '-o', 'json'],
    ['show', '1-7', '-o', 'jsonl'],
    ['nodes', '-o', 'wide'],
    ['workflows'],
    ['nodes', '-o', 'json'],
  ]) {
    const { out } = await coordinator.fettle(words);
    assert.doesNotMatch(out.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u, words.join(' '));
    assert.ok(out.includes('\\x1b') || out.includes('\\u001b'), words.join(' '));
  }
});

test('nodes says who is shut out and what other machine spoke, and changes one with its reason', async () => {
  const at = '2026-11-21T11:59:00Z';
  const changed = { node: 'web-1', revoked: { by: 'ann', reason: 'stolen', at }, machine: null, other_machine: null };
  await using coordinator = await scriptedCoordinator({
    'GET /v1/nodes': ok([
      { ...node('web-1', true), revoked: changed.revoked },
      {
        ...node('web-2', true),
        machine: { id: 'm-1', by: 'inventory' },
        other_machine: { id: 'm-2', via: 'token', at },
      },
    ]),
    'POST /v1/nodes/web-1/revoke': ok(changed),
    'POST /v1/nodes/web-9/unpin': failure(404, 'unknown_node', 'no node "web-9" is known'),
  });
  const { out } = await coordinator.fettle(['nodes', '-o', 'wide']);
  assert.match(out, /^web-1 +revoked .*stolen \(ann, /m);
  assert.match(out, /^web-2 +other machine .*m-1 \(inventory\); not m-2 \(token, /m);
  const revoked = await coordinator.fettle(['nodes', 'revoke', 'web-1', '--reason', 'stolen']);
  assert.match(revoked.out, /^web-1 is shut out.*fettle nodes restore web-1/);
  const unknown = await coordinator.fettle(['nodes', 'unpin', 'web-9', '--reason', 'new disk']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /try: fettle nodes$/m);
});

test('nodes, workflows and their limits are tables that say what matters', async () => {
  await using coordinator = await scriptedCoordinator(FLEET);
  const nodes = await coordinator.fettle(['nodes', '-o', 'wide']);
  assert.match(nodes.out, /^web-2 +down +web +dc1 +11:59:30Z 30s ago +yes +rack=r1 +- +-$/m);
  const workflows = await coordinator.fettle(['workflows']);
  assert.match(workflows.out, /^restart-service +node +unit \[lines=100\] +1 begun\/1h +Restart one systemd unit$/m);
});

test('status is one screen, and 0 only when requests can be decided', async () => {
  await using coordinator = await scriptedCoordinator({
    'GET /v1/status': [ok(STATUS), ok({ ...STATUS, gate: { ...STATUS.gate, state: 'missing' } })],
  });
  const well = await coordinator.fettle(['status']);
  assert.equal(well.code, 0);
  assert.match(well.out, /^gate +open, 2 leases, 1 orphaned$/m);
  assert.match(well.out, /^warning +route_rule "global_post" is public$/m);
  const missing = await coordinator.fettle(['status']);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /the gate does not exist; try: fettle setup temporal --config FILE/);
});

test('status names a file that is not in force, with its problem and what to type', async () => {
  const files = [{ file: 'a.hcl', loaded_at: '2026-11-21T11:00:00Z', problems: ['a.hcl:1:1: no'] }];
  await using coordinator = await scriptedCoordinator({ 'GET /v1/status': ok({ ...STATUS, config: { files } }) });
  const { code, out, err } = await coordinator.fettle(['status']);
  assert.equal(code, 0);
  assert.match(out, /NOT the newest/);
  assert.match(out, /a\.hcl:1:1: no/);
  assert.match(err, /fettle validate a\.hcl/);
});

test('cancel --all ends every running execution of the workflow and only those', async () => {
  const other = { ...EXECUTION, id: 'restart-service:web-2:1-8' };
  const ended = { ...EXECUTION, id: 'restart-service:web-3:1-9', state: 'closed', outcome: 'healed' };
  await using coordinator = await scriptedCoordinator({
    ...FLEET,
    'GET /v1/executions': ok([EXECUTION, other, ended]),
    [`POST /v1/executions/${EXECUTION.id}/cancel`]: ok(EXECUTION, 202),
    [`POST /v1/executions/${other.id}/cancel`]: failure(403, 'not_allowed', 'not this one'),
  });
  const { code, out, err } = await coordinator.fettle([
    'cancel',
    '--all',
    'restart-service',
    '--reason',
    'bad release',
  ]);
  assert.equal(code, 4);
  assert.match(out, /^restart-service:web-1:1-7 /m);
  assert.match(err, /restart-service:web-2:1-8: not this one/);
  assert.deepEqual(
    coordinator.asked.filter(({ method }) => method === 'POST').map(({ body }) => body),
    [{ reason: 'bad release' }, { reason: 'bad release' }],
  );
});

test('cancel --all of a workflow that does not exist is an error, not "nothing to do"', async () => {
  await using coordinator = await scriptedCoordinator(FLEET);
  const { code, err } = await coordinator.fettle(['cancel', '--all', 'restart-servce', '--reason', 'x']);
  assert.equal(code, 1);
  assert.match(err, /there is no workflow "restart-servce"; try: fettle workflows/);
});

test('an id that could be a path is refused before anything is asked', async () => {
  await using coordinator = await scriptedCoordinator({});
  const { code, err } = await coordinator.fettle(['show', '../nodes']);
  assert.equal(code, 2);
  assert.match(err, /is not an execution id/);
  assert.deepEqual(coordinator.asked, []);
});

test('the profile comes from flags, then the environment, then the file', async () => {
  await using coordinator = await scriptedCoordinator({ 'GET /v1/nodes': ok([]) });
  const { runCommandLine } = await import('./command-line.ts');
  const io = testIo({ env: { FETTLE_COORDINATOR: `http://127.0.0.1:1, ${coordinator.url}` } });
  assert.equal(await runCommandLine(['nodes'], io), 0);
  assert.equal(coordinator.asked.length, 1);
});

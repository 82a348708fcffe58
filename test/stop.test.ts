/** Stop and go on a whole site, by the commands that people type: pauses, windows, approval, what waits, and what nobody admitted. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { watchStrays } from '../coordinator/execution/strays.ts';
import { GateClient } from '../coordinator/gate/gate-client.ts';
import { openKnownLease } from '../coordinator/gate/known-lease.ts';
import { openTemporal } from '../coordinator/temporal.ts';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { QUEUES, type ExecutionInput } from '../workflows/contract.ts';
import {
  admitted,
  allFree,
  drillRequest,
  drillStep,
  metricOf,
  startDrillSite,
  type DrillSite,
} from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually, runProcess } from './support/processes.ts';

const GATED_THEN_MORE = `${drillStep('gated')}
undo "undo-act" {
  of      = "act"
  action  = "exec"
  args    = { command = "mark", mark = "\${input.mark}-undone" }
  timeout = "20s"
}
step "more" {
  action  = "exec"
  args    = { command = "mark", mark = "\${input.mark}-more" }
  timeout = "20s"
}
`;
const ONE_AT_A_TIME = `max_pending = 10
constraint {
  kind      = "concurrency"
  value     = "1"
  is_global = true
}
${drillStep('gated')}`;

describe('stop and go', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;
  const fettle = async (person: string, ...words: string[]) => {
    const env = { ...process.env, ...(await drill.site.environment(person)) };
    return runProcess(drill.site.fettle(...words), { env });
  };
  const begun = (mark: string): Promise<unknown> =>
    eventually(async () => (await drill.marks(mark)).includes('begun'), {
      what: `${mark} to begin`,
      timeoutMs: 30_000,
    });
  const pauses = async () => (await client.status()).gate.pauses;

  before(async () => {
    const workflows = {
      gated: drillStep('gated'),
      quick: drillStep('mark'),
      long: GATED_THEN_MORE,
      single: ONE_AT_A_TIME,
      asked: `mode = "ask"\nmax_pending = 10\n${drillStep('mark')}`,
    };
    const nodes = [
      { name: 'web-1', type: 'web' },
      { name: 'web-2', type: 'web' },
      { name: 'db-1', type: 'db' },
    ];
    drill = stack.use(await startDrillSite({ nodes, workflows, people: ['second'] }));
    await drill.begin(['web-1', 'web-2', 'db-1'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  it('a pause holds what runs at its next step and lets it undo, outlives its coordinator, and is lifted by its id', async () => {
    const running = await admitted(client, drillRequest('long', 'long'));
    await begun('long');
    const paused = await fettle('oncall', 'pause', 'everything', '--reason', 'alert storm', '-o', 'json');
    assert.equal(paused.code, 0, paused.stderr);
    const { pause } = JSON.parse(paused.stdout);
    assert.equal(pause.outstanding[0].execution, running);
    const refused = await client.request(drillRequest('quick', 'refused', 'web-2'));
    assert.deepEqual([refused.decision, 'code' in refused && refused.code], ['refused', 'paused']);
    await drill.open('long');
    const held = async (): Promise<boolean> =>
      (await client.getExecution(running)).steps.some(
        ({ result }) => result.status === 'no_permit' && result.code === 'paused',
      );
    await eventually(held, { what: 'the next step to be held', timeoutMs: 30_000 });
    assert.equal((await fettle('oncall', 'cancel', running, '--reason', 'not now')).code, 0);
    assert.equal((await ended(client, running)).outcome, 'cancelled');
    assert.deepEqual(await drill.marks('long'), ['begun', 'ended']);
    assert.deepEqual(await drill.marks('long-undone'), ['done'], 'what was done is undone under a pause');
    assert.deepEqual(await drill.marks('long-more'), []);

    await drill.roles.get('c1')?.kill();
    await drill.startCoordinator('c1');
    const [standing] = await pauses();
    assert.deepEqual([standing?.id, standing?.reason, standing?.by], [pause.id, 'alert storm', pause.by]);
    assert.match(pause.by, /person\/oncall$/);
    assert.equal(await metricOf(drill.site.address, 'fettle_gate_pauses'), 1);
    const status = await fettle('oncall', 'status');
    assert.equal(status.code, 1);
    assert.match(status.stdout, new RegExp(`lift: fettle resume ${pause.id} `));

    const wrong = await fettle('oncall', 'resume', 'p-00000000', '--reason', 'typo');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, new RegExp(`there are ${pause.id}`));
    const resumed = await fettle('second', 'resume', pause.id, '--reason', 'over');
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.deepEqual(await pauses(), []);
    assert.equal(
      (await ended(client, await admitted(client, drillRequest('quick', 'after', 'web-2')))).outcome,
      'healed',
    );
    assert.deepEqual(await drill.marks('refused'), [], 'what was refused under the pause is not done later');
  });

  it('a pause of one workflow or node stops that alone; one of a name that nothing bears is refused', async () => {
    const one = await fettle('oncall', 'pause', 'node', 'web-1', '--reason', 'repair', '--for', '10m', '-o', 'json');
    assert.equal(one.code, 0, one.stderr);
    const refused = await client.request(drillRequest('quick', 'on-one', 'web-1'));
    assert.equal('code' in refused && refused.code, 'paused');
    assert.equal(
      (await ended(client, await admitted(client, drillRequest('quick', 'on-two', 'web-2')))).outcome,
      'healed',
    );
    const all = await fettle('oncall', 'resume', '--all', '--reason', 'done');
    assert.equal(all.code, 0, all.stderr);
    for (const words of [
      ['node', 'web-11'],
      ['workflow', 'quikc'],
      ['node_type', 'webb'],
      ['datacenter', 'dc9'],
    ]) {
      const typo = await fettle('oncall', 'pause', ...words, '--reason', 'x');
      assert.equal(typo.code, 1, words.join(' '));
      assert.match(typo.stderr, /there (are|is no) /);
    }
    assert.deepEqual(await pauses(), []);
    const forced = await fettle('oncall', 'pause', 'node', 'web-11', '--reason', 'to come', '--force', '-o', 'json');
    assert.equal(forced.code, 0, forced.stderr);
    await client.resume({ id: JSON.parse(forced.stdout).pause.id, reason: 'test' });
  });

  it('what waited before a pause is decided again at once when it is lifted', async () => {
    const holder = await admitted(client, drillRequest('single', 'holder', 'web-1'));
    await begun('holder');
    const waits = await client.request({ ...drillRequest('single', 'heir', 'web-2'), wait_s: 300 });
    assert.equal(waits.decision, 'pending', JSON.stringify(waits));
    if (waits.decision !== 'pending') return;
    const limits = await fettle('oncall', 'limits', 'single', '--node', 'web-2');
    assert.match(limits.stdout, new RegExp(`^concurrency +global +1/1 +when one has ended +${holder}$`, 'm'));
    const listed = await fettle('oncall', 'ps');
    assert.match(
      listed.stdout,
      new RegExp(`^${waits.pending} +pending +single +web-2 +concurrency per global +1 `, 'm'),
    );
    const { id } = await client.pause({ scope: { workflow: 'single' }, reason: 'look first' });
    await drill.open('holder');
    await ended(client, holder);
    await allFree(client);
    assert.equal((await client.getPending(waits.pending)).state, 'waiting');
    await client.resume({ id, reason: 'looked' });
    const became = await eventually(async () => (await client.getPending(waits.pending)).execution, {
      what: 'the heir to start',
      timeoutMs: 30_000,
    });
    await drill.open('heir');
    assert.equal((await ended(client, became)).outcome, 'healed');
    const shown = await fettle('oncall', 'show', waits.pending);
    assert.match(shown.stdout, new RegExp(`ended \\(admitted\\)[^]*fettle show ${became}`));
  });

  it('a window stops what it covers, and its removal frees it', async () => {
    const scope = ['--node-type', 'db'];
    const added = await fettle('oncall', 'window', 'add', ...scope, '--for', '1h', '--reason', 'schema', '-o', 'json');
    assert.equal(added.code, 0, added.stderr);
    const [{ name }] = JSON.parse(added.stdout).windows;
    const refused = await client.request(drillRequest('quick', 'closed', 'db-1'));
    assert.deepEqual(
      refused.decision === 'refused' && refused.reasons.map((reason) => [reason.constraint, reason.name]),
      [['window', name]],
    );
    assert.equal(
      (await ended(client, await admitted(client, drillRequest('quick', 'open', 'web-1')))).outcome,
      'healed',
    );
    assert.match(
      (await fettle('oncall', 'window', 'list')).stdout,
      new RegExp(`^${name} +in force +node type db `, 'm'),
    );
    const removed = await fettle('second', 'window', 'remove', name, '--reason', 'done early');
    assert.equal(removed.code, 0, removed.stderr);
    assert.equal(
      (await ended(client, await admitted(client, drillRequest('quick', 'freed', 'db-1')))).outcome,
      'healed',
    );
  });

  it('who asked cannot say yes; somebody else can, to the plan that he was shown', async () => {
    const asked = await client.request(drillRequest('asked', 'approved'));
    assert.equal(asked.decision, 'pending', JSON.stringify(asked));
    if (asked.decision !== 'pending') return;
    assert.equal(asked.waits_for, 'approval');
    const same = await fettle('oncall', 'approve', asked.pending);
    assert.equal(same.code, 4, same.stderr);
    const other = await fettle('second', 'approve', asked.pending, '--plan', 'another');
    assert.equal(other.code, 6, other.stderr);
    assert.deepEqual(await drill.marks('approved'), []);
    const yes = await fettle('second', 'approve', asked.pending);
    assert.equal(yes.code, 0, yes.stderr);
    assert.match(yes.stdout, /arguments +mark=approved/);
    const execution = await eventually(async () => (await client.getPending(asked.pending)).execution, {
      what: 'the approved request to start',
      timeoutMs: 30_000,
    });
    assert.equal((await ended(client, execution)).outcome, 'healed');
    assert.deepEqual(await drill.marks('approved'), ['done']);
    const denied = await client.request(drillRequest('asked', 'denied', 'web-2'));
    assert.equal(denied.decision, 'pending');
    if (denied.decision !== 'pending') return;
    assert.equal((await fettle('second', 'deny', denied.pending, '--reason', 'not now')).code, 0);
    await eventually(async () => (await client.getPending(denied.pending)).outcome === 'denied', { what: 'the no' });
    assert.deepEqual(await drill.marks('denied'), []);
  });

  it('executions that nobody admitted are found, and those that were are not', async () => {
    await using own = new AsyncDisposableStack();
    const log = pino({ level: 'silent' });
    const { address } = drill.site.temporal;
    const config = { address, namespace: 'fettle', agentsNamespace: 'fettle-agents', apiKeyFile: null, tls: null };
    const temporal = await openTemporal(config, 'test');
    own.defer(() => temporal.close());
    const known = await openKnownLease(path.join(drill.site.dir, 'known'), 'main', log);
    const gate = new GateClient({ temporal, domain: 'main', name: 'test', known, log });
    own.defer(() => gate.close());
    const honest = await admitted(client, drillRequest('gated', 'honest', 'web-2'));
    await begun('honest');
    const input = await inputOf(drill, honest);
    const stray = {
      ...input,
      execution: 'gated:web-1:zz-9',
      lease: { epoch: 1295, n: 9 },
      startBy: Date.now() + 60_000,
    };
    // On a queue that nobody polls, so that it stays as it was started.
    const options = { workflowId: stray.execution, taskQueue: `${QUEUES.workflows}-nobody`, args: [stray] };
    const handle = await drill.control.workflow.start('runbook', options);
    own.defer(async () => void (await handle.terminate('test')));
    const strays = watchStrays({ temporal, gate, log, everyMs: 200, youngMs: 0 });
    own.defer(() => strays.stop());
    const found = await eventually(() => Promise.resolve((strays.current() ?? []).length > 0 && strays.current()), {
      what: 'the stray to be seen',
      timeoutMs: 30_000,
    });
    assert.deepEqual(found, [{ execution: stray.execution, why: 'no_lease' }]);
    await drill.open('honest');
    await ended(client, honest);
  });
});

async function inputOf(drill: DrillSite, execution: string): Promise<ExecutionInput> {
  const { events } = await drill.control.workflow.getHandle(execution).fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  return JSON.parse(Buffer.from(payload?.data ?? []).toString('utf8'));
}

/** Every way that an execution can go, on real parts. With FETTLE_RECORD=1 the histories are recorded for test/histories. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, runProcess, temporaryDirectory } from './support/processes.ts';
import { temporalBinary } from './support/temporal.ts';
import { ended, startPathsSite, type PathsSite } from './support/paths-site.ts';
import { historiesDir } from './support/histories.ts';

describe('the paths of an execution', () => {
  const stack = new AsyncDisposableStack();
  let paths: PathsSite;

  before(async () => {
    const { path: marks } = stack.use(await temporaryDirectory('fettle-marks-'));
    paths = stack.use(await startPathsSite(marks));
  });
  after(async () => {
    try {
      if (process.env['FETTLE_RECORD'] === '1') await record(paths.site.temporal.address);
    } finally {
      await stack.disposeAsync();
    }
  });

  it('heals, and proves it by a positive sample', async () => {
    const detail = await paths.run({ workflow: 'heal', target: { node: 'web-1' }, args: { mark: 'heal' } });
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.equal(detail.verified, true);
    assert.deepEqual(await paths.marks('heal'), ['done']);
    const events = detail.timeline.map((line) => line.event);
    assert.deepEqual(events, ['admitted', 'started', 'permitted', 'began', 'ended', 'verifying', 'verified', 'healed']);
  });

  it('calls a remedy that did not help ineffective, undoes it and calls people once', async () => {
    const detail = await paths.run({ workflow: 'not-helping', target: { node: 'web-1' }, args: { mark: 'nohelp' } });
    assert.equal(detail.outcome, 'ineffective', detail.message ?? '');
    assert.deepEqual(await paths.marks('nohelp-undone'), ['done']);
    const told = paths.notified().filter((one) => one.execution === detail.id);
    assert.deepEqual(
      told.map((one) => one.outcome),
      ['ineffective'],
    );
  });

  it('heals without a step that may fail, and has the host itself prove it, however often it has to look', async () => {
    const detail = await paths.run({ workflow: 'asks-host', target: { node: 'web-1' }, args: { mark: 'asks' } });
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.equal(detail.verified, true);
    assert.deepEqual(
      detail.steps.map(({ step, result }) => [step, result.status]),
      [
        ['notes', 'failed'],
        ['fix', 'done'],
        ['verify', 'done'],
      ],
    );
    const events = detail.timeline.map(({ event }) => event);
    assert.equal(events.filter((event) => event === 'looked').length, (await paths.marks('asks-looks')).length);
    assert.deepEqual(events.slice(-2), ['verified', 'healed']);
  });

  it('calls a remedy ineffective whose host answers other than expected, and undoes it', async () => {
    const detail = await paths.run({ workflow: 'host-disagrees', target: { node: 'web-1' }, args: { mark: 'no' } });
    assert.equal(detail.outcome, 'ineffective', detail.message ?? '');
    assert.match(detail.message ?? '', /agent_version is ".+", not "of another world"/);
    assert.deepEqual(await paths.marks('no-undone'), ['done']);
  });

  it('retries a failing step as often as it says, undoes what was done, runs the failure steps', async () => {
    const detail = await paths.run({ workflow: 'failing', target: { node: 'web-1' }, args: { mark: 'failing' } });
    assert.equal(detail.outcome, 'failed');
    assert.deepEqual(await paths.marks('failing'), ['done', 'failed', 'failed']);
    assert.deepEqual(await paths.marks('failing-undone'), ['done']);
    assert.deepEqual(await paths.marks('failing-reported'), ['done']);
    const second = detail.steps.find((record) => record.step === 'second');
    assert.ok(second?.result.status === 'failed' && second.result.output.exitCode === 3);
    assert.ok(second.result.output.tail?.includes('cannot'));
  });

  it('cancels in the middle of an action: the host is asked to stop, what began is undone', async () => {
    const decision = await paths.client.request({
      workflow: 'slow',
      target: { node: 'web-1' },
      args: { mark: 'cancelled' },
    });
    assert.ok(decision.decision === 'admitted');
    await eventually(async () => (await paths.marks('cancelled')).length > 0, { what: 'the action to begin' });
    await paths.client.cancelExecution(decision.execution, 'test');
    const detail = await ended(paths.client, decision.execution);
    assert.equal(detail.outcome, 'cancelled', detail.message ?? '');
    assert.deepEqual(await paths.marks('cancelled'), ['begun'], 'it was stopped before its end');
    assert.deepEqual(await paths.marks('cancelled-undone'), ['done']);
  });

  it('ends an action that takes too long, and knows that it ended', async () => {
    const detail = await paths.run({ workflow: 'timing-out', target: { node: 'web-1' }, args: { mark: 'timeout' } });
    assert.equal(detail.outcome, 'failed');
    const [record] = detail.steps;
    assert.ok(record?.result.status === 'failed' && record.result.code === 'timeout', JSON.stringify(record));
    assert.deepEqual(await paths.marks('timeout'), ['begun']);
  });

  const fault = (name: string, node: string) => ({
    source: `test/${name}`,
    labels: { node },
    began_at: new Date().toISOString(),
    gap_s: 60,
  });

  it('ends with no_fault when the fault is over before anything was changed', async () => {
    const identity = fault('gone', 'web-2');
    const agent = paths.site.agent('web-2');
    agent.signal('SIGSTOP');
    try {
      const decision = await paths.client.request({
        workflow: 'look-then-fix',
        target: { node: 'web-2' },
        args: { mark: 'gone' },
        identity,
      });
      assert.ok(decision.decision === 'admitted');
      await paths.client.reportEpisode({ identity, state: 'resolved' });
      agent.signal('SIGCONT');
      const detail = await ended(paths.client, decision.execution);
      assert.equal(detail.outcome, 'no_fault', detail.message ?? '');
      assert.deepEqual(await paths.marks('gone'), []);
    } finally {
      agent.signal('SIGCONT');
    }
  });

  it('skips a still_firing step once the fault is over, and finishes what it began', async () => {
    const identity = fault('ending', 'web-2');
    const decision = await paths.client.request({
      workflow: 'slow-then-fix',
      target: { node: 'web-2' },
      args: { mark: 'ending' },
      identity,
    });
    assert.ok(decision.decision === 'admitted');
    await eventually(async () => (await paths.marks('ending')).includes('begun'), { what: 'the first step to begin' });
    await paths.client.reportEpisode({ identity, state: 'resolved' });
    const detail = await ended(paths.client, decision.execution);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.deepEqual(await paths.marks('ending'), ['begun', 'ended'], 'the second step was skipped');
    assert.equal(detail.steps.at(-1)?.result.status, 'skipped');
  });

  it('runs a still_firing step of a request that no episode stands behind', async () => {
    const detail = await paths.run({ workflow: 'two-steps', target: { node: 'web-2' }, args: { mark: 'two' } });
    assert.equal(detail.outcome, 'healed');
    assert.deepEqual(await paths.marks('two'), ['done', 'done']);
  });

  it('waits for a node that another changes, and then heals', async () => {
    const ask = (mark: string) =>
      paths.client.request({ workflow: 'slow', target: { node: 'web-2' }, args: { mark }, wait_s: 60 });
    const holder = await ask('holds');
    assert.ok(holder.decision === 'admitted', JSON.stringify(holder));
    const waiting = await ask('waits');
    assert.ok(waiting.decision === 'pending', JSON.stringify(waiting));
    const execution = await eventually(async () => (await paths.client.getPending(waiting.pending)).execution, {
      what: 'its execution',
      timeoutMs: 60_000,
    });
    assert.equal((await ended(paths.client, execution)).outcome, 'healed');
    assert.deepEqual(await paths.marks('waits'), ['begun', 'ended']);
  });

  it('says which agent refused what, and why', async () => {
    const detail = await paths.run({ workflow: 'forbidden', target: { node: 'web-1' } });
    assert.equal(detail.outcome, 'refused_by_agent');
    const [record] = detail.steps;
    assert.ok(
      record?.result.status === 'refused' && record.result.code === 'action_not_allowed',
      JSON.stringify(record),
    );
    const shown = await runProcess(paths.site.fettle('show', detail.id), { env: await paths.site.environment() });
    assert.match(shown.stdout, /refused_by_agent/);
    assert.match(
      shown.stdout,
      /refused by the agent \(action_not_allowed\): no allow block of this host names "systemd\.stop"/,
    );
  });

  it('changes nothing in a dry run, and says what it would do', async () => {
    const detail = await paths.run({
      workflow: 'heal',
      target: { node: 'web-1' },
      args: { mark: 'dry' },
      dry_run: true,
    });
    assert.equal(detail.outcome, 'dry_run');
    assert.deepEqual(await paths.marks('dry'), []);
  });

  for (const workflow of ['anywhere', 'on-type']) {
    it(`lets one agent of a shared queue claim the step (${workflow})`, async () => {
      const detail = await paths.run({ workflow, target: { node_type: 'web' }, args: { mark: workflow } });
      assert.equal(detail.outcome, 'healed', detail.message ?? '');
      assert.deepEqual(await paths.marks(workflow), ['done']);
      assert.match(detail.steps[0]?.node ?? '', /^web-[12]$/);
    });
  }

  it('runs a workflow written in TypeScript with the same limits and records', async () => {
    const detail = await paths.run({
      workflow: 'restart-if-down',
      target: { node: 'web-1' },
      args: { unit: 'no-such.service' },
    });
    assert.ok(
      detail.outcome === 'failed' || detail.outcome === 'ineffective' || detail.outcome === 'no_fault',
      detail.message ?? '',
    );
    assert.ok(detail.steps.some((record) => record.action === 'systemd.status'));
  });

  it('answers within seconds when no agent takes orders', async () => {
    await assert.rejects(
      paths.client.request({ workflow: 'heal', target: { node: 'web-9' }, args: { mark: 'x' } }),
      /no node "web-9"/,
    );
  });

  it('refuses arguments that do not fit, naming each', async () => {
    await assert.rejects(
      paths.client.request({ workflow: 'heal', target: { node: 'web-1' }, args: { mark: '../../etc', other: 1 } }),
      /other: .*no input "other".*mark: must match/,
    );
  });
});

/** Histories of one execution of each workflow and of the gate, one JSON file each, as the `temporal` program writes them. */
async function record(address: string): Promise<void> {
  await mkdir(historiesDir, { recursive: true });
  const temporal = async (...args: string[]): Promise<string> => {
    const argv = [
      temporalBinary(),
      'workflow',
      ...args,
      '--address',
      address,
      '--namespace',
      'fettle',
      '--output',
      'json',
    ];
    const { code, stdout, stderr } = await runProcess(argv);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const listed = JSON.parse(await temporal('list')) as { execution: { workflowId: string } }[];
  const kept = new Set<string>();
  for (const { execution } of listed) {
    const [first = '', second] = execution.workflowId.split(':');
    const name = second === undefined ? 'gate' : first;
    if (kept.has(name)) continue;
    kept.add(name);
    await writeFile(
      path.join(historiesDir, `${name}.json`),
      `${await temporal('show', '--workflow-id', execution.workflowId)}\n`,
    );
  }
}

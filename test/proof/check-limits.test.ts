/** The reader on a real run, through the command itself: what it makes of Temporal's record, and of an execution that nobody admitted. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../../identity/coordinator-client.ts';
import { gateWorkflowId } from '../../workflows/contract.ts';
import { admitted, allFree, drillRequest, drillStep, startDrillSite, type DrillSite } from '../support/drill-site.ts';
import { ended } from '../support/paths-site.ts';
import { runProcess } from '../support/processes.ts';
import { readRecord } from './read-record.ts';

const LIMITED = `constraint {
  kind   = "maxExecution"
  value  = 2
  period = "1h"
}
${drillStep('mark')}`;

describe('npm run check:limits', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;

  before(async () => {
    const nodes = [{ name: 'web-1', type: 'web' }];
    drill = stack.use(await startDrillSite({ nodes, workflows: { limited: LIMITED } }));
    await drill.begin(['web-1'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  const check = (...more: string[]) =>
    runProcess([
      process.execPath,
      path.join(import.meta.dirname, 'check-limits.ts'),
      '--address',
      drill.site.temporal.address,
      ...more,
    ]);

  it('reads what was asked, decided, done and given back', async () => {
    const requests = ['one', 'two', 'three'].map((mark) => drillRequest('limited', mark));
    const executions = [];
    for (const request of requests.slice(0, 2)) {
      const id = await admitted(client, request);
      assert.equal((await ended(client, id)).outcome, 'healed');
      await allFree(client);
      executions.push(id);
    }
    assert.equal((await client.request(requests[2]!)).decision, 'refused');
    const { address } = drill.site.temporal;
    const record = await readRecord({ address, domain: 'main', since: 0, effects: null });
    assert.equal(record.whole, true);
    const asks = record.journal.filter((entry) => entry.kind === 'exchange' && entry.op.w === 'limited');
    const answers = asks.map((entry) => (entry.kind === 'exchange' && entry.op.op === 'ask' ? entry.given?.a : null));
    assert.deepEqual(
      answers.filter((answer) => answer !== null),
      ['admitted', 'admitted', 'refused'],
    );
    const ours = record.executions.filter(({ input }) => input?.workflow === 'limited');
    assert.deepEqual(ours.map(({ id }) => id).toSorted(), executions.toSorted());
    for (const { id, steps, started, input } of ours) {
      assert.ok(input !== null && input.planDigest === input.planIs);
      assert.deepEqual(
        steps.map(({ step, attempt, status }) => [step, attempt, status]),
        [['act', 1, 'done']],
      );
      const [action] = record.actions.filter(({ execution }) => execution === id);
      assert.ok(
        action !== undefined && action.began !== null && started <= action.began && action.began <= action.ended,
      );
    }
  });

  it('finds nothing wrong, and says how far back it looked', async () => {
    const { code, stdout, stderr } = await check('--json');
    assert.equal(code, 0, stdout + stderr);
    const [said = '', json = ''] = stdout.trim().split('\n');
    assert.match(said, /^nothing found: \d+ decisions \(\d+ admitted\), \d+ executions, \d+ receipts, since 20/);
    const { over_admissions, doubled_actions, lost, findings } = JSON.parse(json) as Record<string, unknown>;
    assert.deepEqual(
      { over_admissions, doubled_actions, lost, findings },
      { over_admissions: 0, doubled_actions: 0, lost: 0, findings: [] },
    );
  });

  it('finds an execution that somebody started past the gate', async () => {
    await drill.control.workflow.start('runbook', {
      workflowId: 'limited:web-1:1-zz',
      taskQueue: 'nowhere',
      args: [
        {
          domain: 'main',
          lease: { epoch: 1, n: 1295 },
          plan: { definition: { name: 'limited' }, args: {}, target: { kind: 'node', node: 'web-1' } },
        },
      ],
    });
    const { code, stdout } = await check();
    assert.equal(code, 1, stdout);
    assert.match(stdout, /^unadmitted\n.*\n.*limited:web-1:1-zz.*no admission of lease 1-zz is on record/);
    assert.match(stdout, /\n1 found: /);
  });

  it('reads a record that a drill kept as well', async () => {
    const { address } = drill.site.temporal;
    const file = path.join(drill.site.dir, 'record.json');
    await writeFile(file, JSON.stringify(await readRecord({ address, domain: 'main', since: 0, effects: null })));
    const script = path.join(import.meta.dirname, 'check-limits.ts');
    const { code, stdout } = await runProcess([process.execPath, script, '--record', file]);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /no admission of lease 1-zz is on record/);
  });

  it('says what is missing, what cannot be reached, and which domain has no gate', async () => {
    const script = path.join(import.meta.dirname, 'check-limits.ts');
    const bare = await runProcess([process.execPath, script]);
    assert.equal(bare.code, 2);
    assert.match(bare.stderr, /--address is missing/);
    const other = await check('--domain', 'other');
    assert.equal(other.code, 3);
    assert.match(other.stderr, new RegExp(`cannot read the record of domain "other".*${gateWorkflowId('other')}`));
  });
});

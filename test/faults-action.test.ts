/** A coordinator killed around an action: the action runs once, and its result is not lost. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { admitted, allFree, drillRequest, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';

describe('a coordinator killed with SIGKILL', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  /** Goes to c1 or c2, whichever answers. */
  let client: CoordinatorClient;

  before(async () => {
    drill = stack.use(await startDrillSite({ nodes: [{ name: 'web-1', type: 'web' }] }));
    await drill.begin(['web-1'], ['c1', 'c2']);
    const { address } = await drill.site.coordinatorFile('c2');
    client = await drill.client(drill.site.address, address);
  });
  after(() => stack.disposeAsync());

  const kill = async (name: string): Promise<void> => {
    await drill.roles.get(name)?.kill();
  };

  it('in the middle of an action: the other joins that action, which runs once', async () => {
    const id = await admitted(client, drillRequest('gated', 'middle'));
    await eventually(async () => (await drill.marks('middle')).length > 0, { what: 'the action to begin' });
    const working = await drill.worker(id);
    assert.ok(working !== null);
    await kill(working);
    const taken = async (): Promise<boolean> => ![null, working].includes(await drill.worker(id));
    await eventually(taken, { what: 'the other coordinator to take it up', timeoutMs: 30_000, everyMs: 200 });
    await drill.open('middle');
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.deepEqual(await drill.marks('middle'), ['begun', 'ended']);
    await drill.startCoordinator(working);
  });

  it('both in the middle of an action, which ends meanwhile: the one that comes back brings its result', async () => {
    const id = await admitted(client, drillRequest('gated', 'both'));
    await eventually(async () => (await drill.marks('both')).length > 0, { what: 'the action to begin' });
    await Promise.all([kill('c1'), kill('c2')]);
    await drill.open('both');
    await eventually(async () => (await drill.marks('both')).length === 2, { what: 'the action to end' });
    await drill.startCoordinator('c2');
    const detail = await ended(client, id);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.deepEqual(await drill.marks('both'), ['begun', 'ended']);
    assert.equal(detail.steps.length, 1);
    await kill('c2');
  });

  it('after the action ended, before its result was recorded: the next reports that result and runs nothing', async () => {
    const doomed = await drill.startDoomed('doomed', 'beforeProof');
    const only = await drill.client(doomed.address);
    const decision = await only.request(drillRequest('quick', 'unproven'));
    assert.ok(decision.decision === 'admitted');
    assert.equal((await doomed.process.ended).signal, 'SIGKILL');
    assert.deepEqual(await drill.marks('unproven'), ['done']);
    await drill.startCoordinator('c1');
    const detail = await ended(client, decision.execution);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.deepEqual(await drill.marks('unproven'), ['done']);
    await kill('c1');
  });

  it('between permit and order: the next sends that order, or proves that it was never sent', async () => {
    const doomed = await drill.startDoomed('doomed', 'beforeOrder');
    const only = await drill.client(doomed.address);
    const decision = await only.request(drillRequest('quick', 'unsent'));
    assert.ok(decision.decision === 'admitted');
    assert.equal((await doomed.process.ended).signal, 'SIGKILL');
    assert.deepEqual(await drill.marks('unsent'), []);
    await drill.startCoordinator('c1');
    const detail = await ended(client, decision.execution);
    const marks = await drill.marks('unsent');
    if (detail.outcome === 'healed') assert.deepEqual(marks, ['done']);
    else assert.deepEqual([detail.outcome, marks], ['expired', []], detail.message ?? '');
    await allFree(client);
  });
});

/** Health floors over an inventory with dead hosts, and limits of a node that a shared queue chose. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiDecision } from '../workflows/api.ts';
import { admitted, allFree, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';

const floor = (value: string): string => `constraint {
  kind  = "maxUnavailable"
  value = "${value}"
}
`;
const ONCE_PER_NODE = `limit "once-per-node" {
  kind      = "maxExecution"
  value     = "1"
  period    = "1h"
  scope     = "node"
  workflows = ["once", "shared"]
}
`;
/** Of the four of type web two are dead: their agents were never started. */
const NODES = [
  { name: 'web-1', type: 'web' },
  { name: 'web-2', type: 'web' },
  { name: 'web-3', type: 'web' },
  { name: 'web-4', type: 'web' },
  { name: 'db-1', type: 'db' },
];

describe('a health floor', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;

  before(async () => {
    const workflows = {
      'floor-2': floor('2') + drillStep('gated'),
      'floor-3': floor('3') + drillStep('gated'),
      'floor-75': floor('75%') + drillStep('gated'),
      other: drillStep('gated'),
      once: drillStep('mark'),
      shared: `task_queue_target = "node_type"\n${drillStep('mark')}`,
    };
    drill = stack.use(await startDrillSite({ nodes: NODES, workflows, coordinator: ONCE_PER_NODE }));
    await drill.begin(['web-1', 'web-2', 'db-1'], ['c1', 'c2']);
    client = await drill.client(drill.site.address, (await drill.site.coordinatorFile('c2')).address);
    const told = async (): Promise<boolean> => {
      const [limit] = await client.limits({ workflow: 'floor-3', node: 'web-1' });
      return limit?.current === 2;
    };
    await eventually(told, { what: 'both dead hosts to be counted', timeoutMs: 60_000, everyMs: 500 });
  });
  after(() => stack.disposeAsync());

  const refusedFor = (decision: ApiDecision): (string | number)[] => {
    assert.ok(decision.decision === 'refused', JSON.stringify(decision));
    return decision.reasons.flatMap(({ constraint, limit, current }) => [constraint, limit, current]);
  };

  it('counts hosts whose agents are dead', async () => {
    assert.deepEqual(refusedFor(await client.request(drillRequest('floor-2', 'too-few', 'web-1'))), [
      'maxUnavailable',
      2,
      2,
    ]);
    assert.deepEqual(await drill.marks('too-few'), []);
  });

  it('counts hosts that any workflow works on, through every coordinator, as a number and as a share', async () => {
    const first = await admitted(client, drillRequest('floor-3', 'first', 'web-1'));
    assert.deepEqual(refusedFor(await client.request(drillRequest('floor-3', 'next', 'web-2'))), [
      'maxUnavailable',
      3,
      3,
    ]);
    assert.deepEqual(refusedFor(await client.request(drillRequest('floor-75', 'share', 'web-2'))), [
      'maxUnavailable',
      3,
      3,
    ]);
    await drill.open('first');
    assert.equal((await ended(client, first)).outcome, 'healed');
    const other = await admitted(client, drillRequest('other', 'other', 'web-2'));
    assert.deepEqual(refusedFor(await client.request(drillRequest('floor-75', 'beside', 'web-1'))), [
      'maxUnavailable',
      3,
      3,
    ]);
    await drill.open('other');
    assert.equal((await ended(client, other)).outcome, 'healed');
    await drill.open('after');
    const after = await admitted(client, drillRequest('floor-75', 'after', 'web-1'));
    assert.equal((await ended(client, after)).outcome, 'healed');
    await allFree(client);
  });

  it('is a limit for whom one may wait', async () => {
    const first = await admitted(client, drillRequest('floor-3', 'held', 'web-1'));
    await drill.open('waits');
    const decision = await client.request({ ...drillRequest('floor-3', 'waits', 'web-2'), wait_s: 60 });
    assert.ok(decision.decision === 'pending', JSON.stringify(decision));
    await drill.open('held');
    assert.equal((await ended(client, first)).outcome, 'healed');
    const execution = await eventually(async () => (await client.getPending(decision.pending)).execution, {
      what: 'its execution',
      timeoutMs: 60_000,
    });
    assert.equal((await ended(client, execution)).outcome, 'healed');
  });

  it('and a limit per node hold for the node that a shared queue chose, though another thing was admitted', async () => {
    const once = await admitted(client, drillRequest('once', 'once', 'db-1'));
    assert.equal((await ended(client, once)).outcome, 'healed');
    const target = { node_type: 'db', datacenter: 'dc1' };
    const execution = await admitted(client, { ...drillRequest('shared', 'shared'), target });
    const refused = await eventually(
      async () => (await client.getExecution(execution)).steps.find(({ result }) => result.status === 'no_permit'),
      { what: 'a permit refused', timeoutMs: 60_000 },
    );
    assert.equal(refused.node, 'db-1');
    assert.ok(refused.result.status === 'no_permit' && refused.result.code === 'node_limit', JSON.stringify(refused));
    await client.cancelExecution(execution, 'seen enough');
    assert.equal((await ended(client, execution)).outcome, 'cancelled');
    assert.deepEqual(await drill.marks('shared'), []);
  });
});

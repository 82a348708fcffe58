/** Temporal away at the start, away in the middle of a run, and back; the gate missing, terminated, reset. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApiError, type CoordinatorClient } from '../identity/coordinator-client.ts';
import { gateWorkflowId, QUEUES } from '../workflows/contract.ts';
import { admitted, allFree, drillRequest, getPublic, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually, runProcess, startProcess, type RunningProcess } from './support/processes.ts';
import { temporalBinary } from './support/temporal.ts';

const NODES = [{ name: 'web-1', type: 'web' }];

/** Wants a 503 that says when to come back. */
const unavailable =
  (code: string, message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ApiError, String(error));
    assert.deepEqual([error.status, error.code], [503, code], error.message);
    assert.ok(error.retryAfterS !== null && error.retryAfterS > 0, 'Retry-After');
    assert.match(error.message, message);
    return true;
  };

describe('Temporal away', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;

  before(async () => {
    drill = stack.use(await startDrillSite({ nodes: NODES }));
    client = await drill.client(drill.site.address);
    await drill.site.setUp();
  });
  after(() => stack.disposeAsync());

  let coordinator: RunningProcess;
  const startC1 = async (): Promise<void> => {
    const argv = drill.site.fettle('coordinator', '--config', drill.site.configFile('coordinator-c1'));
    coordinator = stack.use(startProcess(argv, { name: 'coordinator c1' }));
    await coordinator.waitForLine('coordinator listens', { timeoutMs: 30_000 });
  };

  it('when the roles start: they wait, say so, and work once it is there', async () => {
    const { temporal, address } = drill.site;
    await temporal.kill();
    const agent = stack.use(drill.site.startAgent('web-1'));
    await startC1();
    await agent.waitForLine('Temporal is away', { timeoutMs: 30_000 });
    const ready = await getPublic(address, '/readyz');
    assert.equal(ready.status, 503, ready.body);
    assert.match(ready.body, new RegExp(`Temporal at ${temporal.address}`));
    assert.equal((await getPublic(address, '/healthz')).status, 200);
    await assert.rejects(client.request(drillRequest('quick', 'away')), (error) => {
      assert.ok(error instanceof ApiError && error.status === 503, String(error));
      assert.ok(error.retryAfterS !== null, error.message);
      return true;
    });
    await temporal.start();
    const isReady = async (): Promise<boolean> => (await getPublic(address, '/readyz')).status === 200;
    await eventually(isReady, { what: 'readiness', timeoutMs: 60_000, everyMs: 200 });
    const ask = () => admitted(client, drillRequest('quick', 'back'));
    const id = await eventually(ask, { what: 'the agent', timeoutMs: 60_000, everyMs: 200 });
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.deepEqual(await drill.marks('back'), ['done']);
    assert.deepEqual(await drill.marks('away'), []);
  });

  it('in the middle of a run: the action runs once, the run completes, no request is lost on its retry', async () => {
    const { temporal } = drill.site;
    const id = await admitted(client, drillRequest('gated', 'midway'));
    await eventually(async () => (await drill.marks('midway')).length > 0, { what: 'the action to begin' });
    await temporal.kill();
    const asked = drillRequest('quick', 'asked-meanwhile');
    await assert.rejects(client.request(asked), (error) => {
      assert.ok(error instanceof ApiError && error.status === 503, String(error));
      assert.ok(error.retryAfterS !== null, error.message);
      return true;
    });
    await drill.open('midway');
    await eventually(async () => (await drill.marks('midway')).length === 2, { what: 'the action to end' });
    await temporal.start();
    const detail = await eventually(() => ended(client, id), { what: 'the end of the run', timeoutMs: 60_000 });
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.deepEqual(await drill.marks('midway'), ['begun', 'ended']);
    const decide = () => client.request(asked);
    const decision = await eventually(
      async () => {
        const given = await decide();
        return 'execution' in given ? given : null;
      },
      { what: 'a decision', timeoutMs: 60_000, everyMs: 500 },
    );
    assert.equal((await ended(client, decision.execution)).outcome, 'healed');
    const again = await client.request(asked);
    assert.deepEqual([again.decision, 'execution' in again && again.execution], ['duplicate', decision.execution]);
    assert.deepEqual(await drill.marks('asked-meanwhile'), ['done']);
    await allFree(client);
  });

  const temporalCli = async (...args: string[]): Promise<void> => {
    const { temporal } = drill.site;
    const where = ['--address', temporal.address, '--namespace', 'fettle'];
    const { code, stderr } = await runProcess([temporalBinary(), 'workflow', ...args, ...where]);
    assert.equal(code, 0, stderr);
  };

  it('with its gate terminated by hand: another run takes over with all that was decided', async () => {
    const id = await admitted(client, drillRequest('gated', 'lost'));
    await eventually(async () => (await drill.marks('lost')).length > 0, { what: 'the action to begin' });
    await temporalCli('terminate', '--workflow-id', gateWorkflowId('main'), '--reason', 'drill');
    const busy = await eventually(() => client.request(drillRequest('quick', 'dead')), {
      what: 'a decision after the gate was lost',
      timeoutMs: 30_000,
      everyMs: 200,
    });
    assert.equal(busy.decision, 'refused', 'the node is still held by what was admitted before');
    assert.ok(busy.decision === 'refused' && busy.reasons[0]?.constraint === 'one_change_per_node');
    await drill.open('lost');
    assert.equal((await ended(client, id)).outcome, 'healed');
    await allFree(client);
    const next = await admitted(client, drillRequest('quick', 'alive'));
    assert.equal((await ended(client, next)).outcome, 'healed');
    assert.notEqual(id.split(':')[2]?.split('-')[0], next.split(':')[2]?.split('-')[0], 'a new epoch');
    assert.deepEqual(await drill.marks('dead'), []);
  });

  it('with its gate reset by hand: the copy decides nothing, and another run takes over from the original', async () => {
    const paused = { id: `x:${Date.now()}`, at: Date.now(), op: 'pause', sc: { k: 'all' }, by: 'test', why: 'drill' };
    const handle = drill.control.workflow.getHandle(gateWorkflowId('main'));
    const batch = { protocol: 1, from: 'test', clock: Date.now(), knows: [0, 0], ops: [paused] };
    await handle.executeUpdate('exchange', { args: [batch] });
    await temporalCli('reset', '--workflow-id', gateWorkflowId('main'), '--event-id', '4', '--reason', 'drill');
    const decision = await eventually(() => client.request(drillRequest('quick', 'reset')), {
      what: 'a decision after the gate was reset',
      timeoutMs: 30_000,
      everyMs: 200,
    });
    assert.ok(decision.decision === 'refused' && decision.code === 'paused', JSON.stringify(decision));
    const resume = { id: `${paused.id}r`, at: Date.now(), op: 'resume', pause: paused.id, by: 'test', why: 'drill' };
    await handle.executeUpdate('exchange', { args: [{ ...batch, clock: Date.now(), ops: [resume] }] });
    const id = await admitted(client, drillRequest('quick', 'after-reset'));
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.deepEqual(await drill.marks('reset'), []);
  });

  it('with its gate gone and nothing left to read: it stays closed until a person adopts it', async () => {
    const gateId = gateWorkflowId('main');
    await temporalCli('terminate', '--workflow-id', gateId, '--reason', 'drill');
    const args = [{ domain: 'main', predecessor: '00000000-0000-4000-8000-000000000000' }];
    const start = { workflowId: gateId, taskQueue: QUEUES.gate, args, workflowTaskTimeout: '2s' } as const;
    await drill.control.workflow.start('gate', start);
    const refusal = async (): Promise<ApiError | null> => {
      const decision = await client.request(drillRequest('quick', 'unread')).catch((error: unknown) => error);
      assert.ok(decision instanceof ApiError, `decided: ${JSON.stringify(decision)}`);
      return decision.code === 'gate_quarantined' ? decision : null;
    };
    const said = await eventually(refusal, { what: 'quarantine', timeoutMs: 30_000, everyMs: 200 });
    assert.match(said.message, /cannot be read .*fettle gate adopt/);
    const config = drill.site.configFile('coordinator-c1');
    const adopt = drill.site.fettle('gate', 'adopt', '--config', config, '--reason', 'nothing runs any more');
    const { code, stderr } = await runProcess(adopt);
    assert.equal(code, 0, stderr);
    const id = await admitted(client, drillRequest('quick', 'adopted'));
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.deepEqual(await drill.marks('unread'), []);
  });
});

describe('a Temporal that was never set up', () => {
  it('is said, with the command that sets it up', async () => {
    await using drill = await startDrillSite({ nodes: NODES });
    const argv = drill.site.fettle('coordinator', '--config', drill.site.configFile('coordinator-c1'));
    await using coordinator = startProcess(argv, { name: 'coordinator c1' });
    await coordinator.waitForLine('coordinator listens', { timeoutMs: 30_000 });
    const client = await drill.client(drill.site.address);
    const request = drillRequest('quick', 'nowhere');
    await assert.rejects(client.request(request), unavailable('gate_missing', /run: fettle setup temporal/));
    assert.match((await getPublic(drill.site.address, '/readyz')).body, /fettle setup temporal/);
    await drill.site.setUp();
    await drill.startAgent('web-1');
    const ask = () => admitted(client, drillRequest('quick', 'nowhere'));
    const id = await eventually(ask, { what: 'the first decision', timeoutMs: 60_000, everyMs: 500 });
    assert.equal((await ended(client, id)).outcome, 'healed');
  });
});

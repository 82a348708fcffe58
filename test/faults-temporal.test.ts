/** Temporal away at the start, away in the middle of a run, and back; the gate missing, terminated, reset. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ApiError, type CoordinatorClient } from '../identity/coordinator-client.ts';
import { gateWorkflowId } from '../workflows/contract.ts';
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

  it('with its gate reset by hand: it decides nothing until a person looked, even asked by one who saw no decision', async () => {
    await coordinator.kill();
    await rm(path.join(drill.site.dir, 'state-c1'), { recursive: true });
    await temporalCli('reset', '--workflow-id', gateWorkflowId('main'), '--event-id', '4', '--reason', 'drill');
    await startC1();
    const refusal = async (): Promise<ApiError | null> => {
      const decision = await client.request(drillRequest('quick', 'reset')).catch((error: unknown) => error);
      assert.ok(decision instanceof ApiError, `decided anew: ${JSON.stringify(decision)}`);
      assert.equal(decision.status, 503, decision.message);
      return decision.code === 'gate_quarantined' ? decision : null;
    };
    const said = await eventually(refusal, { what: 'quarantine', timeoutMs: 30_000, everyMs: 200 });
    assert.match(said.message, /this gate was reset; a person must look/);
    assert.equal((await client.status()).gate.state, 'paused');
    assert.deepEqual(await drill.marks('reset'), []);
  });

  it('with its gate terminated by hand: nothing is decided anew, also not after another set-up', async () => {
    await temporalCli('terminate', '--workflow-id', gateWorkflowId('main'), '--reason', 'drill');
    await assert.rejects(client.request(drillRequest('quick', 'dead')), unavailable('gate_missing', /gate/));
    await assert.rejects(drill.site.setUp(), /is terminated and is not made anew/);
    await assert.rejects(client.request(drillRequest('quick', 'dead')), unavailable('gate_missing', /gate/));
    assert.deepEqual(await drill.marks('dead'), []);
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

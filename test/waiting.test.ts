/** Requests that wait for room: in which order they are admitted, how they end, and what a crash leaves of them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiDecision, ApiIdentity, ApiPendingDetail, ApiRequest } from '../workflows/api.ts';
import { pendingId } from '../workflows/contract.ts';
import { LOOK_SIGNAL } from '../workflows/pending-request.ts';
import { admitted, allFree, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';

const TARGETS = Array.from({ length: 8 }, (_, index) => `target-${index}`);
const ONE_AT_ONCE = `task_queue_target = "general"
max_pending = 5
constraint {
  kind      = "concurrency"
  value     = "1"
  is_global = true
}
${drillStep('gated', '', '60s')}`;
const ONCE_AN_HOUR = `constraint {
  kind   = "maxExecution"
  value  = "1"
  period = "1h"
}
constraint {
  kind   = "concurrency"
  value  = "1"
  period = "2h"
}
constraint {
  kind   = "cooldown"
  period = "3h"
}
constraint {
  kind   = "maxExecution"
  value  = "1"
  period = "4h"
  scope  = "datacenter"
}
${drillStep('mark')}`;

describe('a request that waits', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  /** Through c1 and through c2. */
  let clients: readonly [CoordinatorClient, CoordinatorClient];
  let client: CoordinatorClient;

  before(async () => {
    const workflows = { line: ONE_AT_ONCE, fault: ONE_AT_ONCE, hourly: ONCE_AN_HOUR, doomed: ONE_AT_ONCE };
    const nodes = [{ name: 'worker', type: 'web' }, ...TARGETS.map((name) => ({ name, type: 'fake' }))];
    drill = stack.use(await startDrillSite({ nodes, workflows }));
    await drill.begin(['worker'], ['c1', 'c2']);
    const { address } = await drill.site.coordinatorFile('c2');
    clients = [await drill.client(drill.site.address), await drill.client(address)];
    client = await drill.client(drill.site.address, address);
  });
  after(() => stack.disposeAsync());

  /** Takes the only room of a workflow until the test lets it go. */
  const hold = (workflow: string, mark: string): Promise<string> =>
    admitted(client, drillRequest(workflow, mark, TARGETS[0]));
  const wait = (workflow: string, mark: string, more: Partial<ApiRequest> = {}, index = 1): ApiRequest => ({
    ...drillRequest(workflow, mark, TARGETS[index]),
    wait_s: 120,
    ...more,
  });
  const over = (id: string): Promise<ApiPendingDetail> =>
    eventually(
      async () => {
        const detail = await client.getPending(id);
        return detail.state === 'ended' ? detail : null;
      },
      { what: `the end of ${id}`, timeoutMs: 90_000, everyMs: 250 },
    );
  const letGo = async (mark: string, execution: string): Promise<void> => {
    await drill.open(mark);
    assert.equal((await ended(client, execution)).outcome, 'healed');
  };

  it('is admitted when the holder ends, in the order in which they came, through any coordinator; no more wait than may', async () => {
    const holder = await hold('line', 'holder');
    const marks = Array.from({ length: 5 }, (_, index) => `waiter-${index}`);
    const asked: string[] = [];
    for (const [index, mark] of marks.entries()) {
      await drill.open(mark);
      const decision = await clients[index % 2]!.request(wait('line', mark, {}, index + 1));
      const { pending, place, waits_for, reasons } = pendingOf(decision);
      assert.equal(waits_for, 'limits');
      assert.equal(place, index, 'each comes after those before it');
      assert.deepEqual(
        reasons.map(({ constraint, limit }) => [constraint, limit]),
        [['concurrency', 1]],
      );
      asked.push(pending);
    }
    const full = await client.request(wait('line', 'sixth', {}, 6));
    assert.ok(full.decision === 'refused', JSON.stringify(full));
    assert.match(full.message, /wait already as may \(5\)/);
    assert.deepEqual(
      (await client.listPending()).map(({ pending }) => pending),
      asked,
    );
    assert.equal((await client.status()).gate.waiting, 5);
    assert.deepEqual(
      (await client.listExecutions({ workflow: 'line' })).map(({ id }) => id),
      [holder],
      'a wait is no execution',
    );
    await letGo('holder', holder);
    const details = await Promise.all(asked.map(over));
    assert.deepEqual(
      details.map(({ outcome }) => outcome),
      marks.map(() => 'admitted'),
    );
    const executions = details.map(({ execution }) => execution ?? '');
    for (const [index, execution] of executions.entries()) {
      assert.equal((await ended(client, execution)).outcome, 'healed');
      assert.deepEqual(await drill.marks(marks[index]!), ['begun', 'ended'], 'once');
    }
    assert.deepEqual(executions, executions.toSorted(byLease), 'first come, first served');
  });

  it('is one and the same when it is asked for again, and tells what became of it', async () => {
    const holder = await hold('line', 'twice-holder');
    const asked = wait('line', 'twice');
    const [first, again] = [await clients[0].request(asked), await clients[1].request(asked)];
    assert.equal(pendingOf(first).pending, pendingOf(again).pending);
    assert.equal((await client.listPending()).length, 1);
    await drill.open('twice');
    await letGo('twice-holder', holder);
    const { execution } = await over(pendingOf(first).pending);
    assert.equal((await ended(client, execution ?? '')).request, asked.request_id);
    assert.equal(pendingOf(await client.request(asked)).pending, pendingOf(first).pending, 'nothing is decided twice');
    assert.deepEqual(await drill.marks('twice'), ['begun', 'ended']);
  });

  const fault = (name: string): { identity: ApiIdentity; evidence: ApiRequest['evidence'] } => {
    const now = Date.now();
    const [began_at, valid_until] = [new Date(now).toISOString(), new Date(now + 120_000).toISOString()];
    return {
      identity: { source: `test/${name}`, labels: { name }, began_at, gap_s: 60 },
      evidence: { summary: name, observed_at: began_at, valid_until },
    };
  };

  it('leaves when its fault is over, and one fault waits once', async () => {
    const holder = await hold('fault', 'resolved-holder');
    const seen = fault('resolved');
    const { pending } = pendingOf(await client.request(wait('fault', 'resolved', seen)));
    const second = await client.request(wait('fault', 'resolved', seen));
    assert.equal(pendingOf(second).pending, pending);
    assert.match(pendingOf(second).message, /waits already/);
    await client.reportEpisode({ identity: seen.identity, state: 'resolved' });
    assert.equal((await over(pending)).outcome, 'no_fault');
    await letGo('resolved-holder', holder);
    assert.deepEqual(await drill.marks('resolved'), []);
  });

  it('leaves when what was seen is too old, and nobody has seen it again', async () => {
    const holder = await hold('fault', 'stale-holder');
    const seen = fault('stale');
    const evidence = { ...seen.evidence!, valid_until: new Date(Date.now() + 2_000).toISOString() };
    const { pending } = pendingOf(await client.request(wait('fault', 'stale', { ...seen, evidence })));
    const detail = await over(pending);
    assert.equal(detail.outcome, 'expired');
    assert.match(detail.message, /too old/);
    await letGo('stale-holder', holder);
  });

  it('ends when it has waited as long as it may', async () => {
    const holder = await hold('line', 'expiry-holder');
    const { pending } = pendingOf(await client.request(wait('line', 'expiry', { wait_s: 3 })));
    const detail = await over(pending);
    assert.equal(detail.outcome, 'expired');
    assert.match(detail.message, /as long as it may/);
    await letGo('expiry-holder', holder);
    assert.deepEqual(await drill.marks('expiry'), []);
  });

  it('ends when somebody cancels it', async () => {
    const holder = await hold('line', 'cancel-holder');
    const { pending } = pendingOf(await client.request(wait('line', 'cancelled')));
    const detail = await client.cancelPending(pending, 'not needed');
    assert.equal((await over(pending)).outcome, 'cancelled', JSON.stringify(detail));
    assert.equal((await client.status()).gate.waiting, 0);
    await assert.rejects(client.cancelPending(pending, 'again'), /waits no more \(cancelled/);
    await letGo('cancel-holder', holder);
    assert.deepEqual(await drill.marks('cancelled'), []);
  });

  it('is refused at once when nothing can be free before its wait is over, with every limit in the way', async () => {
    await letGo('hourly', await admitted(client, drillRequest('hourly', 'hourly', 'worker')));
    const decision = await client.request({ ...drillRequest('hourly', 'hourly-2', 'worker'), wait_s: 60 });
    assert.ok(decision.decision === 'refused', JSON.stringify(decision));
    assert.deepEqual(decision.reasons.map(({ constraint, scope }) => `${constraint} ${scope}`).toSorted(), [
      'concurrency target',
      'cooldown target',
      'maxExecution datacenter',
      'maxExecution target',
    ]);
    assert.doesNotMatch(decision.message, /more$/);
  });

  it('is kept through a pause, which refuses what is new, and decided again afterwards', async () => {
    const holder = await hold('line', 'pause-holder');
    // What a pause finds before its first permit waits for its end.
    await eventually(async () => (await drill.marks('pause-holder')).length > 0, { what: 'the holder to begin' });
    await drill.open('paused');
    const { pending } = pendingOf(await client.request(wait('line', 'paused')));
    const pause = await client.pause({ scope: { workflow: 'line' }, reason: 'looking' });
    const refused = await client.request(wait('line', 'new', {}, 2));
    assert.ok(refused.decision === 'refused' && refused.code === 'paused', JSON.stringify(refused));
    await letGo('pause-holder', holder);
    await drill.control.workflow.getHandle(pending).signal(LOOK_SIGNAL);
    await eventually(async () => (await client.getPending(pending)).request?.waits_for === 'pause', {
      what: 'it to wait for the end of the pause',
    });
    await client.resume({ id: pause.id, reason: 'looked' });
    const { execution } = await over(pending);
    assert.equal((await ended(client, execution ?? '')).outcome, 'healed');
  });

  it('goes on in a new run when it has asked often, and is still the same', async () => {
    const holder = await hold('line', 'often-holder');
    await drill.open('often');
    const { pending } = pendingOf(await client.request(wait('line', 'often')));
    const handle = drill.control.workflow.getHandle(pending);
    const first = (await handle.describe()).runId;
    const run = await eventually(
      async () => {
        await handle.signal(LOOK_SIGNAL);
        const described = await handle.describe();
        return described.runId === first ? null : described;
      },
      { what: 'a new run', timeoutMs: 60_000, everyMs: 50 },
    );
    const named = run.typedSearchAttributes.get(defineSearchAttributeKey('FettleWorkflow', 'KEYWORD'));
    assert.equal(named, 'line', 'found by the same attributes');
    assert.deepEqual(
      (await client.listPending()).map((one) => one.pending),
      [pending],
    );
    await letGo('often-holder', holder);
    const { execution } = await over(pending);
    assert.equal((await ended(client, execution ?? '')).outcome, 'healed');
    assert.deepEqual(await drill.marks('often'), ['begun', 'ended']);
  });

  it('is known nowhere when it never was', async () => {
    await assert.rejects(client.getPending(pendingId('nothing')), /no request waits/);
    await assert.rejects(client.approve(pendingId('nothing'), {}), /no request waits/);
  });

  it('is started once when the coordinator that had it admitted is killed before the start', async () => {
    await drill.roles.get('c2')?.stop();
    const doomed = await drill.startDoomed('doomed', 'beforeStart');
    let dead = false;
    const death = doomed.process.ended.then((how) => {
      dead = true;
      return how;
    });
    const holder = drillRequest('doomed', 'doomed-holder', TARGETS[0]);
    for (let round = 0; ; round += 1) {
      if (dead) break;
      const mark = `doomed-${round}`;
      const held = await admitted(client, {
        ...holder,
        request_id: `${mark}-holder`,
        args: { mark: `${mark}-holder` },
      });
      const waiters = Array.from({ length: 4 }, (_, index) => `${mark}-${index}`);
      const asked = [];
      for (const [index, waiter] of waiters.entries()) {
        await drill.open(waiter);
        asked.push(pendingOf(await client.request(wait('doomed', waiter, {}, index + 1))).pending);
      }
      await letGo(`${mark}-holder`, held);
      const details = await Promise.all(asked.map(over));
      for (const [index, { outcome, execution, message }] of details.entries()) {
        assert.equal(outcome, 'admitted', message);
        assert.equal((await ended(client, execution ?? '')).outcome, 'healed');
        assert.deepEqual(await drill.marks(waiters[index]!), ['begun', 'ended'], 'once');
      }
      await allFree(client);
    }
    assert.equal((await death).signal, 'SIGKILL');
    const started = await client.listExecutions({ workflow: 'doomed', limit: 500 });
    const requests = await Promise.all(started.map(async ({ id }) => (await client.getExecution(id)).request));
    assert.equal(new Set(requests).size, requests.length, 'one execution for each request');
  });
});

type Pending = ApiDecision & { decision: 'pending' };

function pendingOf(decision: ApiDecision): Pending {
  assert.ok(decision.decision === 'pending', JSON.stringify(decision));
  return decision;
}

const numberOf = (execution: string): number => Number.parseInt(execution.split('-').at(-1) ?? '', 36);
const byLease = (a: string, b: string): number => numberOf(a) - numberOf(b);

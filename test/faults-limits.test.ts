/** The wall of limits under many callers at once, checked from Temporal's own records; rules that change on disk under way. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { openClientIdentity } from '../identity/client-identity.ts';
import { openCoordinatorClient, type CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiDecision } from '../workflows/api.ts';
import { gateWorkflowId } from '../workflows/contract.ts';
import { admitted, allFree, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { readJournal } from './support/gate-journal.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';
import { COORDINATOR_ID } from './support/site.ts';

const TARGETS = Array.from({ length: 10 }, (_, index) => `target-${index}`);
const NODES = [{ name: 'worker', type: 'web' }, ...TARGETS.map((name) => ({ name, type: 'fake' }))];
const WALLED = `task_queue_target = "general"
constraint {
  kind      = "maxExecution"
  value     = "3"
  period    = "1h"
  is_global = true
}
constraint {
  kind  = "concurrency"
  value = "1"
}
${drillStep('mark')}`;
const limitedTo = (value: string): string => `constraint {
  kind   = "maxExecution"
  value  = "${value}"
  period = "1h"
}
${drillStep('mark')}`;

describe('limits', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;

  before(async () => {
    const workflows = { walled: WALLED, changing: limitedTo('5'), broken: limitedTo('1') };
    drill = stack.use(await startDrillSite({ nodes: NODES, workflows }));
    await drill.begin(['worker'], ['c1', 'c2']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  it('hold for 200 requests at once, from several callers through two coordinators', async () => {
    const addresses = [drill.site.address, (await drill.site.coordinatorFile('c2')).address];
    const callers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => daemonClient(drill, `t${index % 3}`, addresses[index % 2] ?? '', stack)),
    );
    const requests = Array.from({ length: 200 }, (_, index) =>
      // Every fifth is an earlier one asked again, word for word and by the same caller.
      index % 5 === 4
        ? null
        : { by: index % callers.length, body: drillRequest('walled', `wall-${index}`, TARGETS[index % 10]) },
    );
    const asked = requests.map((one, index) => one ?? requests[index - 1]!);
    const decisions = await Promise.all(asked.map(({ by, body }) => decide(callers[by]!, body)));
    const executions = new Set(decisions.flatMap((one) => ('execution' in one ? [one.execution] : [])));
    const count = (decision: string): number => decisions.filter((one) => one.decision === decision).length;
    assert.equal(count('admitted'), 3, JSON.stringify(decisions.slice(0, 5)));
    assert.equal(executions.size, 3);
    assert.equal(count('admitted') + count('duplicate') + count('refused'), 200);
    for (const decision of decisions) {
      if (decision.decision !== 'refused') continue;
      assert.equal(decision.code, 'limits');
      assert.ok(decision.reasons.length > 0, 'every refusal says why');
    }
    for (const id of executions) assert.equal((await ended(client, id)).outcome, 'healed');
    const listed = await eventually(
      async () => {
        const found = await client.listExecutions({ workflow: 'walled', limit: 500 });
        return found.length >= 3 ? found : null;
      },
      { what: 'the executions in the record' },
    );
    assert.deepEqual(new Set(listed.map((one) => one.id)), executions, "by Temporal's record no other ever started");
    const ran = (
      await Promise.all(requests.flatMap((one) => (one === null ? [] : [drill.marks(String(one.body.args?.['mark']))])))
    ).flat();
    assert.equal(ran.length, 3);
  });

  it('were never overstepped, as the history of the gate shows', async () => {
    const journal = (await readJournal(drill.control, gateWorkflowId('main'))).filter((one) => one.op === 'ask');
    const walled = journal.filter((one) => one.workflow === 'walled');
    const first = new Map<string, string>();
    for (const { id, answer, lease, known } of walled) {
      const said = `${answer} ${lease}`;
      assert.equal(known, first.has(id), `${id}: known exactly when it was asked before`);
      assert.equal(first.get(id) ?? said, said, `${id}: nothing is decided twice`);
      first.set(id, said);
    }
    assert.equal(first.size, 160);
    const taken = walled.filter((one) => one.answer === 'admitted' && !one.known);
    assert.equal(taken.length, 3);
    assert.equal(new Set(taken.map((one) => one.lease)).size, 3, 'each lease is a new number');
    assert.equal(new Set(taken.map((one) => one.node)).size, 3, 'at most one on a node');
  });

  it('follow the files: a stricter one holds for the next request', async () => {
    await allFree(client);
    const first = await admitted(client, drillRequest('changing', 'changing-1', 'worker'));
    assert.equal((await ended(client, first)).outcome, 'healed');
    await writeFile(path.join(drill.site.workflowsDir, 'changing.hcl'), limitedTo('1'));
    await eventually(() => limitOf(client, 'changing', 1), { what: 'the stricter limit in force', timeoutMs: 30_000 });
    const decision = await client.request(drillRequest('changing', 'changing-2', 'worker'));
    assert.ok(decision.decision === 'refused', JSON.stringify(decision));
    assert.deepEqual(
      decision.reasons.map(({ constraint, limit, current }) => [constraint, limit, current]),
      [['maxExecution', 1, 1]],
    );
    assert.deepEqual(await drill.marks('changing-2'), []);
  });

  it('stay as they were when a file is broken, and the problem is shown', async () => {
    const file = path.join(drill.site.workflowsDir, 'broken.hcl');
    await writeFile(file, limitedTo('100').replace('maxExecution', 'maxExecutoin'));
    const problems = async () => {
      const { files } = (await client.status()).config;
      const shown = files.flatMap((one) => one.problems);
      return shown.length > 0 ? shown : null;
    };
    const shown = await eventually(problems, { what: 'the problem in the status', timeoutMs: 30_000 });
    assert.match(shown.join('\n'), /broken\.hcl:2:\d+: .*maxExecutoin/);
    const id = await admitted(client, drillRequest('broken', 'broken-1', 'worker'));
    assert.equal((await ended(client, id)).outcome, 'healed');
    const decision = await client.request(drillRequest('broken', 'broken-2', 'worker'));
    assert.equal(decision.decision, 'refused', 'the old limit of one is in force');
    await writeFile(file, limitedTo('2'));
    await eventually(() => limitOf(client, 'broken', 2), { what: 'the mended file in force', timeoutMs: 30_000 });
    assert.deepEqual(
      (await client.status()).config.files.flatMap((one) => one.problems),
      [],
    );
  });
});

const limitOf = async (client: CoordinatorClient, workflow: string, limit: number): Promise<boolean> => {
  const found = (await client.workflows()).find((one) => one.name === workflow);
  return found?.constraints.some((one) => one.value === limit) === true;
};

/** A caller may be told to come again; it does, with the same words. */
async function decide(client: CoordinatorClient, body: ReturnType<typeof drillRequest>): Promise<ApiDecision> {
  return eventually(() => client.request(body), { what: 'a decision', timeoutMs: 60_000, everyMs: 500 });
}

async function daemonClient(
  drill: DrillSite,
  name: string,
  address: string,
  stack: AsyncDisposableStack,
): Promise<CoordinatorClient> {
  const folder = `caller-${name}-${new URL(address).port}`;
  const { certificate, key, bundle } = await drill.site.pki.issue(`/trigger-daemon/${name}`, { name: folder });
  const log = pino({ level: 'silent' });
  const identity = stack.use(
    await openClientIdentity({ certificate, key, bundle, coordinatorId: COORDINATOR_ID }, { log }),
  );
  return stack.use(openCoordinatorClient({ addresses: [address], coordinatorId: COORDINATOR_ID, identity }));
}

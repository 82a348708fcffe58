/** What stands in the coordinators' own file holds across workflows: limits, windows by the clock, windows by a calendar. */
import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiReason } from '../workflows/api.ts';
import { admitted, allFree, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';

const WORKERS = ['worker-1', 'worker-2'];
const NODES = [...WORKERS.map((name) => ({ name, type: 'web' })), { name: 'db-1', type: 'database' }];
const RULES = `
limit "one-at-a-time" {
  kind    = "concurrency"
  value   = 1
  actions = ["exec"]
}
window "databases" {
  changes    = "only"
  hours      = "${hoursElsewhere()}"
  node_types = ["database"]
  reason     = "not now"
}
window "change-calendar" {
  changes   = "forbidden"
  calendar  = "freeze.ics"
  workflows = ["frozen"]
}
`;

/** An hour of the day that is far from now. */
function hoursElsewhere(): string {
  const hour = (new Date().getUTCHours() + 12) % 24;
  return `${String(hour).padStart(2, '0')}:00-${String((hour + 1) % 24).padStart(2, '0')}:00`;
}

/** From yesterday until a week from now. */
function calendar(): string {
  const day = (ahead: number): string =>
    new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '');
  const event = [
    'BEGIN:VEVENT',
    'UID:freeze',
    `DTSTART;VALUE=DATE:${day(-1)}`,
    `DTEND;VALUE=DATE:${day(7)}`,
    'END:VEVENT',
  ];
  return ['BEGIN:VCALENDAR', 'VERSION:2.0', ...event, 'END:VCALENDAR', ''].join('\r\n');
}

describe('rules of the whole fleet', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;

  before(async () => {
    const workflows = { gated: drillStep('gated'), quick: drillStep('mark'), frozen: drillStep('mark') };
    drill = stack.use(await startDrillSite({ nodes: NODES, workflows, coordinator: RULES }));
    await writeFile(path.join(drill.site.dir, 'freeze.ics'), calendar());
    await drill.begin([...WORKERS, 'db-1'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  const refusal = async (workflow: string, node: string): Promise<readonly ApiReason[]> => {
    const decision = await client.request(drillRequest(workflow, `${workflow}-refused`, node));
    assert.equal(decision.decision, 'refused', JSON.stringify(decision));
    return decision.decision === 'refused' ? decision.reasons : [];
  };

  it('count executions of different workflows on different nodes together', async () => {
    const first = await admitted(client, drillRequest('gated', 'first', 'worker-1'));
    const [reason, ...more] = await refusal('quick', 'worker-2');
    assert.deepEqual(
      [reason?.constraint, reason?.name, reason?.limit, reason?.current, more],
      ['concurrency', 'one-at-a-time', 1, 1, []],
    );
    await drill.open('first');
    assert.equal((await ended(client, first)).outcome, 'healed');
    await allFree(client);
    const second = await admitted(client, drillRequest('quick', 'second', 'worker-2'));
    assert.equal((await ended(client, second)).outcome, 'healed');
  });

  it('keep nodes of a type closed outside of the hours that are theirs', async () => {
    await allFree(client);
    const [reason] = await refusal('quick', 'db-1');
    assert.deepEqual([reason?.constraint, reason?.name], ['window', 'file:databases']);
    assert.ok(reason?.retry_after_s !== null, 'it says when to ask again');
  });

  it('keep a workflow from running on days that a calendar closes', async () => {
    const [reason] = await refusal('frozen', 'worker-1');
    assert.deepEqual([reason?.constraint, reason?.name], ['window', 'file:change-calendar']);
  });

  it('follow the file: a window that is added closes at once', async () => {
    const days = '["sun", "mon", "tue", "wed", "thu", "fri", "sat"]';
    const { file } = await drill.site.coordinatorFile('c1');
    await appendFile(file, `window "everything" {\n  changes = "forbidden"\n  days = ${days}\n}\n`);
    await eventually(
      async () => {
        const decision = await client.request(drillRequest('quick', 'last', 'worker-2'));
        return decision.decision === 'refused' && decision.reasons.some(({ name }) => name === 'file:everything');
      },
      { what: 'the window that was added' },
    );
  });
});

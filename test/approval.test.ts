/** Workflows that ask before they act, and such as only rehearse: who may say yes, what a yes does not lift, what stays undone. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiDecision, ApiPendingDetail, ApiRequest } from '../workflows/api.ts';
import { gateWorkflowId } from '../workflows/contract.ts';
import { admitted, drillRequest, drillStep, metricOf, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { readJournal } from './support/gate-journal.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';
import { TRUST_DOMAIN } from './support/site.ts';

const LIMITED = `constraint {
  kind  = "concurrency"
  value = "1"
}
`;
const WORKFLOWS = {
  careful: `mode = "ask"\n${drillStep('mark')}`,
  'careful-limited': `mode = "ask"\n${LIMITED}${drillStep('gated')}`,
  closed: drillStep('mark'),
  impatient: `mode = "ask"\napprove_within = "3s"\n${drillStep('mark')}`,
  rehearsed: `mode = "shadow"\n${LIMITED}${drillStep('mark')}`,
};
const rule = (name: string, people: readonly string[], verbs: readonly string[]): string => `
workflow_rule "${name}" {
  workflows  = ["*"]
  node_types = ["*"]
  uris       = ${JSON.stringify(people.map((one) => `spiffe://${TRUST_DOMAIN}/person/${one}`))}
  verbs      = ${JSON.stringify(verbs)}
}
`;

describe('a workflow that asks', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  /** Asks. */
  let oncall: CoordinatorClient;
  /** May say yes. */
  let second: CoordinatorClient;
  /** May run only. */
  let third: CoordinatorClient;
  /** May break the glass. */
  let chief: CoordinatorClient;

  before(async () => {
    const rules =
      rule('run', ['oncall', 'second', 'third', 'chief'], ['run', 'cancel']) +
      rule('approve', ['oncall', 'second', 'chief'], ['approve', 'pause']) +
      rule('glass', ['chief'], ['break_glass']);
    const nodes = [{ name: 'web-1', type: 'web' }];
    const people = ['second', 'third', 'chief'];
    drill = stack.use(await startDrillSite({ nodes, workflows: WORKFLOWS, people, coordinator: rules }));
    await drill.begin(['web-1'], ['c1']);
    const as = async (person: string): Promise<CoordinatorClient> => stack.use(await drill.site.client(person));
    [oncall, second, third, chief] = [await as('oncall'), await as('second'), await as('third'), await as('chief')];
  });
  after(() => stack.disposeAsync());

  const over = (id: string): Promise<ApiPendingDetail> =>
    eventually(
      async () => {
        const detail = await oncall.getPending(id);
        return detail.state === 'ended' ? detail : null;
      },
      { what: `the end of ${id}`, timeoutMs: 90_000, everyMs: 250 },
    );
  const asked = async (workflow: string, mark: string, more: Partial<ApiRequest> = {}): Promise<string> => {
    const decision = await oncall.request({ ...drillRequest(workflow, mark), ...more });
    const { pending, waits_for } = pendingOf(decision);
    assert.equal(waits_for, 'approval');
    return pending;
  };

  it('runs after the yes of somebody else, who named the plan that he was shown', async () => {
    const pending = await asked('careful', 'approved');
    assert.deepEqual(await drill.marks('approved'), []);
    const shown = (await second.listPending()).find((one) => one.pending === pending);
    assert.match(shown?.caller ?? '', /oncall$/);
    assert.equal(shown?.workflow, 'careful');
    assert.deepEqual((await second.getPending(pending)).asked?.args, { mark: 'approved' });
    const approved = await second.approve(pending, { plan: shown?.plan, reason: 'looked at it' });
    assert.match(approved.by, /second$/);
    const { outcome, execution } = await over(pending);
    assert.equal(outcome, 'admitted');
    const detail = await ended(oncall, execution ?? '');
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.match(detail.caller, /oncall$/);
    assert.deepEqual(await drill.marks('approved'), ['done']);
    await assert.rejects(second.deny(pending, 'too late'), /waits no more \(admitted/);
  });

  it('waits on after the yes of whoever asked, of one who may not, and to another plan', async () => {
    const pending = await asked('careful', 'unapproved');
    await assert.rejects(oncall.approve(pending, {}), /must be approved by somebody else than .*oncall/);
    await assert.rejects(third.approve(pending, {}), /no workflow_rule lets .*third approve/);
    await assert.rejects(second.approve(pending, { plan: 'another' }), /another plan/);
    await assert.rejects(second.approve(pending, { break_glass: true }), /no workflow_rule lets .*second break_glass/);
    assert.equal((await oncall.getPending(pending)).state, 'waiting');
    assert.deepEqual(await drill.marks('unapproved'), []);
    await second.deny(pending, 'not today');
    const { outcome, message } = await over(pending);
    assert.equal(outcome, 'denied');
    assert.match(message, /denied by .*second/);
    assert.deepEqual(await drill.marks('unapproved'), []);
  });

  it('runs by the yes of whoever asked when he may break the glass, and that is loud', async () => {
    const decision = await chief.request(drillRequest('careful', 'glass'));
    const { pending } = pendingOf(decision);
    await assert.rejects(chief.approve(pending, {}), /somebody else/);
    await chief.approve(pending, { break_glass: true, reason: 'nobody else is awake' });
    const { execution } = await over(pending);
    assert.equal((await ended(oncall, execution ?? '')).outcome, 'healed');
    assert.equal(await metricOf(drill.site.address, 'fettle_coordinator_break_glass_total'), 1);
    await drill.roles.get('c1')?.waitForLine('BREAK GLASS');
  });

  it('runs in a closed window only for who breaks the glass', async () => {
    const until = new Date(Date.now() + 600_000).toISOString();
    await second.addWindow({ scope: { workflows: ['closed'] }, until, reason: 'audit' });
    const refused = await oncall.request(drillRequest('closed', 'closed-1'));
    assert.ok(refused.decision === 'refused', JSON.stringify(refused));
    assert.deepEqual(
      refused.reasons.map(({ constraint }) => constraint),
      ['window'],
    );
    const waiting = await oncall.request({ ...drillRequest('closed', 'closed-2'), wait_s: 3_600 });
    const { pending, waits_for } = pendingOf(waiting);
    assert.equal(waits_for, 'limits');
    await assert.rejects(second.approve(pending, {}), /waits for nobody's yes: .*--break-glass/);
    await chief.approve(pending, { break_glass: true, reason: 'burning' });
    const { execution } = await over(pending);
    assert.equal((await ended(oncall, execution ?? '')).outcome, 'healed');
    assert.deepEqual([await drill.marks('closed-1'), await drill.marks('closed-2')], [[], ['done']]);
  });

  it('does not run when nobody has said yes in time', async () => {
    const pending = await asked('impatient', 'impatient');
    const { outcome } = await over(pending);
    assert.equal(outcome, 'expired');
    await assert.rejects(second.approve(pending, {}), /waits no more \(expired/);
    assert.deepEqual(await drill.marks('impatient'), []);
  });

  it('keeps its limits after a yes: it waits for them, and then runs', async () => {
    const first = await asked('careful-limited', 'limited-1');
    await second.approve(first, {});
    const holder = (await over(first)).execution ?? '';
    const next = await asked('careful-limited', 'limited-2');
    const { message, execution } = await second.approve(next, {});
    assert.equal(execution, null, message);
    const waiting = await eventually(
      async () => (await oncall.listPending()).find((one) => one.pending === next && one.waits_for === 'limits'),
      { what: 'a wait for the limit' },
    );
    assert.match(waiting.approved_by ?? '', /second$/);
    await assert.rejects(chief.approve(next, {}), /was decided by .*second before/);
    await drill.open('limited-2');
    await drill.open('limited-1');
    assert.equal((await ended(oncall, holder)).outcome, 'healed');
    const { outcome, execution: ran } = await over(next);
    assert.equal(outcome, 'admitted');
    assert.equal((await ended(oncall, ran ?? '')).outcome, 'healed');
    assert.deepEqual(await drill.marks('limited-2'), ['begun', 'ended']);
  });

  it('asks nobody for a dry run', async () => {
    const execution = await admitted(oncall, { ...drillRequest('careful', 'dry'), dry_run: true });
    assert.equal((await ended(oncall, execution)).outcome, 'dry_run');
  });

  it('starts what a yes had admitted when its only coordinator is killed before the start', async () => {
    const pending = await asked('careful', 'killed');
    const doomed = await drill.startDoomed('doomed', 'beforeStart');
    await drill.roles.get('c1')?.stop();
    const only = stack.use(await drill.site.client('second', [doomed.address]));
    // It is told of the yes and dies of what follows: its answer may be lost.
    await only.approve(pending, {}).catch(() => undefined);
    assert.equal((await doomed.process.ended).signal, 'SIGKILL');
    await drill.startCoordinator('c1');
    const { outcome, execution, message } = await over(pending);
    // Started in time, or given back and on record: never both, never neither.
    if (outcome === 'expired') assert.match(message, /nobody could start it in time/);
    else assert.equal((await ended(oncall, execution ?? '')).outcome, 'healed');
    assert.deepEqual(await drill.marks('killed'), outcome === 'admitted' ? ['done'] : []);
  });

  it('that only rehearses decides, records, and runs nothing', async () => {
    const one = await oncall.request(drillRequest('rehearsed', 'rehearsed-1'));
    assert.ok(one.decision === 'shadow' && one.would === 'admitted', JSON.stringify(one));
    const two = await oncall.request(drillRequest('rehearsed', 'rehearsed-2'));
    assert.ok(two.decision === 'shadow' && two.would === 'refused', JSON.stringify(two));
    assert.deepEqual(
      two.reasons.map(({ constraint }) => constraint),
      ['concurrency', 'one_change_per_node'],
    );
    assert.deepEqual(await oncall.listExecutions({ workflow: 'rehearsed' }), []);
    assert.deepEqual([...(await drill.marks('rehearsed-1')), ...(await drill.marks('rehearsed-2'))], []);
    const journal = await readJournal(drill.control, gateWorkflowId('main'));
    const recorded = journal.filter(({ op, workflow }) => op === 'ask' && workflow === 'rehearsed');
    assert.deepEqual(
      recorded.map(({ answer }) => answer),
      ['shadow', 'shadow'],
    );
  });
});

type Pending = ApiDecision & { decision: 'pending' };

function pendingOf(decision: ApiDecision): Pending {
  assert.ok(decision.decision === 'pending', JSON.stringify(decision));
  return decision;
}

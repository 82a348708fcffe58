/** The record of a real gate on a real server, over several of its runs. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import type { ApiDecisionRecord } from '../../workflows/api.ts';
import { gateWorkflowId } from '../../workflows/contract.ts';
import type { Answer, Ask, LeaseRef, LimitRef, Operation } from '../../workflows/gate/operations.ts';
import { startGateWorkers } from '../../test/support/gate-workers.ts';
import { eventually, temporaryDirectory } from '../../test/support/processes.ts';
import { startTemporal } from '../../test/support/temporal.ts';
import { GateClient } from '../gate/gate-client.ts';
import { openKnownLease } from '../gate/known-lease.ts';
import { ApiFailure, type DecisionFilter } from '../service.ts';
import { setupTemporal } from '../setup-temporal.ts';
import { openTemporal, type Temporal } from '../temporal.ts';
import { readDecisions } from './decisions.ts';
import { latestRun, openRun, type Entry } from './gate-runs.ts';
import { searchRecord } from './walk.ts';
import { explainWhy } from './why.ts';

const log = pino({ level: 'silent' });
const HOURLY: LimitRef = { k: 'm', v: 2, p: 3_600_000, s: 'target' };
const FLEET: LimitRef = { k: 'c', v: 5, p: 0, s: 'global', g: 'reboots' };

describe("the gate's record", () => {
  const stack = new AsyncDisposableStack();
  let temporal: Temporal;
  let directory: string;
  let address: string;
  let ids = 0;
  const config = () => ({
    address,
    namespace: 'fettle',
    agentsNamespace: 'fettle-agents',
    apiKeyFile: null,
    tls: null,
  });

  before(async () => {
    ({ address } = stack.use(await startTemporal()));
    directory = stack.use(await temporaryDirectory()).path;
    temporal = await openTemporal(config(), 'test');
    stack.defer(() => temporal.close());
    // The namespaces, before Workers poll them.
    await setupTemporal({ ...config(), domain: 'main', retentionDays: 1 });
    const workers = await startGateWorkers(config());
    stack.defer(() => workers.stop());
  });
  after(() => stack.disposeAsync());

  const gateFor = async (domain: string): Promise<GateClient> => {
    await setupTemporal({ ...config(), domain, retentionDays: 1 });
    const known = await openKnownLease(path.join(directory, domain), domain, log);
    return new GateClient({ temporal, domain, name: 'c1', known, log });
  };
  const announce = (gate: GateClient, lim: readonly LimitRef[], w = 'restart'): Promise<Answer> =>
    gate.submit({ op: 'definitions', id: `d${(ids += 1)}`, at: Date.now(), w, d: 'd1', lim, ch: true, by: 'c1' });
  const ask = (gate: GateClient, node: string, more: Partial<Ask> = {}): Promise<Answer> =>
    gate.submit({
      op: 'ask',
      id: `a:${(ids += 1)}`,
      at: Date.now(),
      w: 'restart',
      d: 'd1',
      t: { k: 'n', n: node, y: 'web', c: 'dc1' },
      p: 'plan',
      eu: Date.now() + 60_000,
      by: 'spiffe://example.com/person/ann',
      q: `r${ids}`,
      ...more,
    });
  const release = async (gate: GateClient, answer: Answer): Promise<LeaseRef> => {
    assert.equal(answer.a, 'admitted', JSON.stringify(answer));
    if (answer.a !== 'admitted') throw new Error('not admitted');
    const at = Date.now();
    const lease = { at, l: answer.l } as const;
    // With a permit its start counts for good.
    await gate.submit({ ...lease, op: 'permit', id: `p${(ids += 1)}`, p: 'plan', s: 'one', a: 1, n: 'any', busy: 1 });
    await gate.submit({ ...lease, op: 'result', id: `q${ids}`, s: 'one', a: 1, r: 'done' });
    await gate.submit({ op: 'release', id: `r${(ids += 1)}`, at: Date.now(), l: answer.l, o: 'healed' });
    return answer.l;
  };
  const say = (gate: GateClient, operation: Operation): Promise<Answer> => gate.submit(operation);
  const read = (domain: string, filter: DecisionFilter = {}) => readDecisions(temporal, domain, filter);
  const short = ({ decision, target, code }: ApiDecisionRecord): string => `${decision} ${target} ${code ?? ''}`.trim();
  /** Has the gate go on in a new run, by as many Updates as that takes. */
  const nextRun = async (gate: GateClient, domain: string): Promise<void> => {
    const run = await latestRun(temporal, domain);
    const seen = { id: `e${ids}`, ob: 'o', b: Date.now(), gap: 1_000 };
    await eventually(
      async () => {
        const some = Array.from({ length: 200 }, (): Operation => ({
          op: 'resolved',
          id: `x${(ids += 1)}`,
          at: Date.now(),
          e: seen,
        }));
        await Promise.all(
          Array.from({ length: 10 }, () => some.splice(0, 20))
            .flat()
            .map((operation) => gate.submit(operation)),
        );
        return (await latestRun(temporal, domain)) !== run;
      },
      { what: 'the next run of the gate', timeoutMs: 90_000, everyMs: 1 },
    );
  };

  it('tells what was decided, with every limit and its count at that moment, and that it is complete', async () => {
    const gate = await gateFor('told');
    await announce(gate, [HOURLY, FLEET]);
    await release(gate, await ask(gate, 'web-1'));
    await ask(gate, 'web-1', { ev: 'prometheus.main/web-wedged' });
    await ask(gate, 'web-1');
    await ask(gate, 'web-2', { eu: Date.now() - 1 });
    const told = await read('told');
    assert.equal(told.reaches_back_to, null);
    assert.equal(told.next, null);
    assert.deepEqual(told.decisions.map(short), [
      'refused web-2 stale_evidence',
      'refused web-1 limits',
      'admitted web-1',
      'admitted web-1',
    ]);
    const [, refused, second] = told.decisions;
    assert.deepEqual(
      second?.limits.map(({ constraint, name, limit, current }) => [constraint, name, limit, current]),
      [
        ['maxExecution', null, 2, 1],
        ['concurrency', 'reboots', 5, 0],
      ],
    );
    assert.match(second.execution ?? '', /^restart:web-1:1-2$/);
    assert.equal(second.source, 'prometheus.main/web-wedged');
    assert.ok(
      refused?.limits.some(
        ({ constraint, current, limit }) => constraint === 'maxExecution' && current === 2 && limit === 2,
      ),
    );
  });

  it('filters by node, workflow, caller, request, execution, decision and time', async () => {
    const gate = await gateFor('filters');
    await announce(gate, []);
    await announce(gate, [], 'reboot');
    const long = `spiffe://example.com/${'x'.repeat(80)}`;
    const { callerRef } = await import('../caller-ref.ts');
    await ask(gate, 'web-1', { q: 'wanted' });
    await ask(gate, 'web-1', { q: 'refused' });
    await ask(gate, 'web-2', { w: 'reboot', by: callerRef(long) });
    const since = new Date(Date.now() + 1).toISOString();
    await eventually(() => Date.now() > Date.parse(since) + 5);
    await ask(gate, 'web-3');
    const found = async (filter: DecisionFilter): Promise<string[]> =>
      (await read('filters', filter)).decisions.map(short);
    assert.deepEqual(await found({ node: 'web-1' }), ['refused web-1 limits', 'admitted web-1']);
    assert.deepEqual(await found({ workflow: 'reboot' }), ['admitted web-2']);
    assert.deepEqual(await found({ caller: long }), ['admitted web-2']);
    assert.deepEqual(await found({ request: 'wanted' }), ['admitted web-1']);
    assert.deepEqual(await found({ execution: 'restart:web-1:1-1' }), ['admitted web-1']);
    assert.deepEqual(await found({ refused: true }), ['refused web-1 limits']);
    assert.deepEqual(await found({ since }), ['admitted web-3']);
    await assert.rejects(
      read('filters', { before: 'nonsense' }),
      (error: unknown) => error instanceof ApiFailure && error.code === 'before',
    );
  });

  it('goes from run to run, knows the limits that an earlier one applied, and gives all in pages', async () => {
    const gate = await gateFor('runs');
    await announce(gate, [HOURLY]);
    await release(gate, await ask(gate, 'first'));
    for (const name of ['second', 'third', 'fourth']) {
      await nextRun(gate, 'runs');
      await release(gate, await ask(gate, name));
    }
    const whole = await read('runs');
    assert.deepEqual(
      whole.decisions.map(({ target }) => target),
      ['fourth', 'third', 'second', 'first'],
    );
    assert.ok(
      whole.decisions.every(({ limits }) => limits[0]?.constraint === 'maxExecution'),
      'limits announced in the first run',
    );
    assert.equal(whole.reaches_back_to, null);
    const pages: string[] = [];
    for (let before: string | undefined; ;) {
      const page = await read('runs', { limit: 1, ...(before === undefined ? {} : { before }) });
      pages.push(...page.decisions.map(({ target }) => target));
      if (page.next === null) break;
      before = page.next;
    }
    assert.deepEqual(pages, ['fourth', 'third', 'second', 'first']);
    let held = 0;
    let runs = 0;
    // From the latest to the first, each led to by the one after it.
    for (let id: string | null = await latestRun(temporal, 'runs'); id !== null; runs += 1) {
      const run = await openRun(temporal, 'runs', id);
      for await (const entry of run?.entries() ?? []) held += entry.op.op === 'ask' ? 1 : 0;
      id = run?.previous ?? null;
    }
    assert.deepEqual([runs, held], [4, 4]);
  });

  it('holds nothing of a run once it has gone on to the one before', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const seen = new Map<string, WeakRef<object>[]>();
    let kept = 0;
    const wants = (entry: Entry): null => {
      if (!seen.has(entry.run)) {
        collect();
        for (const refs of seen.values()) kept += refs.filter((ref) => ref.deref() !== undefined).length;
        seen.set(entry.run, []);
      }
      seen.get(entry.run)?.push(new WeakRef(entry));
      return null;
    };
    const search = { wants, limit: 10, since: null, before: null, budgetMs: 60_000 };
    await searchRecord(temporal, 'runs', search);
    assert.equal(seen.size, 4);
    const read = [...seen.values()].reduce((sum, refs) => sum + refs.length, 0);
    assert.ok(read > 500, `${read} entries were read`);
    assert.equal(kept, 0);
  });

  it('says how far back it reaches when the server keeps older runs no more', async () => {
    const gate = await gateFor('kept');
    await announce(gate, []);
    await ask(gate, 'gone');
    const first = await latestRun(temporal, 'kept');
    await nextRun(gate, 'kept');
    await ask(gate, 'there');
    const second = await openRun(temporal, 'kept', await latestRun(temporal, 'kept'));
    await temporal.connection.workflowService.deleteWorkflowExecution({
      namespace: 'fettle',
      workflowExecution: { workflowId: gateWorkflowId('kept'), runId: first },
    });
    await eventually(async () => (await openRun(temporal, 'kept', first)) === null, {
      what: 'the first run to be gone',
      timeoutMs: 90_000,
    });
    const { decisions, reaches_back_to: reaches } = await read('kept');
    assert.deepEqual(
      decisions.map(({ target }) => target),
      ['there'],
    );
    assert.equal(reaches, new Date(second?.startedAt ?? 0).toISOString());
    // Also when it did not have to look that far. What the server deletes it lists a little longer.
    await eventually(async () => (await read('kept', { limit: 1 })).reaches_back_to === reaches, {
      what: 'the same answer without reading so far',
      timeoutMs: 60_000,
    });
  });

  it('follows a gate that took over from a lost one', async () => {
    const gate = await gateFor('lost');
    await announce(gate, [HOURLY]);
    await release(gate, await ask(gate, 'before'));
    const lost = await latestRun(temporal, 'lost');
    await temporal.control.workflow.getHandle(gateWorkflowId('lost')).terminate('test');
    await temporal.control.workflow.start('gate', {
      workflowId: gateWorkflowId('lost'),
      taskQueue: 'fettle/gate',
      args: [{ domain: 'lost', predecessor: lost }],
    });
    const { decisions, reaches_back_to: reaches } = await read('lost');
    assert.deepEqual(
      decisions.map(({ target }) => target),
      ['before'],
    );
    assert.equal(reaches, null);
  });

  describe('why', () => {
    const why = (domain: string, query: Parameters<typeof explainWhy>[1]) =>
      explainWhy(
        {
          temporal,
          domain,
          execution: () => Promise.reject(new ApiFailure(404, 'unknown_execution', 'none here')),
          executions: () => Promise.resolve([]),
          limits: () => Promise.resolve([]),
        },
        query,
      );
    const linesOf = ({ lines }: { lines: { event: string; message: string }[] }): string[] =>
      lines.map(({ event, message }) => `${event}: ${message}`);

    it('tells what was asked, by whom and on what evidence, what was decided, and what became of it', async () => {
      const gate = await gateFor('why');
      await announce(gate, [HOURLY]);
      const answer = await ask(gate, 'web-1', { q: 'req-1', ev: 'prometheus.main/web-wedged' });
      assert.ok(answer.a === 'admitted');
      const permit = {
        op: 'permit',
        at: Date.now(),
        l: answer.l,
        p: 'plan',
        a: 1,
        n: 'web-1',
        busy: 1_000,
        ch: true,
      } as const;
      await say(gate, { ...permit, id: 'p1', s: 'restart' });
      await say(gate, { op: 'result', id: 'p2', at: Date.now(), l: answer.l, s: 'restart', a: 1, r: 'done' });
      await say(gate, { op: 'pause', id: 'pause-1', at: Date.now(), sc: { k: 'all' }, by: 'bob', why: 'bad release' });
      await say(gate, { ...permit, id: 'p3', s: 'check' });
      await nextRun(gate, 'why');
      await say(gate, { op: 'release', id: 'p4', at: Date.now(), l: answer.l, o: 'healed' });
      await ask(gate, 'web-2', { q: 'req-2' });
      const { stories } = await why('why', { request: 'req-1' });
      assert.deepEqual(linesOf(stories[0] ?? { lines: [] }), [
        'asked: spiffe://example.com/person/ann asked for restart on web-1, because prometheus.main/web-wedged saw a fault, as request req-1',
        'admitted: admitted as restart:web-1:1-1; the limits then: maxExecution per target: 0 of 2',
        'permitted: step restart (attempt 1) was permitted on web-1',
        'no_permit: step check (attempt 1) was not permitted on web-1: paused: bad release',
        'released: its limits were given back (healed)',
      ]);
      assert.deepEqual(linesOf((await why('why', { request: 'req-2' })).stories[0] ?? { lines: [] }), [
        'asked: spiffe://example.com/person/ann asked for restart on web-2, as request req-2',
        'paused: everything was paused by bob: bad release',
        'refused: refused: a pause covered it',
      ]);
      const same = await why('why', { alert: 'web-wedged' });
      assert.deepEqual(
        same.stories.map(({ request }) => request),
        ['req-1'],
      );
      assert.deepEqual((await why('why', { execution: 'restart:web-1:1-1' })).stories, stories);
      assert.deepEqual(
        (await why('why', { node: 'web-2' })).stories.map(({ decision }) => decision),
        ['refused'],
      );
      await assert.rejects(why('why', { request: 'nobody' }), /knows of no request "nobody"/);
    });

    it('tells how a request waited, how often it was asked again, and that a person said yes', async () => {
      const gate = await gateFor('waited');
      const mode = {
        op: 'definitions',
        id: 'm1',
        at: Date.now(),
        w: 'restart',
        d: 'd1',
        lim: [],
        ch: true,
        by: 'c1',
        md: 'ask',
        mp: 5,
        ap: 60_000,
      } as const;
      await say(gate, mode);
      const first = await ask(gate, 'web-1', { id: 'a:first', q: 'req-1' });
      assert.equal(first.a, 'pending');
      await ask(gate, 'web-1', { id: 'a:first/1', rq: 'a:first', q: 'req-1' });
      await ask(gate, 'web-1', { id: 'a:first/2', rq: 'a:first', q: 'req-1' });
      await say(gate, {
        op: 'approve',
        id: 'y0',
        at: Date.now(),
        rq: 'a:first',
        p: 'plan',
        by: 'spiffe://example.com/person/ann',
      });
      await say(gate, {
        op: 'approve',
        id: 'y1',
        at: Date.now(),
        rq: 'a:first',
        p: 'plan',
        by: 'spiffe://example.com/person/bob',
        why: 'looks right',
      });
      await ask(gate, 'web-1', { id: 'a:first/3', rq: 'a:first', q: 'req-1' });
      const { stories } = await why('waited', { execution: 'pending:first' });
      assert.deepEqual(linesOf(stories[0] ?? { lines: [] }), [
        'asked: spiffe://example.com/person/ann asked for restart on web-1, as request req-1',
        "pending: it had to wait: for a person's approval",
        'asked: asked again 2 times, and waited on',
        'no_approval: spiffe://example.com/person/ann could not approve it: same person',
        'approved: spiffe://example.com/person/bob approved it: looks right',
        'admitted: admitted as restart:web-1:1-1; no limit of its own applied',
      ]);
    });
  });
});

/** The gate on a real Temporal server: group commit, continue-as-new under load, loss of memory, clocks, absence. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { eventually, temporaryDirectory } from '../../test/support/processes.ts';
import { startGateWorkers } from '../../test/support/gate-workers.ts';
import { startTemporal, type TemporalServer } from '../../test/support/temporal.ts';
import { gateWorkflowId, QUEUES } from '../../workflows/contract.ts';
import {
  CLOCK_SKEW_MS,
  type Answer,
  type Ask,
  type EpisodeRef,
  type LimitRef,
  type Operation,
} from '../../workflows/gate/operations.ts';
import { setupTemporal } from '../setup-temporal.ts';
import { openTemporal, type Temporal } from '../temporal.ts';
import { GateClient, GateUnavailableError } from './gate-client.ts';
import { openKnownLease, type KnownLease } from './known-lease.ts';

const log = pino({ level: 'silent' });
const config = (address: string) => ({
  address,
  namespace: 'fettle',
  agentsNamespace: 'fettle-agents',
  apiKeyFile: null,
  tls: null,
});

describe('the gate on a real server', () => {
  const stack = new AsyncDisposableStack();
  let server: TemporalServer;
  let temporal: Temporal;
  let directory: string;
  const batches: number[] = [];

  const gateFor = async (domain: string, known?: KnownLease): Promise<GateClient> => {
    await setupTemporal({ ...config(server.address), domain, retentionDays: 1 });
    const options = {
      temporal,
      domain,
      name: 'c1',
      log,
      onBatch: (operations: number) => void batches.push(operations),
    };
    return new GateClient({
      ...options,
      known: known ?? (await openKnownLease(path.join(directory, domain), domain, log)),
    });
  };
  let ids = 0;
  const announce = (gate: GateClient, lim: readonly LimitRef[]): Promise<Answer> =>
    gate.submit({
      op: 'definitions',
      id: `d${(ids += 1)}`,
      at: Date.now(),
      w: 'restart',
      d: 'd1',
      lim,
      ch: true,
      by: 'c1',
    });
  const ask = (gate: GateClient, node: string, more: Partial<Ask> = {}): Promise<Answer> =>
    gate.submit({
      op: 'ask',
      id: `a${(ids += 1)}`,
      at: Date.now(),
      w: 'restart',
      d: 'd1',
      t: { k: 'n', n: node, y: 'web', c: 'dc1' },
      p: 'plan',
      eu: Date.now() + 60_000,
      ...more,
    });

  const seen = (e: EpisodeRef): Operation => ({
    op: 'seen',
    id: `s${(ids += 1)}`,
    at: Date.now(),
    e,
    eu: Date.now() + 60_000,
  });

  before(async () => {
    server = stack.use(await startTemporal());
    directory = stack.use(await temporaryDirectory()).path;
    temporal = await openTemporal(config(server.address), 'test');
    stack.defer(() => temporal.close());
    // Workers that poll before their namespace exists look again only ten seconds later.
    await setupTemporal({ ...config(server.address), domain: 'first', retentionDays: 1 });
    const workers = await startGateWorkers(config(server.address));
    stack.defer(() => workers.stop());
  });
  after(() => stack.disposeAsync());

  it('9.1 refuses to decide where no gate was set up, and says what to run', async () => {
    const known = await openKnownLease(path.join(directory, 'none'), 'none', log);
    const gate = new GateClient({ temporal, domain: 'none', name: 'c1', known, log });
    await assert.rejects(ask(gate, 'web-1'), (error: unknown) => {
      assert.ok(error instanceof GateUnavailableError);
      assert.equal(error.code, 'gate_missing');
      assert.match(error.message, /fettle setup temporal/);
      return true;
    });
  });

  it('1.2 lets many callers share an update, and decides each once', async () => {
    const gate = await gateFor('many');
    await announce(gate, [{ k: 'c', v: 5, p: 0, s: 'global' }]);
    batches.length = 0;
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => ask(gate, `web-${n}`)));
    assert.equal(answers.filter((answer) => answer.a === 'admitted').length, 5);
    assert.equal(answers.filter((answer) => answer.a === 'refused').length, 295);
    assert.ok(batches.length < 20, `${batches.length} updates for 300 operations`);
  });

  it('9 decides exactly across continue-as-new, with updates in flight', async () => {
    const gate = await gateFor('long');
    await announce(gate, [{ k: 'c', v: 1, p: 0, s: 'target' }]);
    const handle = temporal.control.workflow.getHandle(gateWorkflowId('long'));
    const first = (await handle.describe()).runId;
    const leases = new Set<string>();
    let open = 0;
    const caller = async (node: string): Promise<void> => {
      for (let round = 0; ; round += 1) {
        const answer = await ask(gate, node);
        assert.equal(answer.a, 'admitted', JSON.stringify(answer));
        if (answer.a !== 'admitted') return;
        assert.ok(!leases.has(String(answer.l)), 'a lease number came twice');
        leases.add(String(answer.l));
        open += 1;
        assert.ok(open <= 4);
        open -= 1;
        await gate.submit({ op: 'release', id: `r${(ids += 1)}`, at: Date.now(), l: answer.l, o: 'healed' });
        if (round % 20 === 0 && (await handle.describe()).runId !== first) return;
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(caller));
    assert.notEqual((await handle.describe()).runId, first);
    assert.equal((await gate.summary()).leases, 0);
  });

  it('1.4 goes on in a new run with all that ten thousand leases and their faults are, and shows them', async () => {
    const gate = await gateFor('large');
    await announce(gate, [{ k: 'c', v: 1, p: 0, s: 'target' }]);
    const handle = temporal.control.workflow.getHandle(gateWorkflowId('large'));
    const first = (await handle.describe()).runId;
    const many = Array.from({ length: 10_000 }, (_, n) => n);
    const e = (n: number) => ({ id: `${'fault'.padEnd(17, 'x')}${n}`, ob: 'observer', b: Date.now(), gap: 60_000 });
    const answers = await Promise.all(many.map((n) => ask(gate, `web-${n}.eu-central-1`, { e: e(n) })));
    assert.ok(answers.every((answer) => answer.a === 'admitted'));
    await assert.rejects(
      ask(gate, 'one-more', { e: e(10_000) }).then((answer) => assert.equal(answer.a, 'admitted')),
      /refused/,
    );
    for (let round = 0; (await handle.describe()).runId === first; round += 1) {
      assert.ok(round < 200, 'it never went on');
      await Promise.all(many.slice(0, 500).map((n) => gate.submit(seen(e(n)))));
    }
    assert.equal((await gate.leases()).length, 10_000);
    assert.equal((await ask(gate, 'web-7.eu-central-1', { e: e(7) })).a, 'duplicate');
  });

  it('that cannot do its task just now is away for a while, not a fault of who asks', async () => {
    await gateFor('well');
    const domain = 'stuck';
    const stuck = { workflowId: gateWorkflowId(domain), taskQueue: QUEUES.gate, args: [null] };
    await temporal.control.workflow.start('gate', stuck);
    const known = await openKnownLease(path.join(directory, domain), domain, log);
    const gate = new GateClient({ temporal, domain, name: 'c1', log, known });
    const said = await eventually(
      async (): Promise<GateUnavailableError | null> => {
        const error = await gate.summary().then(
          () => null,
          (thrown: unknown) => thrown,
        );
        return error instanceof GateUnavailableError ? error : null;
      },
      { what: 'the server to say that its task fails', timeoutMs: 60_000, everyMs: 500 },
    );
    assert.equal(said.code, 'gate_unreachable');
    assert.match(said.message, /being taken over/);
    await temporal.control.workflow.getHandle(stuck.workflowId).terminate();
  });

  it('9.3 pauses a gate that knows less than a coordinator has seen', async () => {
    const file = path.join(directory, 'gate-lost.json');
    await writeFile(file, '[7,12]');
    const known = await openKnownLease(directory, 'lost', log);
    const gate = await gateFor('lost', known);
    await assert.rejects(
      announce(gate, []),
      (error: unknown) => error instanceof GateUnavailableError && error.code === 'gate_quarantined',
    );
    assert.match((await gate.summary()).quarantine ?? '', /lost decisions/);
  });

  it('9.3 remembers the highest lease on disk, and refuses to start on a damaged record', async () => {
    const known = await openKnownLease(directory, 'kept', log);
    known.saw([1, 5]);
    known.saw([1, 3]);
    known.saw([2, 1]);
    await known.flush();
    assert.deepEqual((await openKnownLease(directory, 'kept', log)).highest(), [2, 1]);
    await writeFile(path.join(directory, 'gate-kept.json'), 'half');
    await assert.rejects(openKnownLease(directory, 'kept', log), /gate-kept\.json is damaged/);
  });

  it('1.3 decides what lay so long on the way that the clocks seemed apart, though its time was up', async () => {
    const before = await gateFor('held');
    await announce(before, []);
    let held = 0;
    const slow: Temporal = {
      ...temporal,
      async call(what, work, deadlineMs) {
        if ((held += 1) === 1) await new Promise((resolve) => setTimeout(resolve, CLOCK_SKEW_MS + 500));
        return temporal.call(what, work, deadlineMs);
      },
    };
    const known = await openKnownLease(path.join(directory, 'held-again'), 'held', log);
    const gate = new GateClient({ temporal: slow, domain: 'held', name: 'c2', known, log });
    const answer = await gate.submit(
      {
        op: 'ask',
        id: 'held',
        at: Date.now(),
        w: 'restart',
        d: 'd1',
        t: { k: 'n', n: 'web-1', y: 'web', c: 'dc1' },
        p: 'plan',
        eu: Date.now() + 60_000,
      },
      CLOCK_SKEW_MS,
    );
    assert.equal(answer.a, 'admitted');
    assert.equal(held, 2);
  });

  it('1.2 answers in time while the server is away, and the same operation later gets one decision', async () => {
    const gate = await gateFor('away');
    await announce(gate, []);
    const operation: Ask = {
      op: 'ask',
      id: 'once',
      at: Date.now(),
      w: 'restart',
      d: 'd1',
      t: { k: 'n', n: 'web-1', y: 'web', c: 'dc1' },
      p: 'plan',
      eu: Date.now() + 60_000,
    };
    server.process().signal('SIGSTOP');
    const unanswered = assert.rejects(
      gate.submit(operation, 3_000),
      (error: unknown) => error instanceof GateUnavailableError,
    );
    await unanswered;
    server.process().signal('SIGCONT');
    const answer = await eventually(() => gate.submit(operation), { what: 'an answer after the server came back' });
    assert.equal(answer.a, 'admitted');
    assert.equal((await gate.summary()).leases, 1);
  });
});

/** The coordinator that hosts the gate's Worker dies under load, and another goes on. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { openGateClient, temporalAt } from '../../test/support/gate-clients.ts';
import { readJournal } from '../../test/support/gate-journal.ts';
import { countOverAdmissions } from '../../test/support/over-admissions.ts';
import { eventually, startProcess, temporaryDirectory, type RunningProcess } from '../../test/support/processes.ts';
import { startTemporal } from '../../test/support/temporal.ts';
import { gateWorkflowId } from '../../workflows/contract.ts';
import type { Answer, Operation } from '../../workflows/gate/operations.ts';
import { setupTemporal } from '../setup-temporal.ts';
import { openTemporal, type Temporal } from '../temporal.ts';
import type { GateClient } from './gate-client.ts';

const DOMAIN = 'failover';
const GATE = gateWorkflowId(DOMAIN);
const WORKER = fileURLToPath(new URL('../../test/support/gate-worker-process.ts', import.meta.url));
const AT_MOST = 20;
const CALLERS = 60;

describe("9 the death of the coordinator that hosts the gate's Worker", () => {
  const stack = new AsyncDisposableStack();
  const workers = new Map<string, RunningProcess>();
  let temporal: Temporal;
  let gates: readonly GateClient[];
  let start: (name: string) => Promise<void>;

  before(async () => {
    const { address } = stack.use(await startTemporal());
    const dir = stack.use(await temporaryDirectory()).path;
    await setupTemporal({ ...temporalAt(address), domain: DOMAIN, retentionDays: 1 });
    temporal = await openTemporal(temporalAt(address), 'test');
    stack.defer(() => temporal.close());
    start = async (name) => {
      const worker = stack.use(startProcess([process.execPath, WORKER, address, name], { name: `gate of ${name}` }));
      await worker.waitForLine('polls', { timeoutMs: 60_000 });
      workers.set(name, worker);
    };
    await Promise.all(['c1', 'c2'].map(start));
    const open = (name: string) => openGateClient(stack, { address, domain: DOMAIN, name, dir });
    gates = await Promise.all(['a', 'b'].map(open));
    const lim = [{ k: 'c', v: AT_MOST, p: 0, s: 'global' }] as const;
    await gates[0]?.submit({
      op: 'definitions',
      id: 'd',
      at: Date.now(),
      w: 'restart',
      d: 'd1',
      lim,
      ch: true,
      by: 'a',
    });
  });
  after(() => stack.disposeAsync());

  /** Who took the gate's latest workflow task. */
  const host = async (): Promise<string> => {
    const { events } = await temporal.control.workflow.getHandle(GATE).fetchHistory();
    const last = (events ?? []).findLast((event) => event.workflowTaskStartedEventAttributes?.identity);
    return last?.workflowTaskStartedEventAttributes?.identity?.replace('fettle-coordinator/', '') ?? '';
  };

  /** Asks again with the same id, as the message of the failure says. */
  const insisting = (gate: GateClient, operation: Operation): Promise<Answer> =>
    eventually(() => gate.submit(operation), { what: `an answer to ${operation.id}`, timeoutMs: 60_000 });

  /** Callers that ask and give back until told to stop. */
  const load = () => {
    const asked = new Map<string, Answer | null>();
    const stopping = new AbortController();
    const caller = async (gate: GateClient): Promise<void> => {
      while (!stopping.signal.aborted) {
        const id = `a:${asked.size}`;
        asked.set(id, null);
        const t = { k: 'n', n: `web-${id}`, y: 'web', c: 'dc1' } as const;
        const [at, eu] = [Date.now(), Date.now() + 60_000];
        const answer = await insisting(gate, { op: 'ask', id, at, w: 'restart', d: 'd1', t, p: 'plan', eu });
        asked.set(id, answer);
        if (answer.a !== 'admitted') continue;
        const { l } = answer;
        await insisting(gate, { op: 'release', id: `r:${l.join('-')}`, at: Date.now(), l, o: 'healed' });
      }
    };
    const done = Promise.all(Array.from({ length: CALLERS }, (_, n) => caller(gates[n % gates.length] as GateClient)));
    return {
      asked,
      stop: () => {
        stopping.abort();
        return done;
      },
    };
  };

  it('loses and doubles no decision, and leaves no caller without an answer', async () => {
    const { asked, stop } = load();
    const answers = (): number => [...asked.values()].filter((answer) => answer !== null).length;
    for (const spared of [1, 2]) {
      const from = answers();
      await eventually(() => answers() > from + 500, { what: 'decisions before the kill', timeoutMs: 60_000 });
      const hosting = await host();
      await workers.get(hosting)?.kill();
      const then = answers();
      await eventually(() => answers() > then + 500, { what: 'decisions after the kill', timeoutMs: 60_000 });
      assert.notEqual(await host(), hosting, `it was killed (${spared})`);
      await start(hosting);
    }
    await stop();
    for (const [id, answer] of asked)
      assert.ok(answer?.a === 'admitted' || answer?.a === 'refused', `${id}: ${JSON.stringify(answer)}`);
    const decided = (await readJournal(temporal.control, GATE)).filter((entry) => entry.op === 'ask' && !entry.known);
    assert.equal(decided.length, asked.size, 'each was decided once');
    for (const { id, answer } of decided) assert.equal(asked.get(id)?.a, answer, id);
    const leases = decided.flatMap((entry) => entry.lease ?? []);
    assert.equal(new Set(leases).size, leases.length, 'no lease was given twice');
    const limits = { perNode: 1, global: AT_MOST };
    const counted = await countOverAdmissions(temporal.control, GATE, 'restart', limits);
    assert.deepEqual([counted.overAdmissions, counted.doubled, counted.most], [0, 0, AT_MOST]);
  });
});

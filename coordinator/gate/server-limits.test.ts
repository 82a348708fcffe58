/** How many Updates a Temporal server takes at once and in one run: its own defaults, those that Fettle asks for, and fewer than either. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { openGateClient, temporalAt } from '../../test/support/gate-clients.ts';
import { readJournal } from '../../test/support/gate-journal.ts';
import { startGateWorkers } from '../../test/support/gate-workers.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import { startTemporal } from '../../test/support/temporal.ts';
import { gateWorkflowId } from '../../workflows/contract.ts';
import type { Answer, Ask, LimitRef } from '../../workflows/gate/operations.ts';
import { setupTemporal } from '../setup-temporal.ts';
import { openTemporal } from '../temporal.ts';
import type { GateClient } from './gate-client.ts';

const DOMAIN = 'limits';
const ADMITTED = 700;
const RESOURCE_EXHAUSTED = 8;

type Hall = AsyncDisposable & {
  readonly gates: readonly GateClient[];
  /** gRPC codes of the Updates that were repeated. */
  readonly repeated: readonly (number | null)[];
  readonly journal: () => ReturnType<typeof readJournal>;
  readonly runs: () => Promise<number>;
};

/** A server with these settings, a gate, and so many coordinators' clients of it. */
async function startHall(settings: Readonly<Record<string, number | null>>, clients: number): Promise<Hall> {
  await using stack = new AsyncDisposableStack();
  const { address } = stack.use(await startTemporal({ settings }));
  const dir = stack.use(await temporaryDirectory()).path;
  const config = temporalAt(address);
  await setupTemporal({ ...config, domain: DOMAIN, retentionDays: 1 });
  const workers = await startGateWorkers(config);
  stack.defer(() => workers.stop());
  const repeated: (number | null)[] = [];
  const told = (line: string): void => {
    const { msg, code }: { msg: string; code?: number } = JSON.parse(line);
    if (msg.startsWith('gate update repeated')) repeated.push(code ?? null);
  };
  const log = pino({ level: 'debug' }, { write: told });
  const gates: GateClient[] = [];
  for (let n = 1; n <= clients; n += 1)
    gates.push(await openGateClient(stack, { address, domain: DOMAIN, name: `c${n}`, dir, log }));
  const temporal = await openTemporal(config, 'test');
  stack.defer(() => temporal.close());
  const owned = stack.move();
  return {
    gates,
    repeated,
    journal: () => readJournal(temporal.control, gateWorkflowId(DOMAIN)),
    runs: async () => {
      let runs = 0;
      const query = `WorkflowId = '${gateWorkflowId(DOMAIN)}'`;
      for await (const _ of temporal.control.workflow.list({ query })) runs += 1;
      return runs;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const announce = (gate: GateClient | undefined, lim: readonly LimitRef[]): Promise<Answer> | undefined =>
  gate?.submit({ op: 'definitions', id: 'd', at: Date.now(), w: 'restart', d: 'd1', lim, ch: true, by: 'c1' });

const askFor = (id: number): Ask => ({
  op: 'ask',
  id: `a:${id}`,
  at: Date.now(),
  w: 'restart',
  d: 'd1',
  t: { k: 'n', n: `web-${id}`, y: 'web', c: 'dc1' },
  p: 'plan',
  eu: Date.now() + 60_000,
});

/** Asks `total` times, `atOnce` under way, coordinators in turn. */
async function storm(gates: readonly GateClient[], total: number, atOnce: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  let asked = 0;
  const caller = async (): Promise<void> => {
    while (asked < total) {
      const id = (asked += 1);
      const answer = await gates[id % gates.length]?.submit(askFor(id));
      if (answer !== undefined) answers.push(answer);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return answers;
}

/** Every request has its answer, the limit held, and the record says the same. */
async function assertExact(hall: Hall, answers: readonly Answer[], total: number): Promise<void> {
  assert.equal(answers.length, total);
  assert.equal(answers.filter((answer) => answer.a === 'admitted').length, ADMITTED);
  assert.equal(answers.filter((answer) => answer.a === 'refused').length, total - ADMITTED);
  const decided = (await hall.journal()).filter((entry) => entry.op === 'ask' && !entry.known);
  assert.equal(new Set(decided.map((entry) => entry.id)).size, total);
  assert.equal(decided.length, total, 'nothing was decided twice');
  assert.equal(decided.filter((entry) => entry.answer === 'admitted').length, ADMITTED);
}

const ALL = [{ k: 'c', v: ADMITTED, p: 0, s: 'global' }] as const;

describe('1.2 the gate within the limits of a Temporal server', () => {
  const settings = {
    'its own defaults': { 'history.maxInFlightUpdates': null, 'history.maxTotalUpdates': null },
    'those that Fettle asks for': {},
  };
  for (const [name, chosen] of Object.entries(settings)) {
    it(`${name}: four coordinators and a thousand callers, and the server refuses no Update`, async () => {
      await using hall = await startHall(chosen, 4);
      await announce(hall.gates[0], ALL);
      await assertExact(hall, await storm(hall.gates, 2_000, 1_000), 2_000);
      assert.ok(!hall.repeated.includes(RESOURCE_EXHAUSTED), `${hall.repeated.length} Updates were repeated`);
    });
  }

  it('fewer than there are coordinators: they hear of it, send again themselves, and every request is decided once', async () => {
    await using hall = await startHall({ 'history.maxInFlightUpdates': 4 }, 10);
    await announce(hall.gates[0], ALL);
    await assertExact(hall, await storm(hall.gates, 1_200, 600), 1_200);
    assert.ok(hall.repeated.includes(RESOURCE_EXHAUSTED), 'the server refused none');
  });

  it('few in one run: the gate goes into its next run before the server refuses', async () => {
    await using hall = await startHall({ 'history.maxTotalUpdates': 40 }, 2);
    await announce(hall.gates[0], ALL);
    const total = 300;
    const answers = await storm(hall.gates, total, 2);
    assert.equal(answers.filter((answer) => answer.a === 'admitted').length, total);
    assert.ok((await hall.runs()) > 3);
    const decided = (await hall.journal()).filter((entry) => entry.op === 'ask' && !entry.known);
    assert.equal(decided.length, total, 'nothing was decided twice');
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { eventually } from '../test/support/processes.ts';
import type { ApiDecision } from '../workflows/api.ts';
import type { CoordinatorPort } from './coordinator-port.ts';
import type { Outcome } from './fault.ts';
import { Outbox, type OutboxDeps, type ReportMessage, type RequestMessage } from './outbox.ts';
import { triggerMetrics } from './trigger-metrics.ts';

class Refusal extends Error {
  readonly status: number;
  readonly code = 'because';
  readonly retryAfterS: number | null;
  constructor(status: number, retryAfterS: number | null = null) {
    super(`HTTP ${status}`);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** A coordinator that is told what to do with each call: throw, answer, or keep it waiting until let go. */
class Coordinator implements CoordinatorPort {
  readonly calls: string[] = [];
  readonly ids: (string | undefined)[] = [];
  act: (call: string) => Promise<void> | void = () => undefined;
  readonly request: CoordinatorPort['request'] = async (body) => {
    this.ids.push(body.request_id);
    await this.#called(`request ${body.request_id}`);
    return { decision: 'admitted', request_id: body.request_id ?? '', execution: 'x' } satisfies ApiDecision;
  };
  readonly reportEpisode: CoordinatorPort['reportEpisode'] = async ({ state }) => {
    await this.#called(state);
    return { episode: 'e', open: true };
  };
  async #called(call: string): Promise<void> {
    this.calls.push(call);
    await this.act(call);
  }
}

function setUp(more: Partial<OutboxDeps> = {}) {
  const coordinator = new Coordinator();
  const log: string[] = [];
  const outbox = new Outbox({
    client: coordinator,
    log: pino({}, { write: (line) => log.push(line) }),
    metrics: triggerMetrics(new Registry()),
    now: () => performance.now(),
    backoff: { firstMs: 2, mostMs: 8 },
    ...more,
  });
  const outcomes: string[] = [];
  const told = (id: string) => (outcome: Outcome) => {
    outcomes.push(`${id} ${outcome.kind === 'dropped' ? outcome.reason : outcome.kind}`);
  };
  const request = (id: string, more: Partial<RequestMessage> = {}): RequestMessage => ({
    kind: 'request',
    trigger: 't',
    identity: 'i',
    voidAt: Infinity,
    body: { workflow: 'w', target: { node: 'a' }, request_id: id },
    settle: told(id),
    ...more,
  });
  const report = (state: 'seen' | 'resolved'): ReportMessage => ({
    kind: 'report',
    trigger: 't',
    identity: 'i',
    voidAt: Infinity,
    report: { identity: { source: 's', labels: {}, began_at: '', gap_s: 1 }, state },
    settle: () => outcomes.push(state),
  });
  return { coordinator, outbox, outcomes, log, request, report };
}

for (const [what, error] of [
  ['is away', new Error('no coordinator answered')],
  ['cannot decide', new Refusal(503)],
  ['is too busy', new Refusal(429)],
  ['fails', new Refusal(500)],
] as const) {
  test(`repeats a request with the same id while the coordinator ${what}`, async () => {
    const { coordinator, outbox, outcomes, request } = setUp();
    coordinator.act = () => {
      if (coordinator.calls.length < 4) throw error;
    };
    outbox.push('a', request('r1'));
    await eventually(() => outcomes.length > 0);
    assert.deepEqual(outcomes, ['r1 decision']);
    assert.deepEqual(coordinator.ids, ['r1', 'r1', 'r1', 'r1']);
    assert.equal(outbox.size, 0);
  });
}

for (const status of [400, 403, 404, 410, 413, 422]) {
  test(`does not repeat a request that is answered with ${status}`, async () => {
    const { coordinator, outbox, outcomes, request } = setUp();
    coordinator.act = () => {
      throw new Refusal(status);
    };
    outbox.push('a', request('r1'));
    await eventually(() => outcomes.length > 0);
    assert.deepEqual(outcomes, ['r1 rejected']);
    assert.deepEqual(coordinator.ids, ['r1']);
  });
}

test('drops a request, and says so, when its evidence is void before a coordinator answers', async () => {
  let now = 0;
  const { coordinator, outbox, outcomes, log, request } = setUp({ now: () => now });
  coordinator.act = () => {
    now += 10;
    throw new Error('away');
  };
  outbox.push('a', request('r1', { voidAt: 35 }));
  await eventually(() => outcomes.length > 0);
  assert.deepEqual(outcomes, ['r1 void']);
  assert.equal(coordinator.calls.length, 4);
  assert(log.some((line) => line.includes('evidence is too old') && line.includes('"request":"r1"')));
});

test('waits as long as the coordinator asks, but not beyond the life of the message', async () => {
  const { coordinator, outbox, outcomes, request } = setUp();
  coordinator.act = () => {
    throw new Refusal(503, 3_600);
  };
  outbox.push('a', request('r1', { voidAt: performance.now() + 50 }));
  await eventually(() => outcomes.length > 0);
  assert.deepEqual(outcomes, ['r1 void']);
  assert.equal(coordinator.calls.length, 1);
});

test('keeps the order of one fault and lets no other wait for it', async () => {
  const { coordinator, outbox, outcomes, request, report } = setUp();
  const letGo = Promise.withResolvers<void>();
  coordinator.act = (call) => (call === 'request r1' ? letGo.promise : undefined);
  outbox.push('a', request('r1'));
  await eventually(() => coordinator.calls.length === 1);
  outbox.push('a', report('resolved'));
  outbox.push('a', request('r2'));
  outbox.push('b', request('r3'));
  await eventually(() => outcomes.length === 1);
  assert.deepEqual(outcomes, ['r3 decision']);
  letGo.resolve();
  await eventually(() => outcomes.length === 4);
  assert.deepEqual(outcomes.slice(1), ['r1 decision', 'resolved', 'r2 decision']);
});

test('a fault that is over takes back its request that never left, and still says so', async () => {
  const { coordinator, outbox, outcomes, request, report } = setUp();
  let away = true;
  coordinator.act = () => {
    if (away) throw new Error('away');
  };
  outbox.push('a', request('r1'));
  await eventually(() => coordinator.calls.length > 1);
  outbox.push('a', report('seen'));
  outbox.push('a', report('resolved'));
  away = false;
  await eventually(() => outcomes.includes('resolved'));
  assert(outcomes.includes('r1 over') || outcomes.includes('r1 decision'));
  assert.equal(coordinator.calls.at(-1), 'resolved');
  assert(!coordinator.calls.includes('seen'));
});

test('a storm calls back what waits, not what is in flight, and only of its trigger', async () => {
  const { coordinator, outbox, outcomes, request } = setUp({ parallel: 1 });
  const letGo = Promise.withResolvers<void>();
  coordinator.act = () => letGo.promise;
  outbox.push('a', request('r1'));
  await eventually(() => coordinator.calls.length === 1);
  outbox.push('b', request('r2'));
  outbox.push('c', request('r3', { trigger: 'other' }));
  outbox.withdraw('t', 'storm');
  assert.deepEqual(outcomes, ['r2 storm']);
  letGo.resolve();
  await eventually(() => outcomes.length === 3);
  assert.deepEqual(coordinator.calls, ['request r1', 'request r3']);
});

test('is bounded: what does not fit is dropped and said, what fits is delivered', async () => {
  const { coordinator, outbox, outcomes, request } = setUp({ capacity: 2, parallel: 1 });
  const letGo = Promise.withResolvers<void>();
  coordinator.act = () => letGo.promise;
  for (const id of ['r1', 'r2', 'r3']) outbox.push(id, request(id));
  assert.deepEqual(outcomes, ['r3 full']);
  letGo.resolve();
  await eventually(() => outcomes.length === 3);
  assert.equal(outbox.size, 0);
});

test('never has more calls in flight than allowed', async () => {
  const { coordinator, outbox, outcomes, request } = setUp({ parallel: 3 });
  let inFlight = 0;
  let most = 0;
  coordinator.act = async () => {
    most = Math.max(most, (inFlight += 1));
    await new Promise((resolve) => setImmediate(resolve));
    inFlight -= 1;
  };
  for (let n = 0; n < 50; n += 1) outbox.push(`lane ${n}`, request(`r${n}`));
  await eventually(() => outcomes.length === 50);
  assert.equal(most, 3);
});

test('closing waits for what is in flight, drops the rest and takes nothing more', async () => {
  const { coordinator, outbox, outcomes, request } = setUp({ parallel: 1 });
  const letGo = Promise.withResolvers<void>();
  coordinator.act = () => letGo.promise;
  outbox.push('a', request('r1'));
  await eventually(() => coordinator.calls.length === 1);
  outbox.push('b', request('r2'));
  const closed = outbox.close(60_000);
  letGo.resolve();
  await closed;
  outbox.push('c', request('r3'));
  assert.deepEqual(outcomes, ['r2 stopped', 'r1 decision', 'r3 stopped']);
  assert.equal(coordinator.calls.length, 1);
});

test('closing does not wait for ever', async () => {
  const { coordinator, outbox, request } = setUp();
  coordinator.act = () => new Promise(() => undefined);
  outbox.push('a', request('r1'));
  await eventually(() => coordinator.calls.length === 1);
  await outbox.close(10);
});

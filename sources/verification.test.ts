import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Look, MetricSource, Sample } from './metric-source.ts';
import { MetricSourceError } from './metric-source.ts';
import { beginVerification, type HealthLook, takeLook } from '../workflows/verification.ts';
import { watchUntilHealthy } from './verification.ts';

const terms = { forMs: 10_000, timeoutMs: 60_000, everyMs: 2_000 };
const healthy: HealthLook = { kind: 'healthy' };
const unhealthy: HealthLook = { kind: 'unhealthy' };
const unsure: HealthLook = { kind: 'cannot_tell', why: 'away' };

/** Looks at the given times; the verdict of the last one, and the time proven healthy. */
function after(looks: readonly (readonly [number, HealthLook])[], own = terms) {
  let state = beginVerification(0);
  let verdict = 'watching';
  for (const [at, look] of looks) {
    if (verdict !== 'watching') return { verdict, at, healthyMs: state.healthyMs };
    ({ state, verdict } = takeLook(state, look, at, own));
  }
  return { verdict, healthyMs: state.healthyMs };
}
const every2s = (from: number, to: number, look: HealthLook): [number, HealthLook][] =>
  Array.from({ length: (to - from) / 2_000 + 1 }, (_, n) => [from + n * 2_000, look]);

test('holds when it was healthy for the whole time, and not one look earlier', () => {
  assert.equal(after(every2s(0, 8_000, healthy)).verdict, 'watching');
  assert.equal(after(every2s(0, 10_000, healthy)).verdict, 'held');
});

test('one unhealthy look begins the count anew', () => {
  const looks = [...every2s(0, 8_000, healthy), [9_000, unhealthy] as const, ...every2s(10_000, 18_000, healthy)];
  assert.deepEqual(after(looks), { verdict: 'watching', healthyMs: 8_000 });
});

test('a look that cannot tell neither breaks nor proves', () => {
  const looks = [...every2s(0, 6_000, healthy), ...every2s(8_000, 30_000, unsure)];
  assert.deepEqual(after(looks), { verdict: 'watching', healthyMs: 6_000 });
  // The 26 s in the dark count as two intervals.
  assert.deepEqual(after([...looks, [32_000, healthy]]), { verdict: 'held', healthyMs: 10_000 });
});

test('is out of time when it did not hold in time, also while it cannot tell', () => {
  assert.equal(after([[60_001, unsure]]).verdict, 'timed_out');
  assert.equal(after(every2s(52_000, 62_000, healthy)).verdict, 'timed_out');
});

test('one healthy look is enough when nothing is asked for longer', () => {
  assert.equal(after([[0, healthy]], { ...terms, forMs: 0 }).verdict, 'held');
  assert.equal(after([[0, unsure]], { ...terms, forMs: 0 }).verdict, 'watching');
});

test('never holds without healthy looks that span the time, whatever comes between', () => {
  const look = fc.constantFrom(healthy, unhealthy, unsure);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 8_000 }), look), { maxLength: 40 }), (steps) => {
      let state = beginVerification(0);
      let now = 0;
      let firstOfRun: number | null = null;
      for (const [gap, seen] of steps) {
        now += gap;
        if (seen.kind === 'unhealthy') firstOfRun = null;
        if (seen.kind === 'healthy') firstOfRun ??= now;
        const step = takeLook(state, seen, now, terms);
        state = step.state;
        if (step.verdict === 'held') {
          assert(
            seen.kind === 'healthy' && firstOfRun !== null && now - firstOfRun >= terms.forMs && now <= terms.timeoutMs,
          );
        }
        if (step.verdict !== 'watching') return;
      }
    }),
    { seed: 3, numRuns: 2_000 },
  );
});

const sample: Sample = { name: 'up', labels: {}, value: 1, at: 0 };
function scripted(looks: readonly Look<readonly Sample[]>[]): MetricSource {
  let next = 0;
  const none = { state: 'failed', failure: new MetricSourceError('network', 'not asked here') } as const;
  return {
    address: 'prometheus.main',
    query: async () => looks[Math.min(next++, looks.length - 1)] ?? none,
    alerts: async () => none,
    alertingRules: async () => none,
    ready: async () => none,
    close: () => undefined,
  };
}
const answer = (value: readonly Sample[], evaluatedAt: number | null = null): Look<readonly Sample[]> => ({
  state: 'answer',
  value,
  evaluatedAt,
  infos: [],
});
const failed: Look<readonly Sample[]> = { state: 'failed', failure: new MetricSourceError('network', 'away') };

test('watches until the query has held, telling of each look', async () => {
  const kinds: string[] = [];
  const result = await watchUntilHealthy(scripted([answer([]), failed, answer([sample])]), {
    query: 'up == 1',
    forMs: 30,
    timeoutMs: 20_000,
    everyMs: 10,
    onLook: (look) => kinds.push(look.kind),
  });
  assert.equal(result.held, true);
  assert.deepEqual(kinds.slice(0, 3), ['unhealthy', 'cannot_tell', 'healthy']);
  assert.equal(result.looks, kinds.length);
});

for (const [what, look, kind] of [
  ['nothing', answer([]), 'unhealthy'],
  ['only NaN', answer([{ ...sample, value: NaN }]), 'unhealthy'],
  ['a partial answer', { state: 'partial', warnings: ['a store is away'] }, 'cannot_tell'],
  ['an answer of an hour ago', answer([sample], Date.now() - 3_600_000), 'cannot_tell'],
] as const) {
  test(`${what} is no proof of health`, async () => {
    const result = await watchUntilHealthy(scripted([look]), { query: 'up', forMs: 0, timeoutMs: 50, everyMs: 10 });
    assert.equal(result.held, false);
    assert.equal(result.last?.kind, kind);
  });
}

test('stops at once when it is told to', async () => {
  const stop = new AbortController();
  const watching = watchUntilHealthy(scripted([answer([])]), {
    query: 'up',
    forMs: 0,
    timeoutMs: 600_000,
    everyMs: 300_000,
    signal: stop.signal,
    onLook: () => setImmediate(() => stop.abort(new Error('cancelled'))),
  });
  await assert.rejects(watching, /cancelled/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertingRule, Look, MetricSource, Sample } from '../sources/metric-source.ts';
import { MetricSourceError } from '../sources/metric-source.ts';
import { webWedged } from '../test/support/watching.ts';
import type { TriggerLook } from './fault.ts';
import { lookAtSource } from './look.ts';

const NOW = 1_800_000_000_000;
const answer = <T>(value: T, evaluatedAt: number | null = NOW): Look<T> => ({
  state: 'answer',
  value,
  evaluatedAt,
  infos: [],
});
const failed = { state: 'failed', failure: new MetricSourceError('network', 'away') } as const;

function source(samples: Look<readonly Sample[]>, rules: Look<readonly AlertingRule[]> = failed): MetricSource {
  return {
    address: 'prometheus.main',
    query: async () => samples,
    alerts: async () => failed,
    alertingRules: async () => rules,
    ready: async () => failed,
    close: () => undefined,
  };
}
const byQuery = (samples: Look<readonly Sample[]>): Promise<TriggerLook> =>
  lookAtSource(webWedged, source(samples), new AbortController().signal, () => NOW);
const byAlert = (...rules: AlertingRule[]): Promise<TriggerLook> => {
  const trigger = { ...webWedged, condition: { kind: 'alert', alert: 'Down' } } as const;
  return lookAtSource(trigger, source(failed, answer(rules)), new AbortController().signal, () => NOW);
};

const sample = (value: number): Sample => ({ name: 'up', labels: { node: String(value) }, value, at: NOW });
const rule = (more: Partial<AlertingRule> = {}): AlertingRule => ({
  name: 'Down',
  group: 'g',
  file: 'f',
  query: 'up == 0',
  forMs: 0,
  intervalMs: 15_000,
  health: 'ok',
  lastError: null,
  lastEvaluation: NOW - 1_000,
  alerts: [
    { labels: { alertname: 'Down', node: 'a' }, annotations: {}, state: 'firing', activeAt: NOW - 5_000, value: 0 },
  ],
  ...more,
});

test('a series that is there is true whatever its value, NaN is not', async () => {
  const look = await byQuery(answer([sample(0), sample(Infinity), sample(NaN)]));
  assert(look.kind === 'answer');
  assert.deepEqual(
    look.seen.map(({ value }) => value),
    [0, Infinity],
  );
});

test('failed, partial and old answers are each their own state', async () => {
  const looks = [
    failed,
    { state: 'partial', warnings: ['w'] } as const,
    answer([sample(0)], NOW - 3_600_000),
    answer([], NOW + 3_600_000),
  ];
  const kinds = await Promise.all(looks.map(async (one) => (await byQuery(one)).kind));
  assert.deepEqual(kinds, ['failed', 'partial', 'stale', 'stale']);
});

test('an alert counts when its rule is healthy and was evaluated lately', async () => {
  const look = await byAlert(rule());
  assert(look.kind === 'answer');
  assert.deepEqual(look.seen, [
    { labels: { alertname: 'Down', node: 'a' }, value: 0, since: NOW - 5_000, certain: true },
  ]);
});

for (const [what, more, message] of [
  ['fails', { health: 'err', lastError: 'many-to-many' }, /group "g" fails \(health err\): many-to-many/],
  ['was never evaluated', { health: 'unknown', lastEvaluation: null }, /not evaluated yet/],
  ['was last evaluated long ago', { lastEvaluation: NOW - 60_000 }, /last evaluated 60 s ago/],
] as const) {
  test(`a rule that ${what} is neither quiet nor firing`, async () => {
    const look = await byAlert(rule(more));
    assert(look.kind === 'stale');
    assert.match(look.message, message);
  });
}

test('a rule may be as old as three of its own intervals', async () => {
  assert.equal((await byAlert(rule({ intervalMs: 60_000, lastEvaluation: NOW - 170_000 }))).kind, 'answer');
});

test('a name in several groups is one alert, and all its rules have to be healthy', async () => {
  const other = rule({ group: 'h', alerts: [] });
  assert.equal((await byAlert(rule(), other)).kind, 'answer');
  const look = await byAlert(rule(), { ...other, health: 'err' });
  assert(look.kind === 'stale');
  assert.match(look.message, /group "h"/);
});

test('an alert that no rule makes cannot be told', async () => {
  assert.equal((await byAlert()).kind, 'failed');
});

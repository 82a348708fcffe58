import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flawsOf, resultOf, type Trial } from './trial.ts';

const healed: Trial = {
  point: 'killed after 300 ms',
  execution: 'act:web-1:1-1',
  begun: 1,
  ended: 1,
  outcome: 'healed',
  status: 'done',
  message: null,
  actionMayDie: false,
  provenLater: false,
};
const kinds = (more: Partial<Trial>): string[] => flawsOf({ ...healed, ...more }).map(({ kind }) => kind);

test('an action that ran once and was told has no flaw', () => {
  assert.deepEqual(kinds({}), []);
  assert.deepEqual(kinds({ begun: 0, ended: 0, outcome: 'expired', status: 'refused' }), []);
});

test('an action that began twice is found, whatever was told', () => {
  assert.deepEqual(kinds({ begun: 2, ended: 2 }), ['twice']);
});

test('an end that was not told is lost, be the action safe to repeat or not', () => {
  assert.deepEqual(kinds({ outcome: 'failed', status: 'unknown' }), ['lost']);
  const unsettled = { outcome: 'failed', status: 'unsettled', message: 'm' } as const;
  assert.deepEqual(kinds(unsettled), ['lost', 'unexplained']);
  assert.deepEqual(kinds({ ...unsettled, provenLater: true }), [], 'its limits were held until the host had told');
});

test('what was told must be what happened', () => {
  assert.deepEqual(kinds({ ended: 0 }), ['unexplained']);
  assert.deepEqual(kinds({ ended: 0, outcome: 'expired', status: 'refused' }), ['unexplained']);
  assert.deepEqual(kinds({ ended: 0, outcome: null, status: null }), ['unexplained']);
});

test('unknown is an answer only where the fault ended the action itself', () => {
  const cut = { ended: 0, outcome: 'failed', status: 'unknown' } as const;
  assert.deepEqual(kinds(cut), ['unexplained']);
  assert.deepEqual(kinds({ ...cut, actionMayDie: true }), []);
});

test('a row counts orders, actions, and what was told of them', () => {
  const cut: Trial = { ...healed, ended: 0, outcome: 'failed', status: 'unknown', actionMayDie: true };
  const row = resultOf({ drill: 'd', did: 'x', trials: [healed, cut], happened: '', believed: ['a receipt'] });
  assert.deepEqual(
    [row.orders, row.actions, row.told, row.twice, row.lost, row.unexplained, row.forged_believed],
    [2, 2, 1, 0, 0, 0, 1],
  );
  assert.deepEqual(row.outcomes, { healed: 1, 'failed (unknown)': 1 });
  assert.deepEqual(row.findings, ['a receipt']);
});

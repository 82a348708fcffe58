import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, formatTime, parseDurationText } from './time-text.ts';

const NOW = Date.parse('2026-11-21T12:07:07Z');

test('a time is UTC and its age', () => {
  assert.equal(formatTime('2026-11-21T12:03:07Z', NOW), '12:03:07Z 4m ago');
  assert.equal(formatTime('2026-11-21T14:03:07+02:00', NOW), '12:03:07Z 4m ago');
  assert.equal(formatTime('2026-11-19T12:07:07Z', NOW), '2026-11-19 12:07:07Z 2d ago');
  assert.equal(formatTime(NOW + 90_000, NOW), '12:08:37Z in 1m');
  assert.equal(formatTime(null, NOW), '-');
});

test('what is no time is shown as it came', () => {
  assert.equal(formatTime('yesterday', NOW), 'yesterday');
  assert.equal(formatTime(9e15, NOW), '9000000000000000');
});

test('a duration has at most two units', () => {
  const spans: [number, string][] = [
    [250, '250ms'],
    [45_000, '45s'],
    [240_000, '4m'],
    [245_000, '4m5s'],
    [11_520_000, '3h12m'],
    [190_800_000, '2d5h'],
    [-5000, '-5s'],
  ];
  for (const [ms, text] of spans) assert.equal(formatDuration(ms), text);
});

test('a duration of nothing, or no duration, is none', () => {
  assert.equal(parseDurationText('1h30m'), 5_400_000);
  for (const text of ['0s', '', '5', 'm', '-5m', '5 m', '1e3s']) assert.equal(parseDurationText(text), null, text);
});

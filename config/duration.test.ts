import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DurationError, formatDuration, MAX_DURATION_MS, parseDuration } from './duration.ts';

test('reads durations of one unit and of several', () => {
  const known = {
    '500ms': 500,
    '10s': 10_000,
    '2m': 120_000,
    '1h30m': 5_400_000,
    '7d': 604_800_000,
    '0s': 0,
    '366d': MAX_DURATION_MS,
  };
  for (const [text, ms] of Object.entries(known)) assert.equal(parseDuration(text), ms, text);
});

test('refuses what is no duration, and says what one looks like', () => {
  for (const text of [
    '',
    '10',
    's',
    '1.5h',
    '-1s',
    '1 s',
    '1S',
    '1w',
    '1h1h',
    '367d',
    '999999999999999999999d',
    '1s\n',
    '٣s',
    '1s'.repeat(50),
  ])
    assert.throws(
      () => parseDuration(text),
      (error) => error instanceof DurationError && error.message.includes('write e.g. "500ms"'),
      text,
    );
});

test('writes a duration so that it reads back', () => {
  for (const ms of [0, 1, 999, 1_000, 90_000, 5_400_000, 86_400_001, MAX_DURATION_MS])
    assert.equal(parseDuration(formatDuration(ms)), ms);
  assert.equal(formatDuration(90_000), '1m30s');
});

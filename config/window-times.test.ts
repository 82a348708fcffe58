import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closedIntervals } from './window-times.ts';
import { instantOf, isTimeZone, stretches, wallClock } from './time-zone.ts';
import type { WindowConfig, WindowHours } from './window.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const place = { file: 'c.hcl', line: 1, column: 1 };
const everywhere = { place, name: 'w', workflows: [], nodeTypes: [], datacenters: [], nodes: [], reason: null };
const windowOf = (changes: WindowConfig['changes'], times: Omit<WindowHours, 'kind'>): WindowConfig => ({
  ...everywhere,
  changes,
  times: { kind: 'hours', ...times },
});
const span = (from: number, until: number) => ({ fromMs: from * HOUR, untilMs: until * HOUR });
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const at = (text: string): number => Date.parse(text);
const closed = (window: WindowConfig, from: string, until: string): string[] =>
  closedIntervals(window, { from: at(from), until: at(until) }).map(
    (one) => `${new Date(one.from).toISOString().slice(0, 16)} ${new Date(one.until).toISOString().slice(0, 16)}`,
  );

test('hours across midnight belong to the day on which they begin', () => {
  const nights = windowOf('forbidden', { zone: 'UTC', days: [5], spans: [span(22, 30)] });
  assert.deepEqual(closed(nights, '2026-11-16T00:00Z', '2026-11-30T00:00Z'), [
    '2026-11-20T22:00 2026-11-21T06:00',
    '2026-11-27T22:00 2026-11-28T06:00',
  ]);
  assert.deepEqual(closed(nights, '2026-11-21T01:00Z', '2026-11-21T02:00Z'), ['2026-11-21T01:00 2026-11-21T02:00']);
});

test('"only" closes all the rest, and whole days in a row are one interval', () => {
  const weekdays = windowOf('only', { zone: 'UTC', days: [1, 2, 3, 4, 5], spans: [span(0, 24)] });
  assert.deepEqual(closed(weekdays, '2026-11-16T00:00Z', '2026-11-30T00:00Z'), [
    '2026-11-21T00:00 2026-11-23T00:00',
    '2026-11-28T00:00 2026-11-30T00:00',
  ]);
});

test('an hour that the clock leaves out does not come', () => {
  const early = windowOf('forbidden', { zone: 'Europe/Berlin', days: EVERY_DAY, spans: [span(1.5, 2.5)] });
  assert.deepEqual(closed(early, '2026-03-28T00:00Z', '2026-03-30T12:00Z'), [
    '2026-03-28T00:30 2026-03-28T01:30',
    // 02:00 to 03:00 is left out that night.
    '2026-03-29T00:30 2026-03-29T01:00',
    '2026-03-29T23:30 2026-03-30T00:30',
  ]);
});

test('an hour that the clock shows twice counts twice', () => {
  const early = windowOf('forbidden', { zone: 'Europe/Berlin', days: EVERY_DAY, spans: [span(1.5, 2.5)] });
  assert.deepEqual(closed(early, '2026-10-24T12:00Z', '2026-10-25T12:00Z'), [
    '2026-10-24T23:30 2026-10-25T00:30',
    '2026-10-25T01:00 2026-10-25T01:30',
  ]);
});

test('a night over a change of the clock is an hour longer or shorter', () => {
  const night = windowOf('only', { zone: 'America/New_York', days: EVERY_DAY, spans: [span(22, 30)] });
  assert.deepEqual(closed(night, '2026-11-01T00:00Z', '2026-11-02T00:00Z'), [
    // Until Saturday 22:00 in New York, then from Sunday 06:00, nine hours later.
    '2026-11-01T00:00 2026-11-01T02:00',
    '2026-11-01T11:00 2026-11-02T00:00',
  ]);
});

test('a day that a country skipped does not come, and one of half an hour is followed', () => {
  const always = { spans: [span(0, 24)], days: [5] };
  // Samoa had no Friday, 30 December 2011.
  const samoa = windowOf('forbidden', { zone: 'Pacific/Apia', ...always });
  assert.deepEqual(closed(samoa, '2011-12-28T00:00Z', '2012-01-03T00:00Z'), []);
  // Lord Howe Island puts its clock by half an hour.
  assert.deepEqual(
    stretches('Australia/Lord_Howe', at('2026-03-01T00:00Z'), at('2026-11-01T00:00Z')).map(
      ({ offset }) => offset / HOUR,
    ),
    [11, 10.5, 11],
  );
});

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'America/Asuncion',
];
const times = fc.record({
  zone: fc.constantFrom(...ZONES),
  days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }),
  spans: fc.array(
    fc
      .tuple(fc.integer({ min: 0, max: 47 }), fc.integer({ min: 1, max: 48 }))
      .map(([from, length]) => span(from / 2, (from + length) / 2)),
    { minLength: 1, maxLength: 3 },
  ),
});

test('at every moment a window is closed exactly when the clock on the wall says so', () => {
  const from = fc.integer({ min: at('2025-01-01T00:00Z'), max: at('2028-01-01T00:00Z') });
  const changes = fc.constantFrom('forbidden' as const, 'only' as const);
  fc.assert(
    fc.property(
      times,
      changes,
      from,
      fc.array(fc.integer({ min: 0, max: 5 * DAY - 1 }), { minLength: 20 }),
      (hours, how, begin, moments) => {
        const intervals = closedIntervals(windowOf(how, hours), { from: begin, until: begin + 5 * DAY });
        for (const [index, one] of intervals.entries()) {
          assert.ok(one.from < one.until && one.from >= begin && one.until <= begin + 5 * DAY);
          assert.ok(index === 0 || (intervals[index - 1]?.until ?? 0) < one.from);
        }
        for (const moment of moments.map((offset) => begin + offset)) {
          const shown = wallClock(hours.zone, moment);
          const within = hours.spans.some(({ fromMs, untilMs }) =>
            [0, 1].some((ago) => {
              const midnight = (Math.floor(shown / DAY) - ago) * DAY;
              const sinceThen = shown - midnight;
              return hours.days.includes(new Date(midnight).getUTCDay()) && fromMs <= sinceThen && sinceThen < untilMs;
            }),
          );
          const inside = intervals.some((one) => one.from <= moment && moment < one.until);
          assert.equal(inside, how === 'forbidden' ? within : !within, new Date(moment).toISOString());
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('what is asked in pieces is what is asked at once', () => {
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 20 * DAY }), (hours, cut) => {
      const window = windowOf('forbidden', hours);
      const from = at('2026-10-15T00:00Z');
      const until = from + 20 * DAY;
      const pieces = [
        ...closedIntervals(window, { from, until: from + cut }),
        ...closedIntervals(window, { from: from + cut, until }),
      ];
      const length = (list: typeof pieces): number => list.reduce((sum, one) => sum + one.until - one.from, 0);
      assert.equal(length(pieces), length([...closedIntervals(window, { from, until })]));
    }),
    { numRuns: 100 },
  );
});

test('every instant is found again by what its clock shows, the first of two', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.integer({ min: at('2025-01-01T00:00Z'), max: at('2028-01-01T00:00Z') }),
      (zone, moment) => {
        const found = instantOf(zone, wallClock(zone, moment));
        assert.ok(found <= moment);
        assert.equal(wallClock(zone, found), wallClock(zone, moment));
      },
    ),
    { numRuns: 500 },
  );
  // 02:30 does not come in that night: it is taken to be 03:30.
  assert.equal(instantOf('Europe/Berlin', at('2026-03-29T02:30Z')), at('2026-03-29T01:30Z'));
});

test('time zones are names that the world knows', () => {
  assert.deepEqual(
    ['Europe/Berlin', 'UTC', 'Etc/GMT+1', 'Mars/Base', 'W. Europe Standard Time', '+01:00', ''].map(isTimeZone),
    [true, true, true, false, false, false, false],
  );
});

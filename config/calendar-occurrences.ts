/** When an event of a calendar file takes place: its rules followed, its exceptions left out. */
import type { default as Ical } from 'ical.js';
import { timeOf, type Shown } from './calendar-clock.ts';
import { DAY_MS, type Series } from './calendar-series.ts';
import type { Interval } from './intervals.ts';

/** What of the series lies within. May take for ever when a rule never comes true: the caller has a watch on it. */
export function* occurrences(ical: typeof Ical, series: Series, within: Interval): Generator<Interval> {
  const { clock, start, rules, extra, without } = series;
  const spanOf = (wall: number): Interval => {
    const { wallMs, exactMs } = series.length;
    return { from: clock(wall), until: clock(wall + wallMs) + exactMs };
  };
  if (rules.length === 0 && !isWithout(without, spanOf(start.wall).from, start.wall)) yield spanOf(start.wall);
  for (const { from, until } of extra) {
    // Its length as at the first occurrence.
    const { from: first, until: last } = spanOf(start.wall);
    if (!without.instants.has(from)) yield { from, until: until ?? from + last - first };
  }
  for (const rule of rules)
    for (const wall of wallsOf(ical, rule, start)) {
      const span = spanOf(wall);
      if (span.from >= within.until || isPast(rule, span.from, wall)) break;
      if (span.until > within.from && !isWithout(without, span.from, wall)) yield span;
    }
}

const isWithout = ({ instants, days }: Series['without'], at: number, wall: number): boolean =>
  instants.has(at) || days.has(Math.floor(wall / DAY_MS) * DAY_MS);

function* wallsOf(ical: typeof Ical, rule: Ical.Recur, start: Shown): Generator<number> {
  const endless = rule.clone();
  // The library would compare it without regard to the clock.
  endless.until = null;
  const iterator = endless.iterator(timeOf(ical, start.wall, start.day));
  for (let next = iterator.next(); next !== null && next !== undefined; next = iterator.next())
    yield Date.UTC(next.year, next.month - 1, next.day, next.hour, next.minute, next.second);
}

/** UNTIL is itself the last that may be. */
function isPast({ until }: Ical.Recur, at: number, wall: number): boolean {
  if (until === null || until === undefined) return false;
  const last = Date.UTC(until.year, until.month - 1, until.day, until.hour, until.minute, until.second);
  if (until.isDate) return wall >= last + DAY_MS;
  return until.zone.tzid === 'UTC' ? at > last : wall > last;
}

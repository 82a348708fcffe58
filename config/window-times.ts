/** When a window is closed: pure, from what was written and the time zone data alone. */
import { clipped, joined, others, type Interval } from './intervals.ts';
import { stretches } from './time-zone.ts';
import type { WindowConfig, WindowHours } from './window.ts';

const DAY_MS = 86_400_000;

/**
 * The closed intervals between two instants, in order and apart from one another. A window of days and hours goes by the wall clock of
 * its time zone: an hour that the clock shows twice counts twice, and one that it leaves out does not come.
 */
export function closedIntervals({ changes, times }: WindowConfig, within: Interval): readonly Interval[] {
  const named = times.kind === 'hours' ? byTheClock(times, within) : times.calendar.between(within);
  return changes === 'forbidden' ? clipped(joined(named), within) : others(joined(named), within);
}

function byTheClock({ zone, days, spans }: WindowHours, within: Interval): readonly Interval[] {
  const found: Interval[] = [];
  for (const { from, until, offset } of stretches(zone, within.from, within.until)) {
    const shown = { from: from + offset, until: until + offset };
    // A span that begins on the day before may reach into this one.
    for (let day = Math.floor(shown.from / DAY_MS) * DAY_MS - DAY_MS; day < shown.until; day += DAY_MS) {
      if (!days.includes(new Date(day).getUTCDay())) continue;
      const spansThere = spans.map((span) => ({ from: day + span.fromMs, until: day + span.untilMs }));
      for (const span of clipped(spansThere, shown))
        found.push({ from: span.from - offset, until: span.until - offset });
    }
  }
  return found;
}

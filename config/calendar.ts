/** An iCalendar file: its events as stretches of time. */
import { runInNewContext } from 'node:vm';
import type { default as Ical } from 'ical.js';
import { Clocks } from './calendar-clock.ts';
import { calendarParts, type CalendarPart } from './calendar-lines.ts';
import { occurrences } from './calendar-occurrences.ts';
import { CalendarMistake, DAY_MS, seriesOf, type Series } from './calendar-series.ts';
import { readBounded } from './files.ts';
import { clipped, joined, type Interval } from './intervals.ts';
import { formatProblem, type Place } from './problem.ts';
import { Problems } from './problems.ts';

class CalendarError extends Error {
  override readonly name = 'CalendarError';
}

export type Calendar = {
  readonly file: string;
  /** What its events cover of that time. @throws CalendarError when a rule cannot be followed so far. */
  readonly between: (within: Interval) => readonly Interval[];
};

/** So far ahead a calendar has to make sense when it is read. */
const AHEAD_MS = 400 * DAY_MS;
/** For all events together; a calendar of ten years of daily events takes a tenth of it. */
const PATIENCE_MS = 1_000;

/** `named`: where the file is named. `zone`: whose clock is meant by times that name none. Null when anything is wrong with it. */
export async function readCalendar(
  file: string,
  { zone, named }: { zone: string; named: { place: Place; path: string } },
  problems: Problems,
): Promise<Calendar | null> {
  const reading = new Problems();
  const bytes = await readBounded(file, reading);
  for (const { message } of reading.sorted([file])) problems.error(named.place, named.path, `${file}: ${message}`);
  if (bytes === null) return null;
  const text = decoded(bytes);
  if (text === null) problems.error({ file, line: 1, column: 1 }, '', 'is not UTF-8 text; save it as UTF-8');
  const calendars = text === null ? null : calendarParts(file, text, problems);
  if (calendars === null) return null;
  // Loaded only where a calendar is: few need it.
  const { default: ical } = await import('ical.js');
  const before = problems.errors;
  const series = bounded(file, problems, (at) =>
    calendars.flatMap((calendar) => seriesIn(ical, { file, zone, at }, calendar, problems)),
  );
  if (series === null || problems.errors > before) return null;
  if (!calendars.some(({ parts }) => parts.some(({ name }) => name === 'VEVENT')))
    problems.warn({ file, line: 1, column: 1 }, '', 'holds no event, so it names no time at all');
  return followed(ical, file, series, problems);
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The line that is being worked on. */
type At = { line: number };

function seriesIn(
  ical: typeof Ical,
  { file, zone, at }: { file: string; zone: string; at: At },
  calendar: CalendarPart,
  problems: Problems,
): readonly Series[] {
  const clocks = new Clocks(ical, calendar, zone);
  const found: Series[] = [];
  for (const event of calendar.parts.filter(({ name }) => name === 'VEVENT')) {
    at.line = event.line;
    const place = (line: number): Place => ({ file, line, column: 1 });
    try {
      const series = seriesOf(ical, event, clocks);
      const { wallMs, exactMs } = series.length;
      const message = 'the event has no length, so it names no time; give it a DTEND or a DURATION';
      if (wallMs + exactMs === 0 && !series.cancelled) problems.warn(place(event.line), '', message);
      found.push(series);
    } catch (mistake) {
      if (mistake instanceof CalendarMistake) problems.error(place(mistake.line), '', mistake.message);
      else problems.error(place(event.line), '', `the event cannot be read (${(mistake as Error).message}); mend it`);
    }
  }
  return withReplacements(found);
}

/** An event with a RECURRENCE-ID stands in for one occurrence of the series of its UID; a cancelled one stands for nothing. */
function withReplacements(all: readonly Series[]): readonly Series[] {
  const replacing = Map.groupBy(
    all.filter(({ uid, replaces }) => uid !== '' && replaces !== null),
    ({ uid }) => uid,
  );
  return all
    .filter(({ cancelled }) => !cancelled)
    .map((series) => {
      if (series.replaces !== null) return { ...series, rules: [], extra: [] };
      const others = replacing.get(series.uid) ?? [];
      const instants = new Set([...series.without.instants, ...others.map(({ replaces }) => replaces ?? 0)]);
      return { ...series, without: { ...series.without, instants } };
    });
}

/** Followed once now, so that a rule that leads nowhere is told where it stands. */
function followed(ical: typeof Ical, file: string, series: readonly Series[], problems: Problems): Calendar | null {
  const follow = (within: Interval, told: Problems): readonly Interval[] | null =>
    bounded(file, told, (at) => {
      const all = series.flatMap((one) => {
        at.line = one.line;
        return [...occurrences(ical, one, within)];
      });
      return joined(all);
    });
  const now = Date.now();
  let kept = { from: now - 2 * DAY_MS, until: now + AHEAD_MS };
  let found = follow(kept, problems);
  if (found === null) return null;
  return {
    file,
    between: (within) => {
      if (found === null || within.from < kept.from || within.until > kept.until) {
        const told = new Problems();
        kept = { from: within.from - DAY_MS, until: within.until + 7 * DAY_MS };
        found = follow(kept, told);
        if (found === null) throw new CalendarError(told.sorted([file]).map(formatProblem).join('\n'));
      }
      return clipped(found, within);
    },
  };
}

/** Null, and a problem at the line that was worked on, when it fails or takes too long. */
function bounded<T>(file: string, problems: Problems, work: (at: At) => T): T | null {
  const at: At = { line: 1 };
  try {
    return watched(() => work(at));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ERR_SCRIPT_EXECUTION_TIMEOUT' ? 'it takes too long to follow, or never comes true' : message;
    const told = `the rule of this event leads nowhere (${why}); mend its RRULE`;
    problems.error({ file, line: at.line, column: 1 }, '', told);
    return null;
  }
}

/** Some rules that never come true keep the library busy for ever; here it is interrupted. */
function watched<T>(work: () => T): T {
  return runInNewContext('work()', { work }, { timeout: PATIENCE_MS }) as T;
}

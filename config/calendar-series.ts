/** One event of a calendar file and all its repetitions (RFC 5545 §3.8.5). */
import type { default as Ical } from 'ical.js';
import { shownBy, timeOf, UTC, type Clock, type Clocks, type Shown } from './calendar-clock.ts';
import type { CalendarPart } from './calendar-lines.ts';

/** Where in an event something is wrong, and what to write. */
export class CalendarMistake extends Error {
  override readonly name = 'CalendarMistake';
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** A part of it by what the clock shows, the rest by time that passes: a day may have 23 hours, an hour never. */
type Length = { readonly wallMs: number; readonly exactMs: number };

export type Series = {
  readonly line: number;
  readonly uid: string;
  readonly clock: Clock;
  readonly start: Shown;
  readonly length: Length;
  readonly rules: readonly Ical.Recur[];
  /** RDATE: further occurrences, some with a length of their own. */
  readonly extra: readonly { readonly from: number; readonly until: number | null }[];
  /** EXDATE, and occurrences that another event takes the place of: by instant, or by date. */
  readonly without: { readonly instants: ReadonlySet<number>; readonly days: ReadonlySet<number> };
  /** RECURRENCE-ID: the occurrence of the event of the same UID that this one replaces. */
  readonly replaces: number | null;
  readonly cancelled: boolean;
};

type Property = {
  readonly name: string;
  readonly line: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly type: string;
  readonly values: readonly unknown[];
};

export const DAY_MS = 86_400_000;
const READ = /^(?:UID|DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|EXRULE|RECURRENCE-ID|STATUS)[:;]/i;

/** @throws CalendarMistake */
export function seriesOf(ical: typeof Ical, event: CalendarPart, clocks: Clocks): Series {
  const properties = event.lines.filter(({ text }) => READ.test(text)).map((line) => propertyOf(ical, line));
  const all = (name: string): Property[] => properties.filter((property) => property.name === name);
  const [begin, end, duration, replaced] = ['dtstart', 'dtend', 'duration', 'recurrence-id'].map(
    (name) => all(name)[0],
  );
  const [exclusion] = all('exrule');
  if (exclusion !== undefined)
    throw new CalendarMistake(exclusion.line, 'EXRULE is out of use and not followed; write EXDATE for each');
  if (begin === undefined) throw new CalendarMistake(event.line, 'the event has no DTSTART; give it one');
  if (replaced?.parameters['range'] !== undefined)
    throw new CalendarMistake(replaced.line, 'RANGE is not followed; end the series with UNTIL and begin another');
  const start = shown(begin, begin.values[0]);
  const clock = clockOf(begin, start, clocks);
  const exceptions = all('exdate').flatMap((one) => one.values.map((value) => ({ one, at: shown(one, value) })));
  return {
    line: event.line,
    uid: textOf(all('uid')[0]),
    clock,
    start,
    length: lengthOf(ical, { begin, end, duration }, start, clocks),
    rules: all('rrule').map((rule) => ruleOf(ical, rule, start)),
    extra: all('rdate').flatMap((one) => one.values.map((value) => extraOf(ical, one, value, clocks))),
    without: {
      instants: new Set(exceptions.filter(({ at }) => !at.day).map(({ one, at }) => clockOf(one, at, clocks)(at.wall))),
      days: new Set(exceptions.filter(({ at }) => at.day).map(({ at }) => at.wall)),
    },
    replaces: replaced === undefined ? null : instant(replaced, replaced.values[0], clocks),
    cancelled: textOf(all('status')[0]).toUpperCase() === 'CANCELLED',
  };
}

const textOf = (property: Property | undefined): string => {
  const value = property?.values[0];
  return typeof value === 'string' ? value : '';
};

function propertyOf(ical: typeof Ical, { line, text }: { line: number; text: string }): Property {
  try {
    const [name, parameters, type, ...values] = ical.parse.property(text) as unknown as [
      string,
      Record<string, string>,
      string,
      ...unknown[],
    ];
    // As written: the library's reading of a rule forgets what it does not know.
    return { name, line, parameters, type, values: name === 'rrule' ? [text.replace(/^[^:]*:/, '')] : values };
  } catch (error) {
    throw new CalendarMistake(line, `cannot be read (${(error as Error).message}); mend the line`);
  }
}

function shown({ name, line }: Property, value: unknown): Shown {
  const read = shownBy(value);
  if (read !== null) return read;
  const message = `${name.toUpperCase()} is no date or time; write e.g. 20261224, 20261224T180000 or 20261224T170000Z`;
  throw new CalendarMistake(line, message);
}

function clockOf({ line, parameters }: Property, { utc }: Shown, clocks: Clocks): Clock {
  const zone = parameters['tzid'] ?? null;
  const clock = utc ? UTC : clocks.of(zone);
  if (clock !== null) return clock;
  const message = `there is no time zone ${JSON.stringify(zone?.slice(0, 60))}, and the file describes none; write a name such as Europe/Berlin, or a VTIMEZONE`;
  throw new CalendarMistake(line, message);
}

const instant = (property: Property, value: unknown, clocks: Clocks): number => {
  const at = shown(property, value);
  return clockOf(property, at, clocks)(at.wall);
};

function lengthOf(
  ical: typeof Ical,
  { begin, end, duration }: { begin: Property; end: Property | undefined; duration: Property | undefined },
  start: Shown,
  clocks: Clocks,
): Length {
  if (end === undefined) {
    if (duration !== undefined) return durationOf(ical, duration, duration.values[0]);
    return { wallMs: start.day ? DAY_MS : 0, exactMs: 0 };
  }
  const until = shown(end, end.values[0]);
  const same = until.utc === start.utc && end.parameters['tzid'] === begin.parameters['tzid'];
  const ms = instant(end, end.values[0], clocks) - instant(begin, begin.values[0], clocks);
  if (ms < 0) throw new CalendarMistake(end.line, 'the event ends before it begins; mend DTEND');
  return same ? { wallMs: until.wall - start.wall, exactMs: 0 } : { wallMs: 0, exactMs: ms };
}

function durationOf(ical: typeof Ical, { line }: Property, value: unknown): Length {
  try {
    const { weeks, days, hours, minutes, seconds, isNegative } = ical.Duration.fromString(String(value));
    if (!isNegative)
      return { wallMs: (weeks * 7 + days) * DAY_MS, exactMs: ((hours * 60 + minutes) * 60 + seconds) * 1000 };
  } catch {
    // Said below.
  }
  throw new CalendarMistake(line, 'is no length of time; write e.g. DURATION:PT2H or DURATION:P1D');
}

function extraOf(ical: typeof Ical, property: Property, value: unknown, clocks: Clocks): Series['extra'][number] {
  if (property.type !== 'period') return { from: instant(property, value, clocks), until: null };
  const [begin, end] = Array.isArray(value) ? value : [value, undefined];
  const from = instant(property, begin, clocks);
  if (shownBy(end) !== null) return { from, until: instant(property, end, clocks) };
  const { wallMs, exactMs } = durationOf(ical, property, end);
  return { from, until: from + wallMs + exactMs };
}

const RULE_PARTS =
  /^(?:FREQ|UNTIL|COUNT|INTERVAL|BYSECOND|BYMINUTE|BYHOUR|BYDAY|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYMONTH|BYSETPOS|WKST)$/i;

function ruleOf(ical: typeof Ical, property: Property, start: Shown): Ical.Recur {
  const { line } = property;
  const text = textOf(property);
  const wrong = (why: string): CalendarMistake => new CalendarMistake(line, `RRULE ${why}; mend it`);
  const parts = text.split(';').filter((part) => part !== '');
  for (const part of parts) {
    const [, name = part, number] = /^([A-Z]+)=(.*)$/i.exec(part) ?? [];
    if (!RULE_PARTS.test(name)) throw wrong(`has an unknown part ${JSON.stringify(part.slice(0, 40))}`);
    if (/^(?:COUNT|INTERVAL)$/i.test(name) && !/^[1-9][0-9]{0,6}$/.test(number ?? ''))
      throw wrong(`has no whole number in ${part.slice(0, 40)}`);
  }
  let rule: Ical.Recur;
  try {
    rule = ical.Recur.fromString(text);
    // Throws where parts contradict one another.
    rule.iterator(timeOf(ical, start.wall, start.day));
  } catch (error) {
    throw wrong(`cannot be followed (${(error as Error).message})`);
  }
  if (!/^(?:YEARLY|MONTHLY|WEEKLY|DAILY|HOURLY)$/.test(rule.freq))
    throw wrong('needs FREQ=HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY');
  return rule;
}

/** Which clock a time in a calendar file means, and what it shows. */
import type { default as Ical } from 'ical.js';
import type { CalendarPart } from './calendar-lines.ts';
import { instantOf, isTimeZone } from './time-zone.ts';

/** What a clock shows, written as if it were UTC; `day`: a date without a time. */
export type Shown = { readonly wall: number; readonly day: boolean; readonly utc: boolean };
export type Clock = (wall: number) => number;

export const UTC: Clock = (wall) => wall;

const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(Z?))?$/;

/** As the library hands it on: `2026-01-31` or `2026-01-31T10:00:00Z`. Null when there is no such date or time. */
export function shownBy(value: unknown): Shown | null {
  const [, year, month, day, hour, minute, second, zulu] = TIME.exec(String(value)) ?? [];
  if (year === undefined) return null;
  const [h, m, s] = [Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)];
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // The 31st of February would otherwise be some day in March.
  if (new Date(date).getUTCMonth() !== Number(month) - 1 || h > 23 || m > 59 || s > 60) return null;
  return { wall: date + ((h * 60 + m) * 60 + s) * 1000, day: hour === undefined, utc: zulu === 'Z' };
}

/** Clocks by the names that the file gives them. */
export class Clocks {
  readonly #ical: typeof Ical;
  readonly #own: ReadonlyMap<string, CalendarPart>;
  readonly #fallback: string;
  readonly #made = new Map<string, Clock>();

  /** `fallback`: the zone of times that name none. */
  constructor(ical: typeof Ical, calendar: CalendarPart, fallback: string) {
    this.#ical = ical;
    this.#fallback = fallback;
    const zones = calendar.parts.filter(({ name }) => name === 'VTIMEZONE');
    this.#own = new Map(zones.map((zone) => [tzidOf(zone), zone]));
  }

  /** Null: neither the file nor the time zone data knows the zone. */
  of(zone: string | null): Clock | null {
    if (zone === null || zone === this.#fallback) return (wall) => instantOf(this.#fallback, wall);
    const known = this.#made.get(zone);
    if (known !== undefined) return known;
    const made = this.#make(zone);
    if (made !== null) this.#made.set(zone, made);
    return made;
  }

  /** What the world calls so is known better here than by a file that may be old. */
  #make(zone: string): Clock | null {
    if (isTimeZone(zone)) return (wall) => instantOf(zone, wall);
    const part = this.#own.get(zone);
    if (part === undefined) return null;
    const ical = this.#ical;
    const component = new ical.Component(ical.parse(part.text()));
    const own = new ical.Timezone({ component, tzid: zone });
    return (wall) => wall - own.utcOffset(timeOf(ical, wall, false)) * 1000;
  }
}

const tzidOf = (zone: CalendarPart): string =>
  zone.lines.find(({ text }) => /^TZID[:;]/i.test(text))?.text.replace(/^[^:]*:/, '') ?? '';

/** The library's own time that shows this, without a zone. */
export function timeOf(ical: typeof Ical, wall: number, day: boolean): Ical.Time {
  const shown = new Date(wall);
  return new ical.Time(
    {
      year: shown.getUTCFullYear(),
      month: shown.getUTCMonth() + 1,
      day: shown.getUTCDate(),
      hour: shown.getUTCHours(),
      minute: shown.getUTCMinutes(),
      second: shown.getUTCSeconds(),
      isDate: day,
    },
    ical.Timezone.localTimezone,
  );
}

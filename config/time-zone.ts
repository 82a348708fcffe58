/** Wall clocks of the world, by the time zone data that Node carries. Nothing here knows today's date or the host's own zone. */

/** Names as in the IANA database: `Europe/Berlin`, `UTC`. */
export function isTimeZone(name: string): boolean {
  // Offsets such as +01:00 are zones to Intl, but have no daylight saving: rarely what is meant, and never what a calendar says.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return formatterOf(name) !== null;
  } catch {
    return false;
  }
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formatters.set(zone, made);
  return made;
}

/** What the wall clock shows then, as if it were UTC; milliseconds. */
export function wallClock(zone: string, instant: number): number {
  const parts = new Map(
    formatterOf(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, value]),
  );
  const of = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
  const second = Math.floor(instant / 1000) * 1000;
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) + (instant - second);
}

const offsetAt = (zone: string, instant: number): number => wallClock(zone, instant) - instant;

/** While `from <= instant < until` the wall clock is `offset` milliseconds ahead of UTC. */
export type Stretch = { readonly from: number; readonly until: number; readonly offset: number };

/** No zone has put its clock forth and back within so short a time. */
const LOOK_MS = 12 * 3_600_000;

/** The stretches of one offset each that make up the time between, in order and without gaps. */
export function stretches(zone: string, from: number, until: number): readonly Stretch[] {
  const found: Stretch[] = [];
  let begin = from;
  let offset = offsetAt(zone, from);
  for (let at = from; at < until; at += LOOK_MS) {
    const next = Math.min(at + LOOK_MS, until);
    const after = offsetAt(zone, next);
    if (after === offset) continue;
    const change = firstWith(zone, after, at, next);
    found.push({ from: begin, until: change, offset });
    begin = change;
    offset = after;
  }
  if (begin < until) found.push({ from: begin, until, offset });
  return found;
}

/** The first millisecond after `before` at which the offset is this one. */
function firstWith(zone: string, offset: number, before: number, by: number): number {
  let low = before;
  let high = by;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(zone, middle) === offset) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * When the wall clock shows this (written as if it were UTC): of two such instants the first; a time that is left out counts on from
 * the last one before it, as RFC 5545 has it.
 */
export function instantOf(zone: string, wall: number): number {
  const day = 86_400_000;
  const before = offsetAt(zone, wall - day);
  const after = offsetAt(zone, wall + day);
  const earlier = wall - Math.max(before, after);
  return wallClock(zone, earlier) === wall ? earlier : laterOf(zone, wall, before, after);
}

function laterOf(zone: string, wall: number, before: number, after: number): number {
  const later = wall - Math.min(before, after);
  return wallClock(zone, later) === wall ? later : wall - before;
}

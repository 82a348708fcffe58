/** An iCalendar file: its events as stretches of time. */
import type { Interval } from './intervals.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';

export type Calendar = {
  readonly file: string;
  /** What its events cover of that time. @throws CalendarError when a rule cannot be followed so far. */
  readonly between: (within: Interval) => readonly Interval[];
};

export async function readCalendar(
  file: string,
  from: { zone: string; named: { place: Place; path: string } },
  problems: Problems,
): Promise<Calendar | null> {
  problems.error(from.named.place, from.named.path, `${file} cannot be read`);
  return Promise.resolve(null);
}

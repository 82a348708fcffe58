/** `window` blocks of the coordinator: when something must not be changed, or only then may be. */
import { readCalendar, type Calendar } from './calendar.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { everyOne } from './connections.ts';
import { block, optional, required, withDefault, type Section } from './schema.ts';
import { isTimeZone } from './time-zone.ts';
import { path } from './value-addresses.ts';
import { listOf, oneOrMore } from './value-collections.ts';
import { name, placeName, workflowName } from './value-names.ts';
import { parsed, refuse } from './value-reading.ts';
import { oneOf, text } from './value-types.ts';

/** On these days (0 = Sunday), by the clock of `zone`; each span within 48 hours of the day's midnight, by what the clock shows. */
export type WindowHours = {
  readonly kind: 'hours';
  readonly zone: string;
  readonly days: readonly number[];
  readonly spans: readonly { readonly fromMs: number; readonly untilMs: number }[];
};
export type WindowCalendar = { readonly kind: 'calendar'; readonly calendar: Calendar };

export type WindowConfig = {
  readonly place: Place;
  readonly name: string;
  /** `forbidden`: nothing begins within the times. `only`: nothing begins outside of them. */
  readonly changes: 'forbidden' | 'only';
  readonly times: WindowHours | WindowCalendar;
  /** It is about what fits every list that is not empty. */
  readonly workflows: readonly string[];
  readonly nodeTypes: readonly string[];
  readonly datacenters: readonly string[];
  readonly nodes: readonly string[];
  readonly reason: string | null;
};

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const hours = parsed('"HH:MM-HH:MM"', '"HH:MM-HH:MM"', (given) => {
  const [, fromHour, fromMinute, untilHour, untilMinute] =
    /^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])$/.exec(given) ?? [];
  const from = (Number(fromHour) * 60 + Number(fromMinute)) * MINUTE_MS;
  const until = (Number(untilHour) * 60 + Number(untilMinute)) * MINUTE_MS;
  if (Number.isNaN(from) || until > DAY_MS)
    return refuse(given, 'is no span of hours; write e.g. "09:00-17:00", or "22:00-06:00" across midnight');
  if (from === until)
    return refuse(given, 'begins when it ends; write "00:00-24:00" for whole days, or leave hours out');
  return { fromMs: from, untilMs: until < from ? until + DAY_MS : until };
});

const timeZone = parsed('time zone', 'a time zone in quotes, e.g. "Europe/Berlin"', (given) =>
  isTimeZone(given) ? given : refuse(given, 'is no time zone; write a name such as "Europe/Berlin" or "UTC"'),
);

const places = listOf(placeName, { min: 1, max: 200 });

export const windowBlock = block({
  doc: 'A time in which something must not be changed, or the only one in which it may be. Nothing new begins then, and no further step of what runs; undo steps do. It is about what fits every list it has; without any list, about everything.',
  labels: [
    {
      name: 'name',
      doc: 'Names the window in refusals.',
      type: name('window name', /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$/, 'letters, digits, _ . and -, at most 40'),
    },
  ],
  attributes: {
    changes: required(
      oneOf('forbidden', 'only'),
      '`"forbidden"`: no changes within these times. `"only"`: no changes outside of them.',
    ),
    days: optional(
      listOf(oneOf(...DAYS), { min: 1 }),
      'Days of the week on which it begins, e.g. `["sat", "sun"]`. Default: every day.',
    ),
    hours: optional(
      oneOrMore(hours),
      'Hours by the clock there, e.g. `"09:00-17:00"`; `"22:00-06:00"` ends on the day after. Default: the whole day.',
    ),
    time_zone: withDefault(
      timeZone,
      'Whose clock and calendar days count, e.g. `"Europe/Berlin"`. Of a calendar file: where it names no zone itself.',
      'UTC',
      '"UTC"',
    ),
    calendar: optional(
      path,
      'An iCalendar file (`.ics`) instead of days and hours: its events are the times. Read again when it changes.',
    ),
    workflows: withDefault(listOf(workflowName, { min: 1, max: 200 }), 'Only these workflows.', [], 'all'),
    node_types: withDefault(places, 'Only nodes of these types.', [], 'all'),
    datacenters: withDefault(places, 'Only these datacenters.', [], 'all'),
    nodes: withDefault(places, 'Only these nodes.', [], 'all'),
    reason: optional(text, 'Shown to whoever is refused.'),
  },
});

/** So many the gate can hold of everybody's; and so many names fit what is announced of one. */
const MAX_WINDOWS = 50;
const MAX_NAMES = 100;

export async function windowsOf(
  sections: readonly Section<typeof windowBlock>[],
  problems: Problems,
): Promise<readonly WindowConfig[] | null> {
  const extra = sections[MAX_WINDOWS];
  if (extra !== undefined)
    problems.error(extra.place, extra.path, `is one window too many; write at most ${MAX_WINDOWS}`);
  return everyOne(await Promise.all(sections.map((section) => windowOf(section, problems))));
}

/** Reads its calendar file too, if it names one. */
async function windowOf(section: Section<typeof windowBlock>, problems: Problems): Promise<WindowConfig | null> {
  const { values, place, path } = section;
  const times = await timesOf(section, problems);
  if (values === null || times === null) return null;
  const { changes, workflows, node_types: nodeTypes, datacenters, nodes, reason } = values;
  const names = workflows.length + nodeTypes.length + datacenters.length + nodes.length;
  if (names > MAX_NAMES)
    problems.error(place, path, `names ${names} things; write at most ${MAX_NAMES}, or make several windows of it`);
  return { place, name: section.labels[0] ?? '', changes, times, workflows, nodeTypes, datacenters, nodes, reason };
}

async function timesOf(
  { values, place, path: at, given }: Section<typeof windowBlock>,
  problems: Problems,
): Promise<WindowConfig['times'] | null> {
  if (values === null) return null;
  const { days, hours: spans, calendar: file, time_zone: zone } = values;
  const byClock = given.get('days') ?? given.get('hours');
  if (file !== null && byClock !== undefined) {
    problems.error(byClock.place, at, 'has both a calendar and days or hours; make two windows of it');
    return null;
  }
  if (file !== null) {
    const calendar = await readCalendar(
      file,
      { zone, named: { place: given.get('calendar')?.place ?? place, path: `${at}.calendar` } },
      problems,
    );
    return calendar === null ? null : { kind: 'calendar', calendar };
  }
  if (byClock === undefined) {
    problems.error(place, at, 'says no time; write days = ["sat", "sun"], hours = "22:00-06:00" or calendar = "..."');
    return null;
  }
  return {
    kind: 'hours',
    zone,
    days: (days ?? DAYS).map((day) => DAYS.indexOf(day)),
    spans: spans ?? [{ fromMs: 0, untilMs: DAY_MS }],
  };
}

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readCalendar } from './calendar.ts';
import { formatProblem } from './problem.ts';
import { Problems } from './problems.ts';

const named = { place: { file: 'c.hcl', line: 3, column: 14 }, path: 'window["w"].calendar' };

async function reading(context: TestContext, text: string | Uint8Array, zone = 'Europe/Berlin') {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-calendar-'));
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'freeze.ics');
  await writeFile(file, text);
  const problems = new Problems();
  const calendar = await readCalendar(file, { zone, named }, problems);
  const told = problems.sorted([file]).map((problem) => formatProblem(problem).replaceAll(`${folder}/`, ''));
  return { calendar, told };
}

const event = (...lines: string[]): string => ['BEGIN:VEVENT', ...lines, 'END:VEVENT'].join('\r\n');
const calendarOf = (...parts: string[]): string =>
  ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//test//EN', ...parts, 'END:VCALENDAR', ''].join('\r\n');

async function covered(context: TestContext, text: string, from: string, until: string, zone?: string) {
  const { calendar, told } = await reading(context, text, zone);
  assert.deepEqual(told, []);
  const shown = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
  return calendar
    ?.between({ from: Date.parse(from), until: Date.parse(until) })
    .map((one) => `${shown(one.from)} ${shown(one.until)}`);
}

test('an event covers its time; one that names no zone means that of the window', async (context) => {
  const text = calendarOf(
    event('UID:1', 'DTSTART:20261224T120000Z', 'DTEND:20261224T140000Z'),
    event('UID:2', 'DTSTART:20261226T120000', 'DURATION:PT90M'),
    event('UID:3', 'DTSTART;TZID=America/New_York:20261228T120000', 'DTEND;TZID=America/New_York:20261228T130000'),
  );
  assert.deepEqual(await covered(context, text, '2026-12-01T00:00Z', '2027-01-01T00:00Z'), [
    '2026-12-24T12:00 2026-12-24T14:00',
    '2026-12-26T11:00 2026-12-26T12:30',
    '2026-12-28T17:00 2026-12-28T18:00',
  ]);
});

test('whole days begin and end at midnight there, also when the clock is put in between', async (context) => {
  const text = calendarOf(
    event('UID:1', 'DTSTART;VALUE=DATE:20261025'),
    event('UID:2', 'DTSTART;VALUE=DATE:20261224', 'DTEND;VALUE=DATE:20261227'),
  );
  assert.deepEqual(await covered(context, text, '2026-10-01T00:00Z', '2027-01-01T00:00Z'), [
    '2026-10-24T22:00 2026-10-25T23:00',
    '2026-12-23T23:00 2026-12-26T23:00',
  ]);
});

test('repetitions keep to the clock over changes of it', async (context) => {
  const text = calendarOf(
    event(
      'UID:1',
      'DTSTART;TZID=Europe/Berlin:20200105T220000',
      'DTEND;TZID=Europe/Berlin:20200106T060000',
      'RRULE:FREQ=WEEKLY;BYDAY=SA,SU',
    ),
  );
  assert.deepEqual(await covered(context, text, '2026-10-24T12:00Z', '2026-10-26T12:00Z', 'UTC'), [
    // Nine hours: the night in which the clock is put back.
    '2026-10-24T20:00 2026-10-25T05:00',
    '2026-10-25T21:00 2026-10-26T05:00',
  ]);
});

test('UNTIL is itself the last, by whatever clock it is given', async (context) => {
  const daily = (until: string): string =>
    calendarOf(
      event('UID:1', 'DTSTART;TZID=Europe/Berlin:20261201T100000', 'DURATION:PT1H', `RRULE:FREQ=DAILY;UNTIL=${until}`),
    );
  for (const until of ['20261203T090000Z', '20261203T100000', '20261203'])
    assert.deepEqual(
      await covered(context, daily(until), '2026-11-01T00:00Z', '2027-01-01T00:00Z'),
      ['2026-12-01T09:00 2026-12-01T10:00', '2026-12-02T09:00 2026-12-02T10:00', '2026-12-03T09:00 2026-12-03T10:00'],
      until,
    );
});

test('what is excepted, moved or cancelled is not covered, and what is added is', async (context) => {
  const text = calendarOf(
    event(
      'UID:1',
      'DTSTART:20261201T100000Z',
      'DTEND:20261201T110000Z',
      'RRULE:FREQ=DAILY;COUNT=6',
      'EXDATE:20261202T100000Z,20261203T100000Z',
      'EXDATE;VALUE=DATE:20261206',
      'RDATE:20261210T100000Z',
      'RDATE;VALUE=PERIOD:20261211T100000Z/PT5H',
    ),
    event('UID:1', 'RECURRENCE-ID:20261204T100000Z', 'DTSTART:20261204T150000Z', 'DTEND:20261204T160000Z'),
    event('UID:1', 'RECURRENCE-ID:20261205T100000Z', 'DTSTART:20261205T100000Z', 'STATUS:CANCELLED'),
    // The same moment, but another event.
    event('UID:2', 'DTSTART:20261220T100000Z', 'DURATION:PT1H', 'STATUS:CANCELLED'),
  );
  assert.deepEqual(await covered(context, text, '2026-11-01T00:00Z', '2027-01-01T00:00Z'), [
    '2026-12-01T10:00 2026-12-01T11:00',
    '2026-12-04T15:00 2026-12-04T16:00',
    '2026-12-10T10:00 2026-12-10T11:00',
    '2026-12-11T10:00 2026-12-11T15:00',
  ]);
});

const OWN_ZONE = [
  'BEGIN:VTIMEZONE',
  'TZID:Our Site',
  'BEGIN:STANDARD',
  'DTSTART:16010101T030000',
  'TZOFFSETFROM:+0200',
  'TZOFFSETTO:+0100',
  'RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10',
  'END:STANDARD',
  'BEGIN:DAYLIGHT',
  'DTSTART:16010101T020000',
  'TZOFFSETFROM:+0100',
  'TZOFFSETTO:+0200',
  'RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3',
  'END:DAYLIGHT',
  'END:VTIMEZONE',
].join('\r\n');

test('a zone that only the file knows is followed as the file describes it', async (context) => {
  const text = calendarOf(
    OWN_ZONE,
    event('UID:1', 'DTSTART;TZID=Our Site:20260601T100000', 'DURATION:PT1H', 'RRULE:FREQ=MONTHLY;INTERVAL=6'),
  );
  assert.deepEqual(await covered(context, text, '2026-05-01T00:00Z', '2027-01-01T00:00Z', 'UTC'), [
    '2026-06-01T08:00 2026-06-01T09:00',
    '2026-12-01T09:00 2026-12-01T10:00',
  ]);
});

test('lines are folded, zones quoted, other parts and other lines left alone', async (context) => {
  const text = calendarOf(
    'BEGIN:VTODO\r\nDTSTART:nonsense\r\nEND:VTODO',
    event(
      'UID:1',
      'SUMMARY:a;b:c',
      'X-OTHER',
      'DTSTART;TZID="Europe/B',
      ' erlin":2026120',
      '\t1T100000',
      'DURATION:P1D',
      'BEGIN:VALARM\r\nTRIGGER:x\r\nEND:VALARM',
    ),
  );
  assert.deepEqual(await covered(context, text, '2026-11-01T00:00Z', '2027-01-01T00:00Z'), [
    '2026-12-01T09:00 2026-12-02T09:00',
  ]);
});

const START = 'DTSTART:20261201T100000Z';
const LONG = 'DURATION:PT1H';
const MISTAKES: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ['an empty file', '', /^freeze\.ics:1:1: is empty; it has to begin with BEGIN:VCALENDAR$/],
  [
    'a web page',
    '<html>\n<p>log in</p>',
    /^freeze\.ics:1:1: is no iCalendar file; it has to begin with BEGIN:VCALENDAR$/,
  ],
  ['other text than UTF-8', Uint8Array.of(0x42, 0xff, 0xfe), /^freeze\.ics:1:1: is not UTF-8 text; save it as UTF-8$/],
  ['an event without calendar', event(START), /^freeze\.ics:1:1: begins with VEVENT; an iCalendar file begins with/],
  [
    'a file that was cut off',
    calendarOf(event(START)).slice(0, 80),
    /^freeze\.ics:1:1: VCALENDAR is never ended; the file was cut off/,
  ],
  [
    'parts that are crossed',
    calendarOf('BEGIN:VEVENT', START),
    /^freeze\.ics:6:1: ends VCALENDAR, which is not open here/,
  ],
  ['no start', calendarOf(event('UID:1')), /^freeze\.ics:4:1: the event has no DTSTART; give it one$/],
  [
    'a start that is no time',
    calendarOf(event('DTSTART:2026-12-01')),
    /^freeze\.ics:5:1: DTSTART is no date or time; write e\.g\. 20261224/,
  ],
  [
    'a day that does not come',
    calendarOf(event('DTSTART;VALUE=DATE:20260231')),
    /^freeze\.ics:5:1: DTSTART is no date or time/,
  ],
  [
    'a month that does not come',
    calendarOf(event('DTSTART:20261301T100000Z')),
    /^freeze\.ics:5:1: DTSTART is no date or time/,
  ],
  [
    'an end before the start',
    calendarOf(event(START, 'DTEND:20261201T090000Z')),
    /^freeze\.ics:6:1: the event ends before it begins; mend DTEND$/,
  ],
  [
    'a length that is none',
    calendarOf(event(START, 'DURATION:2 hours')),
    /^freeze\.ics:6:1: is no length of time; write e\.g\. DURATION:PT2H/,
  ],
  [
    'a zone that nobody knows',
    calendarOf(event('DTSTART;TZID=Our Site:20261201T100000', LONG)),
    /^freeze\.ics:5:1: there is no time zone "Our Site", and the file describes none; write a name such as Europe\/Berlin, or a VTIMEZONE$/,
  ],
  [
    'an unknown frequency',
    calendarOf(event(START, LONG, 'RRULE:FREQ=FORTNIGHTLY')),
    /^freeze\.ics:7:1: cannot be read \(invalid frequency "FORTNIGHTLY"/,
  ],
  [
    'every second',
    calendarOf(event(START, LONG, 'RRULE:FREQ=SECONDLY')),
    /^freeze\.ics:7:1: RRULE needs FREQ=HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY/,
  ],
  [
    'an unknown part of a rule',
    calendarOf(event(START, LONG, 'RRULE:FREQ=DAILY;UNTILL=20261224')),
    /^freeze\.ics:7:1: RRULE has an unknown part "UNTILL=20261224"; mend it$/,
  ],
  [
    'a count of none',
    calendarOf(event(START, LONG, 'RRULE:FREQ=DAILY;COUNT=0')),
    /^freeze\.ics:7:1: RRULE has no whole number in COUNT=0; mend it$/,
  ],
  [
    'a rule that never comes true',
    calendarOf(event(START, LONG, 'RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30')),
    /^freeze\.ics:4:1: the rule of this event leads nowhere \(it takes too long to follow, or never comes true\); mend its RRULE$/,
  ],
  [
    'this and all following',
    calendarOf(event('RECURRENCE-ID;RANGE=THISANDFUTURE:20261201T100000Z', START)),
    /^freeze\.ics:5:1: RANGE is not followed; end the series with UNTIL and begin another$/,
  ],
  [
    'EXRULE',
    calendarOf(event(START, 'EXRULE:FREQ=DAILY')),
    /^freeze\.ics:6:1: EXRULE is out of use and not followed; write EXDATE for each$/,
  ],
];

for (const [mistake, text, expected] of MISTAKES)
  test(`refuses ${mistake}, and says where and what to write`, async (context) => {
    const { calendar, told } = await reading(context, text);
    assert.equal(calendar, null);
    assert.equal(told.length, 1, told.join('\n'));
    assert.match(told[0] ?? '', expected);
  });

test('many events that take long are given up together, not one after the other', async (context) => {
  const never = event(START, LONG, 'RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30');
  const { calendar, told } = await reading(context, calendarOf(...Array.from({ length: 50 }, () => never)));
  assert.equal(calendar, null);
  assert.equal(told.length, 1, told.join('\n'));
});

test('all mistakes of a file are told at once', async (context) => {
  const { told } = await reading(context, calendarOf(event('UID:1'), event('DTSTART:x'), event(START, 'DURATION:x')));
  assert.equal(told.length, 3);
});

test('warns of what names no time: a calendar without events, an event without length', async (context) => {
  const none = await reading(context, calendarOf());
  assert.deepEqual(none.told, ['freeze.ics:1:1: warning: holds no event, so it names no time at all']);
  assert.deepEqual(none.calendar?.between({ from: 0, until: Date.now() }), []);
  const short = await reading(context, calendarOf(event(START)));
  assert.match(short.told.join('\n'), /^freeze\.ics:4:1: warning: the event has no length/);
});

test('a calendar that is not there is told where it is named', async () => {
  const problems = new Problems();
  assert.equal(await readCalendar('/nowhere/freeze.ics', { zone: 'UTC', named }, problems), null);
  assert.deepEqual(problems.sorted([]).map(formatProblem), [
    'c.hcl:3:14: window["w"].calendar: /nowhere/freeze.ics: there is no such file or folder; create it, or mend the path',
  ]);
});

test('goes on knowing years ahead', async (context) => {
  const text = calendarOf(event('UID:1', 'DTSTART;VALUE=DATE:20200101', 'RRULE:FREQ=YEARLY'));
  assert.deepEqual(await covered(context, text, '2040-01-01T00:00Z', '2042-01-01T00:00Z', 'UTC'), [
    '2040-01-01T00:00 2040-01-02T00:00',
    '2041-01-01T00:00 2041-01-02T00:00',
  ]);
});

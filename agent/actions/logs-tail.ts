import { createHash } from 'node:crypto';
import type { ActionOutput, Scalar } from '../../workflows/contract.ts';
import { endWithin } from '../output-tail.ts';
import { type Action, type ActionEnd, type ActionHost, type ActionRun, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { type JournalEntry, JournalError, type JournalQuery, type JournalRead, readJournal } from './journal.ts';

const check = argumentCheck('logs.tail');

/** The newest lines of the journal that fit, oldest of them first. */
export const logsTail: Action = {
  name: 'logs.tail',
  capped: true,
  page: {
    about: [
      "The newest lines of the journal, of this boot and earlier ones, the newest last; read for 20 seconds and 16 MiB at most. The agent's user has to be in the group systemd-journal.",
      'Bytes that are no text are not shown. What has the name or the form of a secret (`password=...`, a bearer token, a private key) is struck out, and cannot be looked for; that is a guess, and finds no secret that looks like a word.',
    ],
    facts: {
      unit: 'as asked',
      'matched, errors, shown': 'lines that fit; those of priority err and worse; those that found room in the tail',
      'scanned, complete': 'lines looked through; whether that was all of the time asked about',
      'oldest_at, newest_at': 'times of the first and the last',
    },
    rehearsal: 'the same as a run: it changes nothing.',
    example: { unit: 'web.service', since_s: 600, priority: 'warning' },
  },
  prepare(args, host) {
    const query = queryOf(check(args));
    return {
      rehearse: async (run) => (await tail(host, query, run)).output,
      run: (run) => tail(host, query, run),
      worksOn: async () => false,
    };
  },
};

function queryOf(args: Readonly<Record<string, Scalar>>): JournalQuery {
  const { unit, since_s: since, priority, contains, lines } = args;
  const text = (value: Scalar | undefined): string | null => (value === undefined ? null : String(value));
  return {
    unit: text(unit),
    sinceS: Number(since),
    priority: text(priority),
    contains: text(contains),
    lines: Number(lines),
  };
}

const MOST_MS = 20_000;

async function tail(host: ActionHost, query: JournalQuery, run: ActionRun): Promise<ActionEnd> {
  try {
    const read = await readJournal(host, query, Math.min(run.timeoutMs, MOST_MS), run.signal);
    if (read.stopped === 'cancelled')
      return {
        status: 'failed',
        code: 'cancelled',
        message: 'ended before all was read',
        output: outputOf(query, read),
      };
    return { status: 'done', output: outputOf(query, read) };
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return { status: 'failed', code: 'exit', message: error.message, output: factsOnly({}) };
  }
}

const PRIORITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];
const ERROR = 3;
const TAIL_BYTES = 4096;

function outputOf(query: JournalQuery, { entries, scanned, stopped }: JournalRead): ActionOutput {
  const lines = entries.toReversed().map(lineOf);
  const text = lines.map((line) => `${line}\n`).join('');
  const shown = wholeLines(endWithin(text, TAIL_BYTES), text);
  const facts: Record<string, Scalar> = {
    ...(query.unit === null ? {} : { unit: query.unit }),
    matched: entries.length,
    errors: entries.filter(({ priority }) => priority <= ERROR).length,
    shown: shown.split('\n').length - 1,
    scanned,
    // All there is of the time asked about was seen.
    complete: stopped === null && (query.contains !== null || entries.length < query.lines),
  };
  const [newest, oldest] = [entries[0], entries.at(-1)];
  if (newest !== undefined && oldest !== undefined) {
    facts['oldest_at'] = timeOf(oldest);
    facts['newest_at'] = timeOf(newest);
  }
  const digest = createHash('sha256').update(text).digest('base64url');
  return { facts, exitCode: null, tail: shown, digest, bytes: Buffer.byteLength(text) };
}

/** Long lines are cut, so that one does not push out all others. */
const MOST_OF_A_LINE = 500;
const lineOf = (entry: JournalEntry): string => {
  const { text } = entry;
  const cut = text.length > MOST_OF_A_LINE ? `${text.slice(0, MOST_OF_A_LINE)}...` : text;
  return `${timeOf(entry)} ${PRIORITIES[entry.priority] ?? 'info'} ${cut}`;
};

const timeOf = ({ at }: JournalEntry): string =>
  Number.isFinite(at) && at > 0 && at < 8.64e18 ? new Date(at / 1000).toISOString() : '-';

/** Without the half line that cutting at a number of bytes leaves. */
const wholeLines = (end: string, all: string): string => (end === all ? end : end.slice(end.indexOf('\n') + 1));

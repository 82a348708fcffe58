/** Reads the journal from its newest line back, within bounds of lines, bytes and time, whatever is in it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type ActionHost, CLEAN_ENVIRONMENT } from './action.ts';
import { plainLine, withoutGuessedSecrets } from './log-text.ts';

export type JournalQuery = {
  readonly unit: string | null;
  readonly sinceS: number;
  readonly priority: string | null;
  readonly contains: string | null;
  readonly lines: number;
};

export type JournalEntry = {
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly priority: number;
  /** Cleaned; on one line. */
  readonly text: string;
};

export type JournalRead = {
  /** Newest first. */
  readonly entries: readonly JournalEntry[];
  readonly scanned: number;
  /** Why reading ended before all lines of the time asked about were seen. */
  readonly stopped: 'lines' | 'bytes' | 'time' | 'cancelled' | null;
};

const MOST_BYTES = 16 * 1024 * 1024;
const FIELDS = 'MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID';

export class JournalError extends Error {}

/** @throws JournalError when journalctl cannot be run, fails, or may not read the system's journal */
export async function readJournal(
  host: ActionHost,
  query: JournalQuery,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<JournalRead> {
  const child = spawn(host.journalctl, argumentsOf(query), {
    cwd: '/',
    env: { ...CLEAN_ENVIRONMENT },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | Error | null>((resolve) => {
    child.once('error', resolve);
    child.once('close', resolve);
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, 2000)));
  let stopped: JournalRead['stopped'] = null;
  const stop = (why: NonNullable<JournalRead['stopped']>): void => {
    stopped ??= why;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => stop('time'), timeoutMs);
  const cancel = (): void => stop('cancelled');
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    if ((bytes += chunk.length) > MOST_BYTES) stop('bytes');
  });
  const entries: JournalEntry[] = [];
  let scanned = 0;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const entry = entryOf(line);
      if (entry === null) continue;
      scanned += 1;
      if (query.contains !== null && !entry.text.includes(query.contains)) continue;
      entries.push(entry);
      if (entries.length >= query.lines) stop('lines');
      if (stopped !== null) break;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cancel);
    if (stopped !== null) child.stdout.destroy();
  }
  const code = await ended;
  if (code instanceof Error)
    throw new JournalError(`${host.journalctl} could not be started (${(code as NodeJS.ErrnoException).code})`);
  if (/insufficient permissions|not seeing messages from other users/.test(said))
    throw new JournalError("this agent may not read the system's journal; put its user into the group systemd-journal");
  if (stopped === null && code !== 0) throw new JournalError(`journalctl ended with ${code}: ${plainLine(said)}`);
  return { entries, scanned, stopped };
}

function argumentsOf({ unit, sinceS, priority, contains, lines }: JournalQuery): string[] {
  return [
    '--no-pager',
    '--output=json',
    `--output-fields=${FIELDS}`,
    '--reverse',
    `--since=@${Math.floor(Date.now() / 1000) - sinceS}`,
    ...(unit === null ? [] : [`--unit=${unit}`]),
    ...(priority === null ? [] : [`--priority=${priority}`]),
    ...(contains === null ? [`--lines=${lines}`] : []),
  ];
}

/** journalctl(1): a value that is no printable text is an array of its bytes, one of more than 4 KiB null, a repeated field an array. */
function entryOf(line: string): JournalEntry | null {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (typeof fields !== 'object' || fields === null) return null;
  const message = withoutGuessedSecrets(messageOf(fields['MESSAGE']));
  const from = nameOf(fields['SYSLOG_IDENTIFIER']) ?? nameOf(fields['_COMM']) ?? '-';
  const pid = nameOf(fields['_PID']);
  const priority = Number(fields['PRIORITY'] ?? 6);
  return {
    at: Number(fields['__REALTIME_TIMESTAMP']),
    priority: Number.isInteger(priority) ? priority : 6,
    text: `${from}${pid === null ? '' : `[${pid}]`}: ${message}`,
  };
}

function messageOf(value: unknown): string {
  if (typeof value === 'string') return plainLine(value);
  if (value === null) return '[more than 4 KiB, not shown]';
  if (!Array.isArray(value)) return '';
  if (value.every((byte) => typeof byte === 'number')) return plainLine(Uint8Array.from(value));
  return value.map(messageOf).join(' | ');
}

const nameOf = (value: unknown): string | null => (typeof value === 'string' ? plainLine(value).slice(0, 64) : null);

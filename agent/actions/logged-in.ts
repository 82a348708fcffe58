/** Who is logged in: sessions that systemd-logind knows, and what utmp says where programs still write it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type ActionHost, CLEAN_ENVIRONMENT } from './action.ts';

const execFileAsync = promisify(execFile);
const TIMEOUT_MS = 10_000;

/** `where` is a terminal or another host, as far as is known. */
export type Person = { readonly user: string; readonly where: string };

/** Null when neither source can be read: then nobody knows. */
export async function loggedIn(host: ActionHost): Promise<readonly Person[] | null> {
  const [sessions, lines] = await Promise.all([
    fromLogind(host).catch(() => null),
    readFile(host.utmp)
      .then(fromUtmp)
      .catch(() => null),
  ]);
  if (sessions === null && lines === null) return null;
  const all = [...(sessions ?? []), ...(lines ?? [])];
  return [...new Map(all.map((person) => [`${person.user} ${person.where}`, person])).values()];
}

/** "2 persons (root on pts/0, anna on pts/1)". */
export function personsText(persons: readonly Person[]): string {
  const shown = persons.slice(0, 8).map(({ user, where }) => (where === '' ? user : `${user} on ${where}`));
  const more = persons.length > shown.length ? ', ...' : '';
  return `${persons.length} ${persons.length === 1 ? 'person' : 'persons'} (${shown.join(', ')}${more})`;
}

async function ask(host: ActionHost, ...args: string[]): Promise<string> {
  const options = { timeout: TIMEOUT_MS, env: { ...CLEAN_ENVIRONMENT }, cwd: '/', maxBuffer: 1024 * 1024 };
  return (await execFileAsync(host.loginctl, args, options)).stdout;
}

async function fromLogind(host: ActionHost): Promise<Person[]> {
  const listed = await ask(host, 'list-sessions', '--no-legend', '--no-pager');
  const ids = listed.split('\n').flatMap((line) => line.trim().split(/\s+/)[0] || []);
  const sessions = await Promise.all(ids.map((id) => sessionOf(host, id).catch(() => null)));
  return sessions.filter((session) => session !== null);
}

/** Null: it is nobody's, such as a greeter's or a cron job's, or it is ending. @throws when it has gone in the meantime */
async function sessionOf(host: ActionHost, id: string): Promise<Person | null> {
  const properties = ['Name', 'Class', 'State', 'TTY', 'RemoteHost'].map((name) => `--property=${name}`);
  const printed = await ask(host, 'show-session', '--no-pager', ...properties, '--', id);
  const values = new Map(
    printed.split('\n').map((line) => [line.split('=', 1)[0]!, line.slice(line.indexOf('=') + 1)]),
  );
  const isPerson = (values.get('Class') ?? 'user').startsWith('user') && values.get('State') !== 'closing';
  if (!isPerson) return null;
  return { user: plain(values.get('Name')), where: plain(values.get('TTY')) || plain(values.get('RemoteHost')) };
}

/** utmp(5): one fixed record after another; longer where the C library keeps 64-bit times in it. */
const RECORD_BYTES = process.arch === 'x64' || process.arch === 'ia32' || process.arch === 'arm' ? 384 : 400;
const USER_PROCESS = 7;

function fromUtmp(records: Buffer): Person[] {
  const persons: Person[] = [];
  for (let at = 0; at + RECORD_BYTES <= records.length; at += RECORD_BYTES) {
    const record = records.subarray(at, at + RECORD_BYTES);
    if (record.readInt16LE(0) !== USER_PROCESS || !existsSync(`/proc/${record.readInt32LE(4)}`)) continue;
    persons.push({ user: textAt(record, 44, 32), where: textAt(record, 8, 32) });
  }
  return persons;
}

const textAt = (record: Buffer, from: number, length: number): string =>
  plain(
    record
      .subarray(from, from + length)
      .toString('latin1')
      .split('\0')[0],
  );

const plain = (text = ''): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 64);

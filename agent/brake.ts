import { lstat, open } from 'node:fs/promises';
import { RefusalError } from './refusal.ts';

/**
 * The host's own off switch: while the file exists nothing new begins, whatever any coordinator signed. An empty file will do;
 * lines such as `reason: disk is being replaced`, `by:`, `at:` and `cancel: yes` say more (`fettle stop-here` writes them).
 */
export type Brake = {
  readonly reason: string | null;
  readonly by: string | null;
  /** When, as written. */
  readonly at: string | null;
  /** What is at work is to be ended too. */
  readonly cancel: boolean;
};

const MAX_BYTES = 4096;
const MAX_SHOWN = 300;

/** Null when there is no such file. A file that cannot be looked at counts as there. @throws Error when it cannot be told */
export async function readBrake(file: string): Promise<Brake | null> {
  try {
    await lstat(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  // A link, a folder or what cannot be read brakes as well as a file; it only says nothing.
  return parseBrake(await firstBytes(file).catch(() => ''));
}

export function parseBrake(text: string): Brake {
  const said = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^\s*(reason|by|at|cancel)\s*[:=]\s*(.*)$/i.exec(line) ?? [];
    if (name !== '' && !said.has(name.toLowerCase())) said.set(name.toLowerCase(), shown(value));
  }
  const cancel = /^(?:yes|true|1|on)$/i.test(said.get('cancel') ?? '') || /^\s*cancel\s*$/im.test(text);
  // Words without a name, as somebody in a hurry writes them, are the reason.
  const loose = text.split('\n').find((line) => line.trim() !== '' && !/^\s*cancel\s*$/i.test(line));
  const reason = said.size > 0 || loose === undefined ? said.get('reason') : shown(loose);
  return { reason: reason ?? null, by: said.get('by') ?? null, at: said.get('at') ?? null, cancel };
}

/** What cannot be told counts as braked, as it does where it matters. */
export const isBraked = async (file: string): Promise<boolean> =>
  readBrake(file).then(
    (brake) => brake !== null,
    () => true,
  );

/** @throws RefusalError `brake` */
export async function checkBrake(file: string): Promise<void> {
  let brake: Brake | null;
  try {
    brake = await readBrake(file);
  } catch (error) {
    throw new RefusalError('brake', `cannot tell whether the brake file ${file} exists (${codeOf(error)})`, error);
  }
  if (brake === null) return;
  const lift = `remove it (fettle stop-here --lift) to let remedies run here again`;
  throw new RefusalError('brake', `this host is braked: ${file} exists${brakeText(brake)}; ${lift}`);
}

/** `: "disk is being replaced", by ann, since 2026-11-21T19:00:00Z`; empty when the file says nothing. */
export function brakeText({ reason, by, at }: Brake): string {
  const said = [reason === null ? null : JSON.stringify(reason), by && `by ${by}`, at && `since ${at}`].filter(Boolean);
  return said.length === 0 ? '' : `: ${said.join(', ')}`;
}

/** So soon a brake that says `cancel` is seen. */
const LOOK_MS = 500;

/** Calls back, once, when the brake is there and says that what is at work must end. Returns the way to stop looking. */
export function followBrake(file: string, onCancel: (reason: string) => void): () => void {
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    const brake = await readBrake(file).catch(() => null);
    looking = false;
    if (brake?.cancel !== true) return;
    clearInterval(timer);
    onCancel(`the brake of this host was pulled${brakeText(brake)}`);
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  return () => clearInterval(timer);
}

async function firstBytes(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    if (!(await handle.stat()).isFile()) return '';
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

const shown = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_SHOWN);
const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'error';

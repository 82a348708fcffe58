import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { brakeText, readBrake } from '../agent/brake.ts';
import { brakeFileOf } from './agent-files.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import { type Io, say } from './io.ts';
import { printable } from './printable.ts';

export type StopHereFlags = {
  readonly config?: readonly string[];
  readonly reason?: string;
  readonly cancelRunning?: true;
  readonly lift?: true;
};

/** `fettle stop-here [--reason TEXT] [--cancel-running] | --lift`: this host's own brake, without any coordinator. */
export async function stopHere(io: Io, flags: StopHereFlags): Promise<ExitCode> {
  if (flags.lift === true && (flags.cancelRunning === true || flags.reason !== undefined))
    throw new CommandError(EXIT.usage, '--lift stands alone', 'fettle stop-here --lift');
  const file = await brakeFileOf(io, flags.config);
  return flags.lift === true ? lift(io, file) : pull(io, file, flags);
}

async function pull(io: Io, file: string, { reason, cancelRunning }: StopHereFlags): Promise<ExitCode> {
  const lines = [
    ...(reason === undefined ? [] : [`reason: ${reason.replaceAll(/[\p{Cc}\s]+/gu, ' ')}`]),
    `by: ${whoIs(io)}`,
    `at: ${new Date(io.now()).toISOString()}`,
    ...(cancelRunning === true ? ['cancel: yes'] : []),
  ];
  await doing(`write ${file}`, async () => {
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await replace(file, `${lines.join('\n')}\n`);
  });
  const running = cancelRunning === true ? 'what runs is being ended' : 'what runs goes on to its end';
  say(io, `braked: nothing new is done on this host from now on, and ${running}`);
  say(io, `Lift it: fettle stop-here --lift  (or: rm ${printable(file)})`);
  return EXIT.ok;
}

async function lift(io: Io, file: string): Promise<ExitCode> {
  const brake = await doing(`read ${file}`, () => readBrake(file));
  if (brake === null) {
    say(io, `not braked: there is no ${printable(file)}`);
    return EXIT.ok;
  }
  await doing(`remove ${file}`, () => unlink(file));
  say(io, `lifted${printable(brakeText(brake))}: this host takes orders again`);
  return EXIT.ok;
}

/** Whole from the first instant: a reader sees all of it or nothing. */
async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  const handle = await open(temporary, 'w', 0o644);
  try {
    await handle.writeFile(text);
    await handle.chmod(0o644);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

/** The person behind sudo, if there is one. */
function whoIs(io: Io): string {
  const { username, uid } = userInfo();
  const behind = io.env['SUDO_USER'] ?? '';
  return behind === '' || behind === username ? `${username} (uid ${uid})` : `${behind}, as ${username}`;
}

async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    const next = code === 'EACCES' || code === 'EPERM' ? 'sudo fettle stop-here' : 'touch the file yourself';
    throw new CommandError(EXIT.failed, `cannot ${what} (${code})`, next, { cause: error });
  }
}

import { buildProgram, UsageError } from './command-tree.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { Task } from './fettle-command.ts';
import { type Io, note } from './io.ts';
import { printable } from './printable.ts';

const HELP_WIDTH = 110;

/**
 * Runs one command line (without program name) and gives its exit code. Everything that goes wrong ends here as one line
 * on standard error that says what to type next; nothing is thrown.
 */
export async function runCommandLine(words: readonly string[], io: Io): Promise<ExitCode> {
  try {
    const task = parse(words, io);
    return task === null ? EXIT.ok : await task(io);
  } catch (error) {
    return report(error, io);
  }
}

function parse(words: readonly string[], io: Io): Task | null {
  const found: Task[] = [];
  const columns = Math.min(io.columns ?? HELP_WIDTH, HELP_WIDTH);
  const program = buildProgram((task) => found.push(task), { out: io.stdout.write, err: io.stderr.write, columns });
  program.parse(words, { from: 'user' });
  return found[0] ?? null;
}

function report(error: unknown, io: Io): ExitCode {
  if (error instanceof UsageError) {
    if (error.message !== '') tell(io, error.message, `${error.command} --help`);
    return error.exit;
  }
  if (io.signal.aborted) {
    note(io, 'fettle: interrupted');
    return EXIT.interrupted;
  }
  if (error instanceof CommandError) {
    tell(io, error.message, error.next);
    return error.exit;
  }
  const text = error instanceof Error ? error.message : String(error);
  tell(io, text, 'fettle doctor');
  if ((io.env['FETTLE_DEBUG'] ?? '') !== '' && error instanceof Error) note(io, error.stack ?? '');
  return EXIT.failed;
}

/** One line: what is wrong, then what to type. */
function tell(io: Io, message: string, next: string): void {
  note(io, `fettle: ${printable(message.replace(/[.;\s]+$/, ''))}; try: ${printable(next)}`);
}

/** The program. Alone in reading argv, the environment and signals, and in ending the process. */
import { runCommandLine } from './command-line.ts';
import { EXIT } from './exit-code.ts';
import type { Io, TextSink } from './io.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first signal asks the command to end, the second ends the process at once. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const name of STOP_SIGNALS) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(EXIT.interrupted);
      stop.abort(name);
    });
  }
  return stop.signal;
}

/** A reader that went away (`fettle ps | head -1`) is no error: the rest is not wanted. */
function quietWhenClosed(stream: NodeJS.WriteStream): TextSink {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed);
  });
  return { write: (text) => void stream.write(text) };
}

const io: Io = {
  stdout: quietWhenClosed(process.stdout),
  stderr: quietWhenClosed(process.stderr),
  env: process.env,
  self: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
  isTty: process.stdout.isTTY ?? false,
  columns: process.stdout.isTTY ? process.stdout.columns : null,
  now: Date.now,
  signal: stopOnSignals(),
  onHangup: (listener) => {
    process.on('SIGHUP', listener);
    return () => process.off('SIGHUP', listener);
  },
};

async function main(): Promise<void> {
  const code = await runCommandLine(process.argv.slice(2), io);
  // Idle keep-alive connections must not hold the process; what was printed goes out first.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

// Not awaited: in a package this file is CommonJS (packaging/build.ts).
void main();

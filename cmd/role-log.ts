import { type Logger, pino } from 'pino';
import type { Io } from './io.ts';
import { VERSION } from './version.ts';

/** The log of a role: one JSON object a line on standard output, on a terminal too, so that it reads the same everywhere. */
export function roleLog(io: Io, role: string, level: string): Logger {
  return pino(
    {
      level,
      base: { role, version: VERSION },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
      errorKey: 'error',
    },
    { write: (line) => io.stdout.write(line) },
  );
}

/** A log that keeps quiet, for commands that report what went wrong themselves. */
export const silentLog = (): Logger => pino({ level: 'silent' });

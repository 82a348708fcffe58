import { type LogLevel, type LogMetadata, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';

/**
 * Sets up Temporal's runtime, of which a process has one: to be called once, before any connection, by whoever owns the process.
 * Without it agents work all the same, but the fleet sees them twice as late (heartbeats every 60 s instead of 30 s).
 * Gives false when the process already has a runtime; that one stays as it is.
 */
export function installTemporalRuntime(log: Logger): boolean {
  const write = (level: LogLevel, message: string, meta?: LogMetadata): void => {
    const { error, ...rest } = meta ?? {};
    const fields = error === undefined ? rest : { ...rest, err: error };
    log[LEVELS[level]](fields, message);
  };
  try {
    Runtime.install({
      workerHeartbeatInterval: '30s',
      // The role stops on signals by itself, in its own order.
      shutdownSignals: [],
      logger: {
        log: write,
        trace: (message, meta) => write('TRACE', message, meta),
        debug: (message, meta) => write('DEBUG', message, meta),
        info: (message, meta) => write('INFO', message, meta),
        warn: (message, meta) => write('WARN', message, meta),
        error: (message, meta) => write('ERROR', message, meta),
      },
      telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
    });
    return true;
  } catch (error) {
    if ((error as Error).name === 'IllegalStateError') return false;
    throw error;
  }
}

/** Temporal's own lines are about its inner life: one step less loud here. */
const LEVELS: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn'>> = {
  TRACE: 'trace',
  DEBUG: 'trace',
  INFO: 'debug',
  WARN: 'info',
  ERROR: 'warn',
};

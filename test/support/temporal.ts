/** A real Temporal development server, set as DESIGN says a Fettle server is set, in development as in production. */
import { Connection } from '@temporalio/client';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract.ts';
import { freePort, type RunningProcess, startProcess } from './processes.ts';

/**
 * Server settings that Fettle asks for. The poll rates matter most: the default of 20 a second makes every hop between queues
 * wait up to 50 ms. Integers must be written as integers: the server refuses `1.0` for an integer key.
 */
export const TEMPORAL_SETTINGS: Readonly<Record<string, number | boolean>> = {
  'history.maxInFlightUpdates': 1000,
  'history.maxTotalUpdates': 20000,
  'history.transferProcessorMaxPollRPS': 2000,
  'history.visibilityProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxPollRPS': 2000,
  'frontend.namespaceCount': 50000,
  'frontend.namespaceRPS': 50000,
  'frontend.namespaceRPS.visibility': 1000,
  'frontend.rps': 50000,
  'matching.rps': 50000,
  'history.rps': 50000,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  'system.enableCrossNamespaceCommands': false,
};

export type TemporalOptions = {
  /** Keeps its data there, so that `restart()` finds it again; without, all is in memory and a restart begins empty. */
  readonly dbFile?: string;
  /** Default: a free one, kept over restarts. */
  readonly port?: number;
  /** Namespaces made at start, beside `default`. `fettle` and `fettle-agents` are the business of `fettle setup temporal`. */
  readonly namespaces?: readonly string[];
  /** Instead of those above; null: the server's own default. */
  readonly settings?: Readonly<Record<string, number | null>>;
  readonly onLine?: (line: string) => void;
};

export type TemporalServer = AsyncDisposable & {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly port: number;
  /** The process now running, or the one that ran last. */
  process(): RunningProcess;
  /** Stops it in order. `start()` brings it back. */
  stop(): Promise<void>;
  /** SIGKILL: what a crash of the server looks like. */
  kill(): Promise<void>;
  /** Starts it again on the same port and file, and waits until it answers. Does nothing while it runs. */
  start(): Promise<void>;
  /** `stop()` and `start()`. */
  restart(): Promise<void>;
};

/** @throws when no binary is found (run `npm run setup`) or the server does not answer within a minute. */
export async function startTemporal(options: TemporalOptions = {}): Promise<TemporalServer> {
  const port = options.port ?? (await freePort());
  const address = `127.0.0.1:${port}`;
  let running = await launch(port, options);
  const self: TemporalServer = {
    address,
    port,
    process: () => running,
    async stop() {
      await running.stop();
    },
    async kill() {
      await running.kill();
    },
    async start() {
      if (running.exit() !== null) running = await launch(port, options);
    },
    async restart() {
      await self.stop();
      await self.start();
    },
    async [Symbol.asyncDispose]() {
      await self.stop();
    },
  };
  return self;
}

async function launch(port: number, options: TemporalOptions): Promise<RunningProcess> {
  const server = startProcess(temporalArguments(port, options), {
    name: 'temporal',
    ...(options.onLine && { onLine: options.onLine }),
  });
  try {
    const address = `127.0.0.1:${port}`;
    await server.waitUntil(() => answers(address, options.namespaces ?? []), {
      what: `answer at ${address}`,
      timeoutMs: 60_000,
    });
  } catch (error) {
    await server.kill();
    throw error;
  }
  return server;
}

function temporalArguments(port: number, options: TemporalOptions): string[] {
  const flags = ['--headless', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'warn'];
  if (options.dbFile) {
    // Durable enough for a server that is killed (not for a machine that loses power), and fast.
    flags.push('--db-filename', options.dbFile);
    flags.push('--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=off');
  }
  for (const namespace of options.namespaces ?? []) flags.push('--namespace', namespace);
  for (const attribute of SEARCH_ATTRIBUTES) flags.push('--search-attribute', `${attribute}=Keyword`);
  for (const [key, value] of Object.entries({ ...TEMPORAL_SETTINGS, ...options.settings }))
    if (value !== null) flags.push('--dynamic-config-value', `${key}=${value}`);
  return [temporalBinary(), 'server', 'start-dev', ...flags];
}

/**
 * The `temporal` program: `TEMPORAL_CLI_PATH`, else what set-up put into the checkout's `.tools`, else the PATH's.
 * @throws when there is none.
 */
export function temporalBinary(): string {
  const named = process.env['TEMPORAL_CLI_PATH'];
  if (named) return named;
  const tools = path.resolve(import.meta.dirname, '../../.tools');
  const places = [path.join(tools, 'bin'), path.join(tools, 'temporal/bin'), ...(process.env['PATH'] ?? '').split(':')];
  const found = places.map((place) => path.join(place, 'temporal')).find((file) => existsSync(file));
  if (!found) throw new Error('no temporal program on the PATH or in .tools; run: npm run setup');
  return found;
}

async function answers(address: string, namespaces: readonly string[]): Promise<boolean> {
  const connection = Connection.lazy({ address, connectTimeout: 1_000 });
  try {
    await connection.withDeadline(Date.now() + 1_000, async () => {
      for (const namespace of ['default', ...namespaces]) {
        await connection.workflowService.describeNamespace({ namespace });
      }
    });
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}

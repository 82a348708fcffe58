/** A real Prometheus for tests, scraping an exporter whose metrics the test sets. Loopback, free ports, its own directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Metrics in Prometheus' text format, changed at will; `null` makes scrapes fail. */
export type Exporter = AsyncDisposable & {
  readonly port: number;
  set: (text: string | null) => void;
};

export async function startExporter(text = ''): Promise<Exporter> {
  let now: string | null = text;
  const server = createServer((_, response) => {
    if (now === null) response.writeHead(500).end();
    else response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(`${now}\n`);
  });
  const port = await listen(server);
  return {
    port,
    set: (next) => {
      now = next;
    },
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

export type TestPrometheus = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** SIGSTOP and SIGCONT: a server that accepts and never answers. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** Ends the server, keeping its port and data for `start`. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
};

export type TestPrometheusOptions = {
  /** Ports on loopback to scrape once a second as job `test`. */
  readonly scrape?: readonly number[];
  /** Groups of rules as YAML under `groups:`, evaluated once a second. */
  readonly rules?: string;
  readonly args?: readonly string[];
};

const START_MS = 30_000;
const STOP_MS = 5_000;

/** Starts `prometheus` from the PATH and waits until it answers queries. @throws with the end of its log when it doesn't. */
export async function startPrometheus(options: TestPrometheusOptions = {}): Promise<TestPrometheus> {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'fettle-prometheus-'));
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writeFile(join(directory, 'prometheus.yml'), configText(options));
  await writeFile(join(directory, 'rules.yml'), options.rules ?? 'groups: []\n');
  let running: Running | null = null;
  const start = async (): Promise<void> => {
    running ??= run(directory, port, options.args ?? []);
    await untilReady(url, running);
  };
  const stop = async (): Promise<void> => {
    const ending = running;
    running = null;
    if (ending !== null) await end(ending);
  };
  undo.defer(stop);
  await start();
  const all = undo.move();
  const signal = (name: NodeJS.Signals) => (): void => void running?.child.kill(name);
  return {
    url,
    port,
    get pid() {
      return running?.child.pid ?? -1;
    },
    freeze: signal('SIGSTOP'),
    thaw: signal('SIGCONT'),
    stop,
    start,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

type Running = { readonly child: ChildProcess; readonly log: string[]; readonly exited: Promise<void> };

function run(directory: string, port: number, args: readonly string[]): Running {
  const child = spawn(
    'prometheus',
    [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...args,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const log: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log.push(text);
    if (log.length > 50) log.shift();
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('error', (error) => {
    log.push(`cannot run prometheus: ${error.message}; install the Debian package prometheus`);
    resolve();
  });
  child.once('exit', () => resolve());
  return { child, log, exited: promise };
}

async function untilReady(url: string, running: Running): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    if (running.child.exitCode !== null || running.child.pid === undefined) break;
    const ready = await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
    await ready?.body?.cancel();
    if (ready?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await end(running);
  throw new Error(`prometheus did not become ready at ${url}:\n${running.log.join('')}`);
}

async function end({ child, exited }: Running): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return;
  // A frozen process handles no SIGTERM.
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}

function configText({ scrape = [] }: TestPrometheusOptions): string {
  const targets = scrape.map((port) => `"127.0.0.1:${port}"`).join(', ');
  const jobs =
    scrape.length === 0
      ? ' []'
      : `\n  - job_name: test\n    honor_labels: true\n    static_configs: [{ targets: [${targets}] }]`;
  return `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\nrule_files: [rules.yml]\nscrape_configs:${jobs}\n`;
}

/** A loopback port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createSocketServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  await new Promise<void>((done) => server.close(() => done()));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

async function listen(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/** A real Prometheus for tests, scraping an exporter whose metrics the test sets. Loopback, free ports, its own directory. */
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { freePort, httpAnswers, type RunningProcess, startProcess, temporaryDirectory } from './processes.ts';

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
  /** Targets with labels of their own, scraped once a second as the job named. */
  readonly targets?: readonly {
    readonly job: string;
    readonly port: number;
    readonly labels: Readonly<Record<string, string>>;
  }[];
  /** Groups of rules as YAML under `groups:`, evaluated once a second. */
  readonly rules?: string;
  readonly args?: readonly string[];
};

const STOP_MS = 5_000;

/** Starts `prometheus` from the PATH and waits until it answers queries. @throws with the end of its log when it doesn't. */
export async function startPrometheus(options: TestPrometheusOptions = {}): Promise<TestPrometheus> {
  await using undo = new AsyncDisposableStack();
  const { path: directory } = undo.use(await temporaryDirectory('fettle-prometheus-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writeFile(path.join(directory, 'prometheus.yml'), configText(options));
  await writeFile(path.join(directory, 'rules.yml'), options.rules ?? 'groups: []\n');
  let running: RunningProcess | null = null;
  const start = async (): Promise<void> => {
    running ??= run(directory, port, options.args ?? []);
    await running.waitUntil(() => httpAnswers(`${url}/-/ready`), { what: `readiness at ${url}` });
  };
  const stop = async (): Promise<void> => {
    const ending = running;
    running = null;
    if (ending !== null) await end(ending);
  };
  undo.defer(stop);
  await start();
  const all = undo.move();
  const signal = (name: NodeJS.Signals) => (): void => running?.signal(name);
  return {
    url,
    port,
    get pid() {
      return running?.pid ?? -1;
    },
    freeze: signal('SIGSTOP'),
    thaw: signal('SIGCONT'),
    stop,
    start,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function run(directory: string, port: number, args: readonly string[]): RunningProcess {
  return startProcess([
    'prometheus',
    `--config.file=${directory}/prometheus.yml`,
    `--storage.tsdb.path=${directory}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    ...args,
  ]);
}

async function end(running: RunningProcess): Promise<void> {
  // A frozen process handles no SIGTERM.
  running.signal('SIGCONT');
  await running.stop(STOP_MS);
}

/** YAML is a superset of JSON. */
function configText({ scrape = [], targets = [] }: TestPrometheusOptions): string {
  const address = (port: number): string => `127.0.0.1:${port}`;
  const jobs = targets.map(({ job, port, labels }) => ({
    job,
    honor: false,
    static: { targets: [address(port)], labels },
  }));
  if (scrape.length > 0) jobs.push({ job: 'test', honor: true, static: { targets: scrape.map(address), labels: {} } });
  return JSON.stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yml'],
    scrape_configs: jobs.map((one) => ({ job_name: one.job, honor_labels: one.honor, static_configs: [one.static] })),
  });
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

/** The demo's fleet: three agents of two node types, a web service on web-1 that can be wedged, Prometheus, a coordinator, a trigger daemon. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ApiReason } from '../../workflows/api.ts';
import { eventually, freePort, httpAnswers, runProcess } from '../support/processes.ts';
import { startPrometheus, type TestPrometheus } from '../support/prometheus.ts';
import { makeSite, type Site } from '../support/site.ts';
import { isAlive } from './alive.ts';
import type { Narrator } from './narrator.ts';

const HERE = import.meta.dirname;

export type DemoSite = AsyncDisposable & {
  readonly site: Site;
  readonly prometheus: TestPrometheus;
  /** Stops the web service in the middle of what it does, as a wedged program stops. */
  readonly wedge: () => Promise<void>;
  readonly webAnswers: () => Promise<boolean>;
  /** Decisions as the coordinator wrote them to its audit log. */
  readonly decisions: () => readonly AuditedDecision[];
  /** How many faults the trigger daemon has seen end. */
  readonly faultsOver: () => number;
};

export type AuditedDecision = { readonly decision: string; readonly workflow: string; readonly reasons?: ApiReason[] };

/** One workflow file, as an operator writes it. */
const RESTART_WEB = `
description       = "Restart the web service of a node and see it answer again"
task_queue_target = "node"

constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind   = "maxExecution"
  value  = 1
  period = "1h"
}

step "restart" {
  action  = "exec"
  args    = { command = "restart-web" }
  timeout = "30s"
}

verify {
  source  = "prometheus.main"
  query   = "up{job=\\"web\\", node=\\"\${target.node}\\"} == 1"
  for     = "1s"
  every   = "500ms"
  timeout = "30s"
}
`;

const TRIGGER = `
trigger "web-wedged" {
  source     = "prometheus.main"
  query      = "up{job=\\"web\\"} == 0"
  every      = "500ms"
  for        = "1s"
  workflow   = "restart-web"
  target     = { node = "\${labels.node}" }
  node_types = ["web"]
  valid_for  = "30s"
  gap        = "2s"
}
`;

export async function startDemoSite(tell: Narrator): Promise<DemoSite> {
  await using stack = new AsyncDisposableStack();
  const webPort = await freePort();
  const prometheus = stack.use(
    await startPrometheus({ targets: [{ job: 'web', port: webPort, labels: { node: 'web-1' } }] }),
  );
  tell.note(`Prometheus scrapes once a second        ${prometheus.url}`);
  const pidFile = path.join(import.meta.dirname, '..', '..', '.tools', `demo-web-${webPort}.pid`);
  const restart = [process.execPath, path.join(HERE, 'restart-web.ts'), String(webPort), pidFile];
  const heard = listener();
  const site = stack.use(
    await makeSite({
      onLine: heard.onLine,
      nodes: [
        { name: 'web-1', type: 'web', labels: { rack: 'r1' } },
        { name: 'web-2', type: 'web', labels: { rack: 'r2' } },
        { name: 'db-1', type: 'db', labels: { rack: 'r1' } },
      ],
      workflows: { 'restart-web': RESTART_WEB },
      triggers: TRIGGER,
      prometheus: prometheus.url,
      actions: `command "restart-web" {\n  argv    = ${JSON.stringify(restart)}\n  timeout = "20s"\n}\n`,
    }),
  );
  tell.note(`Temporal's development server           ${site.temporal.address}`);
  stack.defer(() => endWebService(pidFile));
  await beginWebService(pidFile, webPort);
  tell.note(`a web service on web-1                  http://127.0.0.1:${webPort}`);
  await site.startAll();
  tell.note(`coordinator, agents web-1 web-2 db-1, trigger daemon  ${site.address}`);
  const owned = stack.move();
  return {
    site,
    prometheus,
    wedge: async () => void process.kill(await pidOf(pidFile), 'SIGSTOP'),
    decisions: () => heard.decisions,
    faultsOver: () => heard.over(),
    webAnswers: () => httpAnswers(`http://127.0.0.1:${webPort}/`),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Reads along in the logs of coordinator and trigger daemon. */
function listener() {
  const decisions: AuditedDecision[] = [];
  let over = 0;
  const onLine = (role: string, line: string): void => {
    if (!line.startsWith('{')) return;
    const entry = JSON.parse(line) as { audit?: string; message?: string } & AuditedDecision;
    if (role === 'c1' && entry.audit === 'decision') decisions.push(entry);
    if (role === 't1' && entry.message === 'fault is over') over += 1;
  };
  return { decisions, over: () => over, onLine };
}

const pidOf = async (pidFile: string): Promise<number> => Number(await readFile(pidFile, 'utf8'));

async function beginWebService(pidFile: string, port: number): Promise<void> {
  // The restart script also starts what is not there: no process has the pid 2^30.
  await writeFile(pidFile, `${2 ** 30}\n`);
  const { code, stdout } = await runProcess([
    process.execPath,
    path.join(HERE, 'restart-web.ts'),
    String(port),
    pidFile,
  ]);
  if (code !== 0) throw new Error(`the web service did not start: ${stdout}`);
}

async function endWebService(pidFile: string): Promise<void> {
  const pid = await pidOf(pidFile).catch(() => null);
  if (pid === null) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
  await eventually(() => !isAlive(pid), { what: 'the web service to end' });
  await rm(pidFile, { force: true });
}

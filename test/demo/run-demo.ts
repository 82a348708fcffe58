/** The story of the demo, chapter by chapter. */
import type { CoordinatorClient } from '../../identity/coordinator-client.ts';
import { ApiError } from '../../identity/coordinator-client.ts';
import type { ApiDecision, ApiExecutionDetail, ApiReason } from '../../workflows/api.ts';
import { eventually } from '../support/processes.ts';
import { startDemoSite, type DemoSite } from './demo-site.ts';
import type { Narrator } from './narrator.ts';

/** Nothing in the demo takes longer; what does has failed, and the demo says so instead of waiting. */
const PATIENCE_MS = 60_000;

export type DemoReport = {
  ok: boolean;
  error?: string;
  healed?: {
    execution: string;
    outcome: string | null;
    fault_to_request_ms: number;
    request_to_action_ms: number;
    action_to_healed_ms: number;
  };
  refused?: { decision: string; reasons: ApiReason[] };
  denied?: { status: number };
  duplicates?: { asked: number; executions: number };
};

export async function runDemo({ tell, keep }: { tell: Narrator; keep: boolean }): Promise<DemoReport> {
  const report: DemoReport = { ok: false };
  try {
    tell.chapter('Starting the parts');
    await using demo = await startDemoSite(tell);
    const client = await demo.site.client();
    try {
      await faultIsHealed(demo, client, tell, report);
      await limitHolds(demo, client, tell, report);
      await strangerIsDenied(demo, tell, report);
      await twentyAreOne(client, tell, report);
    } finally {
      await client[Symbol.asyncDispose]();
    }
    report.ok =
      report.healed?.outcome === 'healed' &&
      report.refused?.decision === 'refused' &&
      report.denied?.status === 403 &&
      report.duplicates?.executions === 1;
    if (keep) await keepUp(demo, tell);
  } catch (error) {
    report.error = error instanceof Error ? error.message : String(error);
    process.stderr.write(`\nthe demo failed: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`);
  }
  tell.chapter(report.ok ? 'All of it held. Nothing is left running.' : 'The demo did not go as it should.');
  return report;
}

async function faultIsHealed(
  demo: DemoSite,
  client: CoordinatorClient,
  tell: Narrator,
  report: DemoReport,
): Promise<void> {
  tell.chapter('A fault is noticed, decided, repaired and proven healed');
  await eventually(demo.webAnswers, { what: 'the web service to answer' });
  await eventually(() => isUp(demo, 1), { what: 'Prometheus to see the web service' });
  tell.zero();
  await demo.wedge();
  const fault = Date.now();
  tell.event('fault', 'the web service on web-1 is wedged: it accepts connections and answers nothing');
  await eventually(() => isUp(demo, 0), { what: 'Prometheus to notice', everyMs: 50 });
  tell.event('alert', 'Prometheus: up{job="web", node="web-1"} is 0');
  const [execution] = await eventually(
    async () => {
      const found = await client.listExecutions({ workflow: 'restart-web' });
      return found.length > 0 ? found : null;
    },
    { what: 'an execution of restart-web', timeoutMs: 30_000, everyMs: 50 },
  );
  if (execution === undefined) throw new Error('no execution');
  for await (const line of client.executionEvents(execution.id, { signal: AbortSignal.timeout(PATIENCE_MS) })) {
    tell.event(line.event, line.message, Date.parse(line.at));
  }
  const detail = await client.getExecution(execution.id);
  report.healed = { execution: detail.id, outcome: detail.outcome, ...durations(detail, fault) };
  tell.event(
    'answers',
    (await demo.webAnswers()) ? 'the web service answers again' : 'the web service does not answer',
  );
}

function durations(detail: ApiExecutionDetail, fault: number) {
  const at = (event: string): number => {
    const line = detail.timeline.find((one) => one.event === event);
    if (line === undefined)
      throw new Error(
        `${detail.id} has no "${event}" in its timeline; it ended as ${detail.outcome}: ${detail.message}`,
      );
    return Date.parse(line.at);
  };
  return {
    fault_to_request_ms: at('admitted') - fault,
    request_to_action_ms: at('began') - at('admitted'),
    action_to_healed_ms: at('healed') - at('began'),
  };
}

async function isUp(demo: DemoSite, value: 0 | 1): Promise<boolean> {
  const query = encodeURIComponent(`up{job="web"} == ${value}`);
  const answer = await fetch(`${demo.prometheus.url}/api/v1/query?query=${query}`);
  const body = (await answer.json()) as { data: { result: unknown[] } };
  return body.data.result.length > 0;
}

async function limitHolds(
  demo: DemoSite,
  client: CoordinatorClient,
  tell: Narrator,
  report: DemoReport,
): Promise<void> {
  tell.chapter('The same fault again within the hour: the limit holds');
  // Healthy for longer than the trigger's gap, so that what comes is a new fault and not the old one flapping.
  await eventually(() => demo.faultsOver() > 0, { what: 'the fault to be over', timeoutMs: 30_000 });
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  tell.zero();
  await demo.wedge();
  tell.event('fault', 'the web service is wedged again');
  await eventually(() => isUp(demo, 0), { what: 'Prometheus to notice', everyMs: 50 });
  tell.event('alert', 'Prometheus: up{job="web", node="web-1"} is 0');
  const refusal = await eventually(
    () => demo.decisions().find((one) => one.decision === 'refused' && one.workflow === 'restart-web'),
    { what: 'the refusal', timeoutMs: 30_000, everyMs: 50 },
  );
  const reasons = refusal.reasons ?? [];
  for (const reason of reasons) {
    const free =
      reason.retry_after_s === null
        ? 'when what holds it has ended'
        : `in ${Math.round(reason.retry_after_s / 60)} min`;
    tell.event(
      'refused',
      `${reason.constraint} per ${reason.scope}: ${reason.current} of ${reason.limit} taken; free ${free}`,
    );
  }
  report.refused = { decision: refusal.decision, reasons };
  const all = await client.listExecutions({ workflow: 'restart-web' });
  tell.note(`executions of restart-web so far: ${all.length}`);
}

async function strangerIsDenied(demo: DemoSite, tell: Narrator, report: DemoReport): Promise<void> {
  tell.chapter('A caller with a valid certificate but no rule');
  const stranger = await demo.site.client('stranger');
  try {
    await stranger.request({ workflow: 'site-ping', target: { node: 'db-1' } });
    throw new Error('the stranger was let in');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    report.denied = { status: error.status };
    tell.zero();
    tell.event('denied', `${error.status} ${error.code}: ${error.message}`);
  } finally {
    await stranger[Symbol.asyncDispose]();
  }
}

async function twentyAreOne(client: CoordinatorClient, tell: Narrator, report: DemoReport): Promise<void> {
  tell.chapter('The same request, sent twenty times at once');
  tell.zero();
  const now = new Date().toISOString();
  const request = {
    workflow: 'site-ping',
    target: { node: 'db-1' },
    request_id: `demo-${now}`,
    issued_at: now,
  };
  const asked = 20;
  const decisions = await Promise.all(Array.from({ length: asked }, () => client.request(request)));
  const executions = new Set(decisions.flatMap((one: ApiDecision) => ('execution' in one ? [one.execution] : [])));
  const admitted = decisions.filter((one) => one.decision === 'admitted').length;
  tell.event(
    'decided',
    `${admitted} admitted, ${asked - admitted} duplicate; executions: ${[...executions].join(', ')}`,
  );
  const [id] = executions;
  if (id !== undefined)
    for await (const line of client.executionEvents(id, { signal: AbortSignal.timeout(PATIENCE_MS) }))
      tell.event(line.event, line.message, Date.parse(line.at));
  const ran = (await client.listExecutions({ workflow: 'site-ping', node: 'db-1' })).filter((one) =>
    executions.has(one.id),
  );
  report.duplicates = { asked, executions: ran.length };
}

async function keepUp(demo: DemoSite, tell: Narrator): Promise<void> {
  const environment = await demo.site.environment();
  tell.chapter('Everything stays up. In another terminal, in this folder:');
  for (const [name, value] of Object.entries(environment)) tell.note(`export ${name}=${value}`);
  for (const command of ['nodes', 'workflows', 'ps --all', 'status', 'run site-ping --node db-1 --watch', 'doctor'])
    tell.note(`./fettle ${command}`);
  tell.note('Ctrl-C here ends it all.');
  const stop = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());
  const alive = setInterval(() => undefined, 60_000);
  await stop.promise;
  clearInterval(alive);
}

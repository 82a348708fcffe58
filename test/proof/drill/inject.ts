/** Makes things go wrong as the plan says, and undoes each in its time. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiStopScope } from '../../../workflows/api.ts';
import { gateWorkflowId } from '../../../workflows/contract.ts';
import { eventually } from '../../support/processes.ts';
import { COORDINATORS, type DrillFleet } from './drill-fleet.ts';
import { AGENTS } from './drill-workflows.ts';
import type { Fault, FaultKind } from './fault-plan.ts';

const GATE = gateWorkflowId('main');
const nth = (names: readonly string[], which: number): string => names[which % names.length] ?? '';
const coordinator = ({ which }: Fault): string => nth(COORDINATORS, which);
const agent = ({ which }: Fault): string =>
  nth(
    AGENTS.map(({ name }) => name),
    which,
  );

type Strike = (fleet: DrillFleet, fault: Fault) => Promise<string | null>;

const STRIKES: Readonly<Record<FaultKind, Strike>> = {
  'kill-coordinator': (fleet, fault) => killed(fleet, coordinator(fault), fault.forMs),
  'kill-gate-host': async (fleet, fault) => {
    const host = await gateHost(fleet);
    return host === null ? null : killed(fleet, host, fault.forMs);
  },
  'kill-agent': (fleet, fault) => killed(fleet, agent(fault), fault.forMs),
  'kill-temporal': async ({ site: { temporal } }, fault) => {
    await temporal.kill();
    await delay(fault.forMs);
    await temporal.start();
    return 'temporal';
  },
  'stop-coordinator': (fleet, fault) => stopped(fleet, coordinator(fault), fault.forMs),
  'stop-agent': (fleet, fault) => stopped(fleet, agent(fault), fault.forMs),
  'terminate-execution': terminated,
  'cut-coordinator': (fleet, fault) => cut(fleet, coordinator(fault), fault.forMs),
  'cut-agent': (fleet, fault) => cut(fleet, agent(fault), fault.forMs),
  pause: paused,
  window: closed,
  'terminate-gate': async ({ control }) => {
    await control.workflow.getHandle(GATE).terminate('drill');
    return GATE;
  },
  'reset-gate': resetGate,
};

/** Lasts as long as the fault does. @returns what was struck, for the log; null when there was nothing to strike. */
export const inject: Strike = (fleet, fault) => STRIKES[fault.kind](fleet, fault);

async function killed(fleet: DrillFleet, name: string, ms: number): Promise<string> {
  await fleet.role(name).kill();
  await delay(ms);
  fleet.revive(name);
  return name;
}

async function stopped(fleet: DrillFleet, name: string, ms: number): Promise<string> {
  const role = fleet.role(name);
  role.signal('SIGSTOP');
  try {
    await delay(ms);
  } finally {
    role.signal('SIGCONT');
  }
  return name;
}

async function cut(fleet: DrillFleet, name: string, ms: number): Promise<string> {
  fleet.wire(name).cut(ms);
  await delay(ms);
  return name;
}

const PAUSED: readonly ApiStopScope[] = [
  { everything: true },
  { workflow: 'paced' },
  { node_type: 'spare' },
  { node: 'web-1' },
];

/** Resumed however long it takes: a drill that ends paused would prove nothing. */
async function paused({ person }: DrillFleet, { which, forMs }: Fault): Promise<string> {
  const scope = PAUSED[which % PAUSED.length] ?? { everything: true };
  const { id } = await person.pause({ scope, reason: 'drill', for_s: 60 });
  await delay(forMs);
  const lifted = (): Promise<boolean> => person.resume({ id, reason: 'drill' }).then(() => true);
  await eventually(lifted, { what: 'the pause to be lifted', timeoutMs: 60_000, everyMs: 1_000 });
  return JSON.stringify(scope);
}

async function closed({ person }: DrillFleet, { which, forMs }: Fault): Promise<string> {
  const scope = which % 2 === 0 ? { node_types: ['spare'] } : { workflows: ['single', 'paced'] };
  const until = new Date(Date.now() + forMs).toISOString();
  await person.addWindow({ scope, until, reason: 'drill' });
  await delay(forMs);
  return JSON.stringify(scope);
}

async function terminated(fleet: DrillFleet, { which }: Fault): Promise<string | null> {
  const running: string[] = [];
  const query = 'ExecutionStatus = "Running" AND WorkflowType = "runbook"';
  for await (const { workflowId } of fleet.control.workflow.list({ query })) running.push(workflowId);
  if (running.length === 0) return null;
  const id = nth(running.toSorted(), which);
  await fleet.control.workflow.getHandle(id).terminate('drill');
  return id;
}

/** Who answered the gate's last workflow task. */
async function gateHost({ control }: DrillFleet): Promise<string | null> {
  const { history } = await control.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: 'fettle',
    execution: { workflowId: GATE },
    maximumPageSize: 20,
  });
  const identity = history?.events?.find((event) => event.workflowTaskCompletedEventAttributes)
    ?.workflowTaskCompletedEventAttributes?.identity;
  const name = COORDINATORS.find((one) => identity?.includes(one) === true);
  return name ?? null;
}

/** To the end of an early workflow task: much of what the gate had decided is then behind the new run's history. */
async function resetGate({ control }: DrillFleet): Promise<string> {
  const { runId } = await control.workflow.getHandle(GATE).describe();
  const { events } = await control.workflow.getHandle(GATE, runId).fetchHistory();
  const tasks = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  const task = tasks[Math.floor(tasks.length / 2)];
  await control.workflowService.resetWorkflowExecution({
    namespace: 'fettle',
    workflowExecution: { workflowId: GATE, runId },
    workflowTaskFinishEventId: task?.eventId ?? null,
    requestId: `drill-${runId}`,
    reason: 'drill',
  });
  return GATE;
}

/** The service behind the API, made of the coordinator's parts. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AccessConfig } from '../config/coordinator.ts';
import type { ApiDecision, ApiPendingDetail, ApiStatus, ApiWorkflow } from '../workflows/api.ts';
import type { TaskQueueTarget, WorkflowDefinition } from '../workflows/contract.ts';
import { callerText, mayDo } from './access.ts';
import type { Admission } from './admission.ts';
import type { Executions } from './executions.ts';
import type { Fleet } from './fleet.ts';
import type { GateClient } from './gate/gate-client.ts';
import { gateStatus } from './gate/gate-status.ts';
import { readLimits } from './gate/limits.ts';
import { atOnce } from './journal/at-once.ts';
import { readDecisions } from './journal/decisions.ts';
import { explainWhy, type WhyParts } from './journal/why.ts';
import type { NodeService } from './nodes/node-service.ts';
import {
  ApiFailure,
  type Caller,
  type CoordinatorService,
  type PendingState,
  type WaitingRequests,
} from './service.ts';
import { createStop } from './stop/stop.ts';
import type { Temporal } from './temporal.ts';

export type ServiceParts = {
  readonly name: string;
  readonly version: string;
  readonly domain: string;
  readonly temporalAddress: string;
  readonly temporal: Temporal;
  readonly gate: GateClient;
  readonly log: Logger;
  readonly fleet: Fleet;
  readonly admission: Admission;
  readonly executions: Executions;
  readonly waiting: WaitingRequests;
  readonly nodes: NodeService;
  /** Executions that nobody admitted, as they were seen last. */
  readonly strays: () => ApiStatus['strays'];
  readonly access: () => AccessConfig;
  readonly definitions: () => readonly WorkflowDefinition[];
  readonly configStatus: () => ApiStatus['config'];
  /** What is not as safe as it could be, for `/v1/status` and the log at start. */
  readonly warnings: () => readonly string[];
  readonly workersRunning: () => boolean;
  /** Told of each cancellation of an execution: it does not go through the gate. */
  readonly onCancel?: (caller: string, execution: string, reason: string) => void;
  /** `decision` null: none was taken. */
  readonly onRequest: (workflow: string, decision: ApiDecision | null, seconds: number) => void;
};

/** So many read the gate's record at once. */
const READERS = 2;

export function createService(parts: ServiceParts): CoordinatorService {
  const { admission, executions, gate, fleet, waiting } = parts;
  const { lookAgain } = waiting;
  const workflowNames = (): string[] => parts.definitions().map((definition) => definition.name);
  const stop = createStop({ gate, fleet, access: parts.access, workflowNames, lookAgain, log: parts.log });
  const known: WhyParts = {
    temporal: parts.temporal,
    domain: parts.domain,
    execution: executions.get,
    executions: (limit) => executions.list({ limit }),
    limits: (query) => readLimits(parts, query),
  };
  const reading = atOnce(READERS);
  return {
    request: (caller, body) => measured(parts, body.workflow, () => admission.request(caller, body)),
    reportEpisode: admission.reportEpisode,
    listExecutions: executions.list,
    getExecution: executions.get,
    executionEvents: executions.events,
    cancelExecution: async (caller, id, reason) => {
      await authoriseCancel(parts, caller, id);
      const cancelled = await executions.cancel(id, reason);
      parts.onCancel?.(callerText(caller), cancelled.id, reason);
      return cancelled;
    },
    ...pendingOf(waiting),
    pause: stop.pause,
    resume: stop.resume,
    windows: stop.windows,
    addWindow: stop.addWindow,
    removeWindow: stop.removeWindow,
    limits: (query) => readLimits(parts, query),
    decisions: (filter) => reading(() => readDecisions(parts.temporal, parts.domain, filter)),
    why: (query) => reading(() => explainWhy(known, query)),
    ...parts.nodes,
    workflows: () => Promise.resolve(parts.definitions().map(toApiWorkflow)),
    status: () => status(parts),
    notReady: () => notReady(parts),
  };
}

async function measured(
  { onRequest }: ServiceParts,
  workflow: string,
  decide: () => Promise<ApiDecision>,
): Promise<ApiDecision> {
  const began = performance.now();
  let decision: ApiDecision | null = null;
  try {
    decision = await decide();
    return decision;
  } finally {
    onRequest(workflow, decision, (performance.now() - began) / 1000);
  }
}

type Pending = 'listPending' | 'getPending' | 'cancelPending' | 'approve' | 'deny';

const pendingOf = (waiting: WaitingRequests): Pick<CoordinatorService, Pending> => ({
  listPending: waiting.list,
  getPending: async (id) => pendingDetail(waiting, await waiting.get(id)),
  cancelPending: async (caller, id, reason) => pendingDetail(waiting, await waiting.cancel(caller, id, reason)),
  approve: (caller, id, { plan = null, reason = null, break_glass: breakGlass = false }) =>
    waiting.approve(caller, id, { plan, reason, breakGlass }),
  deny: waiting.deny,
});

async function pendingDetail(waiting: WaitingRequests, state: PendingState): Promise<ApiPendingDetail> {
  const request = state.open ? ((await waiting.list()).find((one) => one.pending === state.pending) ?? null) : null;
  return {
    pending: state.pending,
    state: state.open ? 'waiting' : 'ended',
    outcome: state.outcome,
    execution: state.execution,
    message: state.message ?? request?.message ?? (state.open ? 'it waits' : 'it waits no more'),
    request,
    asked: state.asked ?? null,
  };
}

async function authoriseCancel(parts: ServiceParts, caller: Caller, id: string): Promise<void> {
  const execution = await parts.executions.get(id);
  const nodeTypes = execution.node_type === null ? [] : [execution.node_type];
  const allowed = mayDo(parts.access(), caller, 'cancel', { workflow: execution.workflow, nodeTypes });
  if (!allowed.allowed) throw new ApiFailure(403, 'not_allowed', allowed.reason);
}

const targetText = (target: TaskQueueTarget): string =>
  target.kind === 'node_type' && target.type !== null ? `node_type:${target.type}` : target.kind;

const toApiWorkflow = (definition: WorkflowDefinition): ApiWorkflow => ({
  name: definition.name,
  description: definition.description,
  kind: definition.steps.length === 0 ? 'typescript' : 'runbook',
  task_queue_target: targetText(definition.taskQueueTarget),
  constraints: definition.constraints.map(({ kind, value, percent, periodMs, scope }) => ({
    kind,
    value,
    percent,
    period_s: periodMs / 1000,
    scope,
  })),
  mode: definition.mode,
  inputs: definition.inputs.map(({ name, type, required, default: fallback, description }) => ({
    name,
    type,
    required,
    default: fallback,
    description,
  })),
});

async function status(parts: ServiceParts): Promise<ApiStatus> {
  const [gate, view] = await Promise.all([gateStatus(parts.gate), parts.fleet.census()]);
  const alive = [...view.nodes.values()].flat().filter((node) => node.alive).length;
  return {
    coordinator: parts.name,
    version: parts.version,
    domain: parts.domain,
    temporal: { address: parts.temporalAddress, connected: parts.workersRunning() && gate.state !== 'unreachable' },
    gate,
    fleet: { state: view.state, alive },
    strays: parts.strays(),
    config: parts.configStatus(),
    warnings: [...parts.warnings()],
  };
}

/** While nothing polls, Temporal may be away: who asks whether this is ready does not wait for it that long, milliseconds. */
const SOON_MS = 1_000;

async function notReady(parts: ServiceParts): Promise<string | null> {
  const polling = parts.workersRunning();
  const asked = gateStatus(parts.gate);
  const gate = await (polling ? asked : Promise.race([asked, delay(SOON_MS, null, { ref: false })]));
  if (!polling && gate?.state !== 'missing') return `workers do not poll Temporal at ${parts.temporalAddress}`;
  if (gate !== null && gate.state !== 'open' && gate.state !== 'paused')
    return `the gate is ${gate.state}: ${gate.detail ?? ''}`;
  return null;
}

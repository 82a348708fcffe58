/** Executions as callers see them: listed from Visibility, told from history. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  defaultPayloadConverter,
  defineSearchAttributeKey,
  type Payload,
  type TypedSearchAttributes,
} from '@temporalio/common';
import type { ApiEvent, ApiExecution, ApiExecutionDetail } from '../workflows/api.ts';
import { formatLease, targetName, type Outcome, type SearchAttribute } from '../workflows/contract.ts';
import { PENDING_TYPE } from '../workflows/pending-request.ts';
import type { GateClient } from './gate/gate-client.ts';
import { ApiFailure, type ExecutionFilter } from './service.ts';
import { isNotFound, type Temporal } from './temporal.ts';
import { storyOf, type ActProgress, type HistoryEvent, type Story } from './timeline.ts';

const DEFAULT_LIMIT = 50;
/** How many past executions are searched for one whose number alone is given. */
const SEARCHED = 2_000;
const LOOK_EVERY_MS = 250;

export type Executions = {
  readonly list: (filter: ExecutionFilter) => Promise<ApiExecution[]>;
  readonly get: (id: string) => Promise<ApiExecutionDetail>;
  readonly events: (id: string, signal: AbortSignal) => AsyncIterable<ApiEvent>;
  readonly cancel: (id: string, reason: string) => Promise<ApiExecution>;
};

export function readExecutions(temporal: Temporal, gate: GateClient, domain: string): Executions {
  const find = (id: string): Promise<string> => fullId(temporal, gate, domain, id);
  return {
    list: (filter) => list(temporal, queryOf(domain, filter), filter.limit ?? DEFAULT_LIMIT),
    get: async (id) => detail(temporal, await find(id)),
    events: async function* (id, signal) {
      yield* follow(temporal, await find(id), signal);
    },
    cancel: async (id, reason) => {
      const full = await find(id);
      const before = await detail(temporal, full);
      if (before.state === 'closed') {
        throw new ApiFailure(
          409,
          'already_ended',
          `${full} has ended (${before.outcome ?? 'no outcome'}); there is nothing to cancel`,
        );
      }
      await temporal.call('cancel an execution', () =>
        temporal.connection.workflowService.requestCancelWorkflowExecution({
          namespace: temporal.control.options.namespace,
          workflowExecution: { workflowId: full },
          reason: reason.slice(0, 500),
          requestId: randomUUID(),
        }),
      );
      return summaryOf(before);
    },
  };
}

const summaryOf = (d: ApiExecutionDetail): ApiExecution => ({
  id: d.id,
  workflow: d.workflow,
  target: d.target,
  node: d.node,
  node_type: d.node_type,
  datacenter: d.datacenter,
  state: d.state,
  outcome: d.outcome,
  caller: d.caller,
  started_at: d.started_at,
  closed_at: d.closed_at,
});

const SAFE = /^[A-Za-z0-9._:-]{1,255}$/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function queryOf(domain: string, filter: ExecutionFilter): string {
  // What waits to become an execution is none yet.
  const clauses = [`FettleDomain = '${domain}'`, `WorkflowType != '${PENDING_TYPE}'`];
  const wanted: [string, string | undefined][] = [
    ['FettleWorkflow', filter.workflow],
    ['FettleNode', filter.node],
  ];
  for (const [attribute, value] of wanted) {
    if (value === undefined) continue;
    if (!SAFE.test(value))
      throw new ApiFailure(
        422,
        'filter',
        `${JSON.stringify(value.slice(0, 80))} names nothing: use letters, digits, . _ - :`,
      );
    clauses.push(`${attribute} = '${value}'`);
  }
  if (filter.outcome === 'running') clauses.push("ExecutionStatus = 'Running'");
  else if (filter.outcome !== undefined) {
    if (!SAFE.test(filter.outcome)) throw new ApiFailure(422, 'filter', 'outcome: write one outcome, or running');
    clauses.push(`FettleOutcome = '${filter.outcome}'`);
  }
  if (filter.since !== undefined) {
    if (!RFC3339.test(filter.since))
      throw new ApiFailure(422, 'filter', 'since: write an RFC 3339 time such as 2026-11-21T09:00:00Z');
    clauses.push(`StartTime >= '${filter.since}'`);
  }
  return clauses.join(' AND ');
}

type Info = {
  readonly workflowId: string;
  readonly status: { readonly name: string };
  readonly startTime: Date;
  readonly closeTime?: Date | undefined;
  readonly typedSearchAttributes: TypedSearchAttributes;
};

async function list(temporal: Temporal, query: string, limit: number): Promise<ApiExecution[]> {
  return temporal.call('list executions', async () => {
    const found: ApiExecution[] = [];
    for await (const info of temporal.control.workflow.list({ query, pageSize: Math.min(limit, 500) })) {
      found.push(toApi(info));
      if (found.length >= limit) break;
    }
    return found;
  });
}

const attribute = (info: Info, name: SearchAttribute): string | null =>
  info.typedSearchAttributes.get(defineSearchAttributeKey(name, 'KEYWORD')) ?? null;

function toApi(info: Info): ApiExecution {
  const [workflow = '', target = ''] = info.workflowId.split(':');
  const running = info.status.name === 'RUNNING';
  return {
    id: info.workflowId,
    workflow,
    target,
    node: attribute(info, 'FettleNode'),
    node_type: attribute(info, 'FettleNodeType'),
    datacenter: attribute(info, 'FettleDatacenter'),
    state: running ? 'running' : 'closed',
    // An execution that Temporal itself ended (terminated, timed out) never said how it went: that is a failure.
    outcome: running ? null : ((attribute(info, 'FettleOutcome') as Outcome | null) ?? 'failed'),
    caller: attribute(info, 'FettleCaller') ?? '',
    started_at: info.startTime.toISOString(),
    closed_at: info.closeTime?.toISOString() ?? null,
  };
}

async function read(temporal: Temporal, id: string): Promise<{ info: Info; story: Story }> {
  const handle = temporal.control.workflow.getHandle(id);
  try {
    return await temporal.call('read an execution', async () => {
      const [info, history] = await Promise.all([handle.describe(), handle.fetchHistory()]);
      const events = (history.events ?? []) as HistoryEvent[];
      return { info, story: storyOf(events, underWay(info.raw.pendingActivities ?? [])) };
    });
  } catch (error) {
    if (isNotFound(error)) throw unknownExecution(id);
    throw error;
  }
}

const unknownExecution = (id: string): ApiFailure =>
  new ApiFailure(
    404,
    'unknown_execution',
    `there is no execution ${JSON.stringify(id.slice(0, 120))}; list them with: fettle ps --all`,
  );

type Pending = {
  activityType?: { name?: string | null } | null;
  activityId?: string | null;
  heartbeatDetails?: { payloads?: Payload[] | null } | null;
};

/** Acts under way tell their progress with their heartbeats. */
function underWay(pending: readonly Pending[]): ActProgress[] {
  return pending.flatMap(({ activityType, heartbeatDetails }) => {
    const [payload] = heartbeatDetails?.payloads ?? [];
    if (activityType?.name !== 'act' || payload === undefined) return [];
    return [defaultPayloadConverter.fromPayload<ActProgress>(payload)];
  });
}

async function detail(temporal: Temporal, id: string): Promise<ApiExecutionDetail> {
  const { info, story } = await read(temporal, id);
  const { input, result } = story;
  if (input === null) throw unknownExecution(id);
  const { evidence } = input;
  return {
    ...toApi(info),
    target: targetName(input.plan.target),
    caller: input.caller,
    message: result?.message ?? null,
    verified: result?.verified ?? null,
    reason: input.reason,
    dry_run: input.dryRun,
    plan: input.planDigest,
    request: input.request,
    args: { ...input.plan.args },
    evidence: {
      summary: evidence.summary,
      source: evidence.source,
      observed_at: new Date(evidence.observedAt).toISOString(),
      valid_until: new Date(evidence.validUntil).toISOString(),
      labels: { ...evidence.labels },
    },
    // As the execution itself judged them; while it runs, as they were answered.
    steps: [...(result?.steps ?? story.steps)],
    timeline: [...story.timeline],
  };
}

/** Each line once, as it becomes known; ends with the execution. */
async function* follow(temporal: Temporal, id: string, signal: AbortSignal): AsyncIterable<ApiEvent> {
  const told = new Set<string>();
  while (!signal.aborted) {
    const { info, story } = await read(temporal, id);
    for (const event of story.timeline) {
      const key = JSON.stringify([event.event, event.step, event.attempt, event.at]);
      if (told.has(key)) continue;
      told.add(key);
      yield event;
    }
    if (info.status.name !== 'RUNNING') return;
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** A lease number alone names an execution: looked up among live leases, then among the latest executions. */
async function fullId(temporal: Temporal, gate: GateClient, domain: string, id: string): Promise<string> {
  if (!SAFE.test(id)) throw unknownExecution(id);
  if (id.includes(':')) return id;
  const live = await gate.leases().catch(() => []);
  const lease = live.find(({ lease: [epoch, n] }) => formatLease({ epoch, n }) === id);
  if (lease !== undefined) return `${lease.workflow}:${lease.target}:${id}`;
  const recent = await list(temporal, `FettleDomain = '${domain}'`, SEARCHED);
  const found = recent.find((execution) => execution.id.endsWith(`:${id}`));
  if (found === undefined) throw unknownExecution(id);
  return found.id;
}

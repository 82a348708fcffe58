/** Starts an execution under its own id, once: a second start of the same id is success, not a second run. */
import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { QUEUES, type ExecutionInput, type SearchAttribute } from '../workflows/contract.ts';
import { PENDING_TYPE } from '../workflows/pending-request.ts';
import { CALL_DEADLINE_MS, isNotFound, TemporalUnreachableError, type Temporal } from './temporal.ts';
import type { EagerStarter } from './workers.ts';

const pair = (name: SearchAttribute, value: string): SearchAttributePair => ({
  key: defineSearchAttributeKey(name, 'KEYWORD'),
  value: value.slice(0, 255),
});

/**
 * With a `starter` the server hands the first workflow task over with its answer, to this process.
 * @throws TemporalUnreachableError; starting again is then safe.
 */
export async function startExecution(
  temporal: Temporal,
  input: ExecutionInput,
  starter: EagerStarter | null,
): Promise<void> {
  const begin = (): Promise<unknown> => {
    if (starter === null) return startWith(temporal.control, input, false);
    return within(CALL_DEADLINE_MS, startWith(starter.client, input, true));
  };
  try {
    await temporal.call('start an execution', begin);
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return;
    throw error;
  }
}

/** The native client's own attempts outlast any deadline given to it. One that arrives late is refused by the id or ended by the fence. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new TemporalUnreachableError('no answer to the start in time')), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function startWith(client: Client, input: ExecutionInput, requestEagerStart: boolean): Promise<unknown> {
  const { definition } = input.plan;
  const type = definition.steps.length === 0 ? definition.name : 'runbook';
  return client.workflow.start(type, {
    workflowId: input.execution,
    taskQueue: QUEUES.workflows,
    args: [input],
    requestEagerStart,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowTaskTimeout: '5s',
    typedSearchAttributes: attributesOf(input),
    staticSummary: `${definition.name} for ${input.caller}`.slice(0, 200),
  });
}

/** What executions, and what waits to become one, are found by. */
export function attributesOf(
  input: Pick<ExecutionInput, 'plan' | 'caller' | 'domain' | 'request' | 'evidence'>,
): SearchAttributePair[] {
  const { target, definition } = input.plan;
  const pairs = [
    pair('FettleWorkflow', definition.name),
    pair('FettleCaller', input.caller),
    pair('FettleDomain', input.domain),
    pair('FettleRequest', input.request),
    pair('FettleTrigger', input.evidence.source),
  ];
  if (target.kind === 'node') pairs.push(pair('FettleNode', target.node));
  if (target.kind !== 'datacenter') pairs.push(pair('FettleNodeType', target.nodeType));
  if (target.datacenter !== null) pairs.push(pair('FettleDatacenter', target.datacenter));
  return pairs;
}

/** The execution that was started for this request since then, by Temporal's lists, which are a moment behind. `request` has no quotes. */
export async function executionFor(
  temporal: Temporal,
  { domain, request, caller }: Pick<ExecutionInput, 'domain' | 'request' | 'caller'>,
  since: number,
): Promise<string | null> {
  const query = `FettleDomain = '${domain}' AND FettleRequest = '${request.slice(0, 255)}' AND WorkflowType != '${PENDING_TYPE}' AND StartTime >= '${new Date(since).toISOString()}'`;
  return temporal.call('look for an execution of a request', async () => {
    for await (const info of temporal.control.workflow.list({ query, pageSize: 10 })) {
      const by = info.typedSearchAttributes.get(defineSearchAttributeKey('FettleCaller', 'KEYWORD'));
      if (by === caller.slice(0, 255)) return info.workflowId;
    }
    return null;
  });
}

export async function executionExists(temporal: Temporal, execution: string): Promise<boolean> {
  try {
    await temporal.call('look for an execution', () => temporal.control.workflow.getHandle(execution).describe());
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

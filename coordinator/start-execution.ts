/** Starts an execution under its own id, once: a second start of the same id is success, not a second run. */
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { QUEUES, type ExecutionInput, type SearchAttribute } from '../workflows/contract.ts';
import { isNotFound, type Temporal } from './temporal.ts';

const pair = (name: SearchAttribute, value: string): SearchAttributePair => ({
  key: defineSearchAttributeKey(name, 'KEYWORD'),
  value: value.slice(0, 255),
});

/** @throws TemporalUnreachableError; starting again is then safe. */
export async function startExecution(temporal: Temporal, input: ExecutionInput): Promise<void> {
  const { definition } = input.plan;
  const type = definition.steps.length === 0 ? definition.name : 'runbook';
  try {
    await temporal.call('start an execution', () =>
      temporal.control.workflow.start(type, {
        workflowId: input.execution,
        taskQueue: QUEUES.workflows,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowTaskTimeout: '5s',
        typedSearchAttributes: attributesOf(input),
        staticSummary: `${definition.name} for ${input.caller}`.slice(0, 200),
      }),
    );
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return;
    throw error;
  }
}

function attributesOf(input: ExecutionInput): SearchAttributePair[] {
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

export async function executionExists(temporal: Temporal, execution: string): Promise<boolean> {
  try {
    await temporal.call('look for an execution', () => temporal.control.workflow.getHandle(execution).describe());
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

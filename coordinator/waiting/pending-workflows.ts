/** The workflows that wait, on Temporal: started once for each request, called, cancelled, and asked what became of them. */
import { randomUUID } from 'node:crypto';
import { defineSearchAttributeKey } from '@temporalio/common';
import { QUEUES, type SearchAttribute } from '../../workflows/contract.ts';
import {
  LOOK_SIGNAL,
  PENDING_TYPE,
  type PendingInput,
  type PendingOutcome,
  type PendingRequest,
  type PendingResult,
} from '../../workflows/pending-request.ts';
import { firstInput } from '../first-input.ts';
import { attributesOf } from '../start-execution.ts';
import { isNotFound, type Temporal } from '../temporal.ts';
import { pendingOf } from './pending-id.ts';

export type PendingWorkflows = {
  /** Started already, or ended already, is success. @throws TemporalUnreachableError */
  readonly start: (input: PendingInput) => Promise<void>;
  /** Null: there never was one, or it is too long ago. */
  readonly read: (pending: string) => Promise<PendingFacts | null>;
  /** What was asked; null: it cannot be read any more. */
  readonly asked: (pending: string) => Promise<PendingRequest | null>;
  /** Has it look again now; one that has ended hears nothing. */
  readonly call: (pending: string) => Promise<void>;
  readonly cancel: (pending: string, reason: string) => Promise<void>;
  /** How it ended, when it does within `ms`. */
  readonly soon: (pending: string, ms: number) => Promise<PendingResult | null>;
};

export type PendingFacts = {
  readonly open: boolean;
  readonly workflow: string;
  readonly nodeType: string | null;
  /** Null while it is open. */
  readonly result: PendingResult | null;
};

export function pendingWorkflows(temporal: Temporal): PendingWorkflows {
  const handle = (pending: string) => temporal.control.workflow.getHandle<() => Promise<PendingResult>>(pending);
  return {
    start: (input) => start(temporal, input),
    read: (pending) => read(temporal, pending),
    asked: (pending) => readAsked(temporal, pending),
    call: (pending) =>
      unlessEnded(() => temporal.call('call a request that waits', () => handle(pending).signal(LOOK_SIGNAL))),
    cancel: (pending, reason) =>
      unlessEnded(() =>
        temporal.call('cancel a request that waits', () =>
          temporal.connection.workflowService.requestCancelWorkflowExecution({
            namespace: temporal.control.options.namespace,
            workflowExecution: { workflowId: pending },
            reason: reason.slice(0, 500),
            requestId: randomUUID(),
          }),
        ),
      ),
    soon: async (pending, ms) => {
      try {
        return await temporal.call('see how a wait ended', () => handle(pending).result(), ms);
      } catch {
        // Still open, or it cannot be told: whoever asks looks again.
        return null;
      }
    },
  };
}

async function start(temporal: Temporal, input: PendingInput): Promise<void> {
  try {
    await temporal.call('start a wait', () =>
      temporal.control.workflow.start(PENDING_TYPE, {
        workflowId: pendingOf(input.request.rq),
        taskQueue: QUEUES.workflows,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowTaskTimeout: '5s',
        typedSearchAttributes: attributesOf(input.request),
        staticSummary: `${input.request.plan.definition.name} waits for ${input.request.caller}`.slice(0, 200),
      }),
    );
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return;
    throw error;
  }
}

async function read(temporal: Temporal, pending: string): Promise<PendingFacts | null> {
  const handle = temporal.control.workflow.getHandle<() => Promise<PendingResult>>(pending);
  try {
    return await temporal.call('look at a request that waits', async () => {
      const { status, typedSearchAttributes } = await handle.describe();
      const attribute = (name: SearchAttribute): string | null =>
        typedSearchAttributes.get(defineSearchAttributeKey(name, 'KEYWORD')) ?? null;
      const open = status.name === 'RUNNING';
      const outcome = attribute('FettleOutcome') as PendingOutcome | null;
      // Ended by hand, it never said how.
      const unsaid: PendingResult = { outcome: outcome ?? 'cancelled', execution: null, message: 'ended by hand' };
      const result = open ? null : status.name === 'COMPLETED' ? await handle.result() : unsaid;
      return { open, workflow: attribute('FettleWorkflow') ?? '', nodeType: attribute('FettleNodeType'), result };
    });
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

async function readAsked(temporal: Temporal, pending: string): Promise<PendingRequest | null> {
  try {
    return (await firstInput<PendingInput>(temporal, pending))?.request ?? null;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

async function unlessEnded(tell: () => Promise<unknown>): Promise<void> {
  try {
    await tell();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

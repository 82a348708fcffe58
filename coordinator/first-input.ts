import { defaultPayloadConverter } from '@temporalio/common';
import type { Temporal } from './temporal.ts';
import type { HistoryEvent } from './timeline.ts';

/** What a workflow was really given when it was started, from the first event of its history; null when it cannot be read so. */
export async function firstInput<T>(temporal: Temporal, workflowId: string, runId = ''): Promise<T | null> {
  const { history } = await temporal.call('read how a workflow began', () =>
    temporal.connection.workflowService.getWorkflowExecutionHistory({
      namespace: temporal.control.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    }),
  );
  const [first] = (history?.events ?? []) as readonly HistoryEvent[];
  const [payload] = first?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  return payload === undefined ? null : defaultPayloadConverter.fromPayload<T>(payload);
}

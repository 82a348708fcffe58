/** Workers that serve a gate and nothing else: acts fail, and the sweep finds nothing. */
import { Context } from '@temporalio/activity';
import { pino } from 'pino';
import type { TemporalConfig } from '../../config/connections.ts';
import { superviseWorkers, type Workers } from '../../coordinator/workers.ts';
import { loadWorkflowBundle } from '../../coordinator/workflow-bundle.ts';

export async function startGateWorkers(temporal: TemporalConfig, name = 'c1'): Promise<Workers> {
  return superviseWorkers({
    temporal,
    name,
    bundle: await loadWorkflowBundle(),
    gateActivities: { runId: () => Promise.resolve(Context.current().info.workflowExecution?.runId ?? '') },
    actActivities: { act: () => Promise.reject(new Error('not here')) },
    controlActivities: { sweep: () => Promise.resolve([]) },
    log: pino({ level: 'silent' }),
  });
}

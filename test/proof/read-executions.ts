/** Executions of a domain from their own histories: what they were told to do, when the server started and closed them, what each act said. */
import type { Client } from '@temporalio/client';
import { shortDigestOf } from '../../coordinator/digest.ts';
import { targetName, type ExecutionInput, type StepRecord } from '../../workflows/contract.ts';
import { eventsOf, firstOf, mapSome, timeOf, type HistoryEvent } from './history.ts';
import type { ExecutionFact, StepFact } from './record.ts';

/** Workflows of the control namespace that are no executions. */
const OTHERS: ReadonlySet<string> = new Set(['gate', 'pending', 'node-record']);
const AT_ONCE = 4;

/** Everything in the control namespace that is neither gate nor waits, so that what was started by hand is found too. */
export async function readExecutions(control: Client, domain: string, since: number): Promise<ExecutionFact[]> {
  const listed: { id: string; run: string; type: string; status: string; started: number; closed: number | null }[] =
    [];
  for await (const one of control.workflow.list()) {
    if (OTHERS.has(one.type)) continue;
    const closed = one.closeTime === undefined ? null : one.closeTime.getTime();
    if (closed !== null && closed < since) continue;
    const { workflowId: id, runId: run, type } = one;
    listed.push({ id, run, type, status: one.status.name, started: one.startTime.getTime(), closed });
  }
  const read = await mapSome(listed, AT_ONCE, async (one) => {
    const events = await eventsOf(control, one.id, one.run);
    const input = firstOf(events[0]?.workflowExecutionStartedEventAttributes?.input);
    const ours = inputOf(input);
    if (ours !== null && (input as ExecutionInput).domain !== domain) return [];
    return [{ ...one, started: timeOf(events[0]?.eventTime), input: ours, steps: stepsOf(events) }];
  });
  return read.flat();
}

/** Null: it is none of ours. */
function inputOf(value: unknown): ExecutionFact['input'] {
  const input = value as Partial<ExecutionInput> | null | undefined;
  if (typeof input !== 'object' || input === null || input.lease === undefined || input.plan === undefined) return null;
  const { plan, lease, planDigest = '', dryRun = false } = input;
  const { mark } = plan.args;
  return {
    lease: [lease.epoch, lease.n],
    workflow: plan.definition.name,
    target: targetName(plan.target),
    planDigest,
    planIs: shortDigestOf(plan),
    dry: dryRun,
    mark: typeof mark === 'string' ? mark : null,
  };
}

function stepsOf(events: readonly HistoryEvent[]): StepFact[] {
  const acts = new Set<string>();
  return events.flatMap((event) => {
    if (event.activityTaskScheduledEventAttributes?.activityType?.name === 'act') acts.add(String(event.eventId));
    const completed = event.activityTaskCompletedEventAttributes;
    if (!completed || !acts.has(String(completed.scheduledEventId))) return [];
    const { step, attempt, node, permittedAt, began, ended, result } = firstOf(completed.result) as StepRecord;
    return [{ step, attempt, node, permittedAt, began, ended, status: result.status }];
  });
}

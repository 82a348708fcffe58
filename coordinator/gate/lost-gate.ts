/**
 * What becomes of a gate that was terminated or reset (docs/protocol.md §9.2): its history is read, and a new run begins with what it had
 * answered. Where it cannot be read, the new run stays closed until a person adopts it.
 */
import { gateWorkflowId } from '../../workflows/contract.ts';
import type { GateInput, TakenOver } from '../../workflows/gate.ts';
import { Folder, type Recorded } from '../../workflows/gate/fold.ts';
import type { SweepFinding } from '../../workflows/gate/leases.ts';
import type { Batch, BatchAnswer } from '../../workflows/gate/operations.ts';
import { fromSnapshot, toSnapshot } from '../../workflows/gate/snapshot.ts';
import { emptyState, type GateState } from '../../workflows/gate/state.ts';
import { errorMessage } from '../../identity/error-message.ts';
import { isNotFound, isUnreachable, type Temporal } from '../temporal.ts';
import type { HistoryEvent } from './history-event.ts';
import { readPayload } from './large-payload.ts';
import { timeOf } from '../timestamp.ts';

/** A page of history may be 4 MB. */
const READ_MS = 20_000;
/** Runs that lead from one to the next; more is a circle. */
const MAX_STEPS = 100;

class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

/** The activity behind `takeOver`. @throws while Temporal is away, so that it is tried again. */
export const createTakeOver =
  (temporal: Temporal) =>
  async ({ domain, predecessor }: { domain: string; predecessor: string }): Promise<TakenOver> => {
    try {
      return { snapshot: toSnapshot(await foldRun(temporal, domain, predecessor)) };
    } catch (error) {
      if (isUnreachable(error)) throw error;
      if (error instanceof UnreadableError) return { unreadable: error.message };
      if (isNotFound(error)) return { unreadable: `run ${predecessor} is no longer there` };
      return { unreadable: errorMessage(error).slice(0, 200) };
    }
  };

async function foldRun(temporal: Temporal, domain: string, run: string): Promise<GateState> {
  const events = await historyOf(temporal, domain, run);
  const folder = new Folder(baseOf(domain, run, events));
  for (const entry of recordedIn(events)) folder.add(entry);
  return folder.finish();
}

/** What the run began with: nothing, its predecessor's snapshot, or what it had taken over itself. */
function baseOf(domain: string, run: string, events: readonly HistoryEvent[]): GateState {
  const payload = events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  if (payload === undefined) throw new UnreadableError(`run ${run} has no input`);
  const input = readPayload<GateInput>(payload);
  if ('snapshot' in input) return fromSnapshot(input.snapshot);
  if ('fresh' in input) return emptyState(domain);
  const [taken] = resultsOf<TakenOver>(events, 'takeOver');
  if (taken === undefined) throw new UnreadableError(`run ${run} ended before it had taken over`);
  if ('snapshot' in taken.value) return fromSnapshot(taken.value.snapshot);
  throw new UnreadableError(taken.value.unreadable);
}

/** In the order in which they were decided. */
function* recordedIn(events: readonly HistoryEvent[]): Generator<Recorded> {
  const asked = new Map<string, Batch>();
  const sweeps = new Map(resultsOf<readonly SweepFinding[]>(events, 'sweep').map((one) => [one.event, one]));
  for (const event of events) {
    const accepted = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
    const payload = accepted?.input?.args?.payloads?.[0];
    if (payload !== undefined) asked.set(accepted?.meta?.updateId ?? '', readPayload<Batch>(payload));
    const completed = event.workflowExecutionUpdateCompletedEventAttributes;
    const answer = completed?.outcome?.success?.payloads?.[0];
    const batch = asked.get(completed?.meta?.updateId ?? '');
    if (answer !== undefined && batch !== undefined) {
      const given = readPayload<BatchAnswer>(answer);
      if (given.status === 'ok') yield { kind: 'batch', now: given.now, ops: batch.ops, answers: given.answers };
    }
    const swept = sweeps.get(event);
    if (swept !== undefined) yield { kind: 'sweep', now: timeOf(event.eventTime), findings: swept.value };
  }
}

/** Results of the run's activities of one type, with the events that hold them. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what the activity returns
function resultsOf<T>(
  events: readonly HistoryEvent[],
  type: string,
): { readonly event: HistoryEvent; readonly value: T }[] {
  const scheduled = new Set<string>();
  const results: { event: HistoryEvent; value: T }[] = [];
  for (const event of events) {
    if (event.activityTaskScheduledEventAttributes?.activityType?.name === type)
      scheduled.add(String(event.eventId ?? ''));
    const completed = event.activityTaskCompletedEventAttributes;
    const payload = completed?.result?.payloads?.[0];
    if (payload === undefined || !scheduled.has(String(completed?.scheduledEventId ?? ''))) continue;
    results.push({ event, value: readPayload<T>(payload) });
  }
  return results;
}

async function historyOf(temporal: Temporal, domain: string, run: string): Promise<readonly HistoryEvent[]> {
  const handle = temporal.control.workflow.getHandle(gateWorkflowId(domain), run);
  const history = await temporal.call('read the history of a gate', () => handle.fetchHistory(), READ_MS);
  return history.events ?? [];
}

/**
 * The run whose answers count: the latest that was not copied by a reset. Visibility may know a run late; a gate that then knows less
 * than a coordinator has seen closes itself (§9.3).
 */
export async function lostRun(temporal: Temporal, domain: string): Promise<string> {
  const id = gateWorkflowId(domain);
  const described = await temporal.call('describe the gate', () => temporal.control.workflow.getHandle(id).describe());
  const runs = new Map([[described.runId, described.startTime.getTime()]]);
  await temporal.call('list runs of the gate', async () => {
    let left = MAX_STEPS;
    for await (const info of temporal.control.workflow.list({ query: `WorkflowId = '${id}'`, pageSize: MAX_STEPS })) {
      runs.set(info.runId, info.startTime.getTime());
      if ((left -= 1) === 0) break;
    }
  });
  const latestFirst = [...runs].toSorted((a, b) => b[1] - a[1]).map(([run]) => run);
  for (const run of latestFirst) {
    const copied = await copiedFrom(temporal, domain, run);
    if (copied === null) return followOn(temporal, domain, run);
  }
  return followOn(temporal, domain, (await copiedFrom(temporal, domain, described.runId)) ?? described.runId);
}

/** The run that a reset copied this one from; null: it was not. */
export async function copiedFrom(temporal: Temporal, domain: string, run: string): Promise<string | null> {
  const started = await firstEvent(temporal, domain, run);
  const original = started?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? run;
  return original === run || original === '' ? null : original;
}

/** A run that went on in another one is not the last. */
async function followOn(temporal: Temporal, domain: string, from: string): Promise<string> {
  let run = from;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const last = await lastEvent(temporal, domain, run);
    const next = last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    if (next === undefined || next === null || next === '') return run;
    run = next;
  }
  throw new UnreadableError('runs of the gate lead in a circle');
}

async function firstEvent(temporal: Temporal, domain: string, run: string): Promise<HistoryEvent | undefined> {
  const page = await temporal.call('read the beginning of a gate', () =>
    temporal.connection.workflowService.getWorkflowExecutionHistory(oneOf(temporal, domain, run)),
  );
  return page.history?.events?.[0];
}

async function lastEvent(temporal: Temporal, domain: string, run: string): Promise<HistoryEvent | undefined> {
  const page = await temporal.call('read the end of a gate', () =>
    temporal.connection.workflowService.getWorkflowExecutionHistoryReverse(oneOf(temporal, domain, run)),
  );
  return page.history?.events?.[0];
}

const oneOf = (temporal: Temporal, domain: string, runId: string) => ({
  namespace: temporal.control.options.namespace,
  execution: { workflowId: gateWorkflowId(domain), runId },
  maximumPageSize: 1,
});

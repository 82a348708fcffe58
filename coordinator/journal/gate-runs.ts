/**
 * The runs of a gate as Temporal keeps them, newest first, each read forwards page by page: a run may hold thousands of operations, and a
 * gate many runs, so no more than a page is in memory here.
 */
import type { Payload } from '@temporalio/common';
import { gateWorkflowId } from '../../workflows/contract.ts';
import type { GateInput } from '../../workflows/gate.ts';
import type { Answer, Batch, BatchAnswer, Operation } from '../../workflows/gate/operations.ts';
import type { Snapshot } from '../../workflows/gate/snapshot.ts';
import type { HistoryEvent } from '../gate/history-event.ts';
import { readPayload } from '../gate/large-payload.ts';
import { isNotFound, type Temporal } from '../temporal.ts';
import { timeOf } from '../timestamp.ts';

const PAGE_EVENTS = 100;

/** One operation and its answer, and where in the record they stand. */
export type Entry = {
  /** The gate's clock. */
  readonly at: number;
  readonly run: string;
  readonly event: number;
  readonly index: number;
  readonly op: Operation;
  readonly answer: Answer;
  /** Which coordinator asked. */
  readonly from: string;
};

export type GateRun = {
  readonly id: string;
  readonly startedAt: number;
  /** What was carried into it; null when it was given nothing. */
  readonly snapshot: Snapshot | null;
  /** The run before it; null: it began afresh. */
  readonly previous: string | null;
  /** Which run began the series that it is of. */
  readonly first: string;
  readonly entries: () => AsyncGenerator<Entry>;
};

/** @throws Error of Temporal when there is no gate */
export async function latestRun(temporal: Temporal, domain: string): Promise<string> {
  const handle = temporal.control.workflow.getHandle(gateWorkflowId(domain));
  return (await temporal.call('look for the gate', () => handle.describe())).runId;
}

/** Null: the server does not keep that run any more. */
export async function openRun(temporal: Temporal, domain: string, id: string): Promise<GateRun | null> {
  const first = await readPage(temporal, domain, id, 1).catch((error: unknown) => {
    if (isNotFound(error)) return null;
    throw error;
  });
  const [event] = first?.events ?? [];
  const started = event?.workflowExecutionStartedEventAttributes;
  if (event === undefined || started === undefined || started === null) return null;
  const copied = text(started.originalExecutionRunId);
  if (copied !== null && copied !== id) return copyOf(id, copied, timeOf(event.eventTime));
  const input = inputOf(decode<GateInput>(started.input?.payloads?.[0]));
  return {
    id,
    startedAt: timeOf(event.eventTime),
    snapshot: input.predecessor === null ? input.snapshot : await takenOver(temporal, domain, id),
    previous: text(started.continuedExecutionRunId) ?? input.predecessor,
    first: text(started.firstExecutionRunId) ?? id,
    entries: () => entriesOf(temporal, domain, id),
  };
}

/** What a reset made: it holds a copy of another run's answers and gave none that count. */
const copyOf = (id: string, previous: string, startedAt: number): GateRun => ({
  id,
  startedAt,
  snapshot: null,
  previous,
  first: id,
  entries: async function* () {},
});

/** A run that took over from a lost one was told by an activity, at its beginning, what that one had come to. */
async function takenOver(temporal: Temporal, domain: string, id: string): Promise<Snapshot | null> {
  const { events } = await readPage(temporal, domain, id, PAGE_EVENTS);
  for (const { activityTaskCompletedEventAttributes: completed } of events) {
    const result = decode<{ snapshot?: Snapshot }>(completed?.result?.payloads?.[0]);
    if (result?.snapshot !== undefined) return result.snapshot;
  }
  return null;
}

const text = (value: string | null | undefined): string | null => (value === '' ? null : (value ?? null));

/** A run is given its state, or the name of a lost run to take over from, or nothing. */
function inputOf(input: unknown): { snapshot: Snapshot | null; predecessor: string | null } {
  const { snapshot, predecessor } = (input ?? {}) as { snapshot?: Snapshot; predecessor?: unknown };
  return { snapshot: snapshot ?? null, predecessor: typeof predecessor === 'string' ? predecessor : null };
}

type Page = { readonly events: readonly HistoryEvent[]; readonly next: Uint8Array | null };

async function readPage(
  temporal: Temporal,
  domain: string,
  runId: string,
  maximumPageSize: number,
  nextPageToken?: Uint8Array,
): Promise<Page> {
  const answer = await temporal.call('read the record of the gate', () =>
    temporal.connection.workflowService.getWorkflowExecutionHistory({
      namespace: temporal.control.options.namespace,
      execution: { workflowId: gateWorkflowId(domain), runId },
      maximumPageSize,
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    }),
  );
  const next = answer.nextPageToken;
  return { events: answer.history?.events ?? [], next: next === undefined || next.length === 0 ? null : next };
}

async function* entriesOf(temporal: Temporal, domain: string, run: string): AsyncGenerator<Entry> {
  // Accepted and not yet completed: as many as coordinators have in flight.
  const asked = new Map<string, { readonly batch: Batch; readonly event: number }>();
  for (let token: Uint8Array | undefined; ;) {
    const page: Page = await readPage(temporal, domain, run, PAGE_EVENTS, token);
    for (const event of page.events) yield* answered(run, event, asked);
    if (page.next === null) return;
    token = page.next;
  }
}

function* answered(
  run: string,
  event: HistoryEvent,
  asked: Map<string, { readonly batch: Batch; readonly event: number }>,
): Generator<Entry> {
  const request = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
  if (request !== undefined && request !== null) {
    const batch = decode<Batch>(request.input?.args?.payloads?.[0]);
    if (batch !== null) asked.set(request.meta?.updateId ?? '', { batch, event: Number(event.eventId?.toString()) });
  }
  const completed = event.workflowExecutionUpdateCompletedEventAttributes;
  if (completed === undefined || completed === null) return;
  const id = completed.meta?.updateId ?? '';
  const known = asked.get(id);
  const answer = decode<BatchAnswer>(completed.outcome?.success?.payloads?.[0]);
  asked.delete(id);
  if (known === undefined || answer?.status !== 'ok') return;
  for (const [index, op] of known.batch.ops.entries()) {
    const given = answer.answers[index];
    if (given !== undefined)
      yield { at: answer.now, run, event: known.event, index, op, answer: given, from: known.batch.from };
  }
}

/** What the gate itself wrote. A record that cannot be read is left out rather than ending the whole reading. */
// The gate itself wrote what is read as T.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
function decode<T>(payload: Payload | null | undefined): T | null {
  if (payload === undefined || payload === null) return null;
  try {
    return readPayload<T>(payload);
  } catch {
    return null;
  }
}

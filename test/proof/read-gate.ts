/**
 * The gate's journal from its histories: all runs that continued one another, all that took over from a lost one, and those that a reset
 * left behind, in the order in which the server recorded them. What a reset copied is told once.
 */
import type { Client } from '@temporalio/client';
import { eventsOf, firstOf, timeOf, type HistoryEvent } from './history.ts';
import type { AskedOp, Given, JournalEntry, LeaseRef } from './record.ts';

export type Journal = { readonly entries: readonly JournalEntry[]; readonly whole: boolean; readonly runs: number };

type Placed = { readonly recorded: number; readonly run: number; readonly event: number; readonly entry: JournalEntry };
type Run = {
  readonly id: string;
  readonly events: readonly HistoryEvent[];
  readonly before: string | null;
  /** A reset began it with a part of another run's history. */
  readonly copy: boolean;
};

export async function readJournal(control: Client, gateId: string): Promise<Journal> {
  const runs = await readRuns(control, gateId);
  const seen = new Set<string>();
  const placed = runs.flatMap((run, index) => entriesOf(run, index, seen));
  placed.sort((a, b) => a.recorded - b.recorded || a.run - b.run || a.event - b.event);
  return {
    entries: placed.map(({ entry }) => entry),
    whole: runs.length > 0 && runs.every((run) => run.before === null || runs.some(({ id }) => id === run.before)),
    runs: runs.length,
  };
}

/** Oldest first. The chain of runs is followed from the latest; the list knows of those that nothing leads to. */
async function readRuns(control: Client, gateId: string): Promise<Run[]> {
  const { runId } = await control.workflow.getHandle(gateId).describe();
  const wanted = [runId];
  for await (const listed of control.workflow.list({ query: `WorkflowId = "${gateId}"` })) wanted.push(listed.runId);
  const runs = new Map<string, Run>();
  for (let id = wanted.shift(); id !== undefined; id = wanted.shift()) {
    if (runs.has(id)) continue;
    const run = await readRun(control, gateId, id);
    if (run === null) continue;
    runs.set(id, run);
    if (run.before !== null) wanted.push(run.before);
  }
  return [...runs.values()].toSorted((a, b) => beginOf(a) - beginOf(b));
}

const beginOf = ({ events }: Run): number => timeOf(events[0]?.eventTime);

/** Null: it is not kept any more. */
async function readRun(control: Client, gateId: string, id: string): Promise<Run | null> {
  const events = await eventsOf(control, gateId, id).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return null;
    throw error;
  });
  if (events === null) return null;
  const began = events[0]?.workflowExecutionStartedEventAttributes;
  const input = firstOf(began?.input);
  const continued = began?.continuedExecutionRunId ?? '';
  const predecessor = isRecord(input) && typeof input['predecessor'] === 'string' ? input['predecessor'] : null;
  const original = began?.originalExecutionRunId ?? '';
  return { id, events, before: continued === '' ? predecessor : continued, copy: original !== '' && original !== id };
}

type Batch = { readonly from: string; readonly ops: readonly AskedOp[] };
type Asked = { readonly batch: Batch; readonly recorded: number; readonly event: number };

function entriesOf(run: Run, index: number, seen: Set<string>): Placed[] {
  const asked = new Map<string, Asked>();
  const sweeps = new Set<string>();
  const reapplied = new Map<string, unknown>();
  const placed: Placed[] = [];
  for (const event of run.events) {
    const recorded = timeOf(event.eventTime);
    const number = Number(event.eventId);
    const accepted = event.workflowExecutionUpdateAcceptedEventAttributes;
    const completed = event.workflowExecutionUpdateCompletedEventAttributes;
    const ended = event.activityTaskCompletedEventAttributes;
    const scheduled = event.activityTaskScheduledEventAttributes;
    // A run that a reset began decides nothing any more, so that its sweeps end nothing either.
    if (scheduled?.activityType?.name === 'sweep' && !run.copy) sweeps.add(String(event.eventId));
    const admitted = event.workflowExecutionUpdateAdmittedEventAttributes;
    if (admitted) reapplied.set(admitted.request?.meta?.updateId ?? '', firstOf(admitted.request?.input?.args));
    const copied = `${number} ${recorded}`;
    if (seen.has(copied)) continue;
    if (accepted) {
      const update = accepted.acceptedRequest?.meta?.updateId ?? accepted.protocolInstanceId ?? '';
      // A reset puts Updates of the former run to the new one: then the question stands in an event of its own.
      const question = firstOf(accepted.acceptedRequest?.input?.args) ?? reapplied.get(update);
      asked.set(update, { batch: batchOf(question), recorded, event: number });
    } else if (completed) {
      const update = completed.meta?.updateId ?? '';
      const question = asked.get(update);
      asked.delete(update);
      if (question !== undefined) placed.push(...exchanges(run, index, question, firstOf(completed.outcome?.success)));
    } else if (ended && sweeps.has(String(ended.scheduledEventId))) {
      placed.push(...findings(run, index, number, recorded, firstOf(ended.result)));
    } else continue;
    seen.add(copied);
  }
  const unanswered = [...asked.values()].flatMap((question) => exchanges(run, index, question, null));
  return [...placed, ...unanswered];
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** @throws when the gate's history holds something that is no batch: then nothing can be said. */
function batchOf(value: unknown): Batch {
  if (!isRecord(value) || !Array.isArray(value['ops'])) throw new Error('an Update of the gate without operations');
  return { from: String(value['from']), ops: value['ops'] as AskedOp[] };
}

/** A batch that was not read (`clock_skew`, `opening`, an error) decided nothing and is no part of the journal. */
function exchanges(run: Run, index: number, question: Asked, answer: unknown): Placed[] {
  const { batch, recorded, event } = question;
  const read = isRecord(answer) && answer['status'] === 'ok' && Array.isArray(answer['answers']);
  if (answer !== null && !read) return [];
  const answers = read ? (answer['answers'] as (Given | undefined)[]) : [];
  const at = read ? Number(answer['now']) : recorded;
  return batch.ops.map((op, place) => {
    const entry: JournalEntry = {
      kind: 'exchange',
      at,
      run: run.id,
      from: batch.from,
      op,
      given: answers[place] ?? null,
    };
    return { recorded, run: index, event, entry };
  });
}

function findings(run: Run, index: number, event: number, recorded: number, result: unknown): Placed[] {
  if (!Array.isArray(result)) return [];
  return (result as { lease: LeaseRef; execution: string }[]).map(({ lease, execution }) => ({
    recorded,
    run: index,
    event,
    entry: { kind: 'sweep', at: Math.floor(recorded), run: run.id, lease, execution },
  }));
}

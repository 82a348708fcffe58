/**
 * What a gate's history says it was asked and answered: read from Temporal's own record of Updates, without any of the gate's code,
 * so that it can be checked against what the gate promises.
 */
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';

export type JournalEntry = {
  /** When the server recorded the decision, milliseconds since the epoch. */
  readonly at: number;
  readonly id: string;
  readonly op: string;
  readonly workflow: string;
  readonly node: string | null;
  readonly answer: string;
  /** `epoch-n` of what was admitted, or was already, or what the operation was about. */
  readonly lease: string | null;
  /** It was answered before; nothing was decided. */
  readonly known: boolean;
};

/** Every operation that the gate answered, over all its runs, in the order of their histories. */
export async function readJournal(control: Client, gateId: string): Promise<JournalEntry[]> {
  const journal: JournalEntry[] = [];
  for (let run: string | undefined; run !== '';) {
    const { events } = await control.workflow.getHandle(gateId, run).fetchHistory();
    journal.unshift(...answered(events ?? []));
    run = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? '';
  }
  return journal;
}

type Events = NonNullable<Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']>;

function answered(events: Events): JournalEntry[] {
  const asked = new Map<string, { ops: readonly Asked[]; at: number }>();
  const journal: JournalEntry[] = [];
  for (const event of events) {
    const accepted = event.workflowExecutionUpdateAcceptedEventAttributes;
    const completed = event.workflowExecutionUpdateCompletedEventAttributes;
    if (accepted) {
      const payload = accepted.acceptedRequest?.input?.args?.payloads?.[0];
      if (payload === undefined) throw new Error('an Update without arguments');
      const { ops } = defaultPayloadConverter.fromPayload<{ ops: Asked[] }>(payload);
      asked.set(accepted.acceptedRequest?.meta?.updateId ?? '', { ops, at: Number(event.eventTime?.seconds) * 1_000 });
    }
    if (completed) {
      const batch = asked.get(completed.meta?.updateId ?? '');
      const payload = completed.outcome?.success?.payloads?.[0];
      if (batch === undefined || payload === undefined) continue;
      const { answers = [] } = defaultPayloadConverter.fromPayload<{ answers?: Answered[] }>(payload);
      journal.push(...answers.map((answer, index) => entryOf(batch.ops[index], answer, batch.at)));
    }
  }
  return journal;
}

type Lease = readonly [number, number];
type Asked = {
  readonly op: string;
  readonly id: string;
  readonly w?: string;
  readonly t?: { readonly n?: string };
  readonly l?: Lease;
};
type Answered = { readonly a: string; readonly l?: Lease; readonly known?: boolean };

function entryOf(asked: Asked | undefined, answer: Answered, at: number): JournalEntry {
  if (asked === undefined) throw new Error('an answer without its question');
  return {
    at,
    id: asked.id,
    op: asked.op,
    workflow: asked.w ?? '',
    node: asked.t?.n ?? null,
    answer: answer.a,
    lease: (answer.l ?? asked.l)?.join('-') ?? null,
    known: answer.known === true,
  };
}

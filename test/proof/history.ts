/** Pieces of Temporal's histories as plain values. */
import { gunzipSync } from 'node:zlib';
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';

export type HistoryEvent = NonNullable<
  NonNullable<Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']>[number]
>;

type ProtoTime = { readonly seconds?: unknown; readonly nanos?: number | null } | null | undefined;

/** Milliseconds since the epoch, with what the server has below them. */
export const timeOf = (time: ProtoTime): number => Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1e6;

type ProtoPayloads = { readonly payloads?: Payload[] | null } | null | undefined;

/** The first value of a list of payloads; undefined when there is none. What it is, is for the reader to judge. */
export function firstOf(payloads: ProtoPayloads): unknown {
  const payload = payloads?.payloads?.[0];
  return payload === undefined ? undefined : defaultPayloadConverter.fromPayload(unpacked(payload));
}

/** What is large goes compressed, with its former encoding beside it. */
function unpacked(payload: Payload): Payload {
  const { metadata, data } = payload;
  if (Buffer.from(metadata?.['encoding'] ?? []).toString() !== 'binary/gzip') return payload;
  const encoding = metadata?.['inner'] ?? Buffer.from('json/plain');
  return { metadata: { encoding }, data: gunzipSync(data ?? new Uint8Array()) };
}

/** @throws when there is no such run. */
export async function eventsOf(control: Client, workflowId: string, runId: string): Promise<HistoryEvent[]> {
  const { events } = await control.workflow.getHandle(workflowId, runId).fetchHistory();
  return events ?? [];
}

/** Maps with at most `most` under way, in order. */
export async function mapSome<T, R>(items: readonly T[], most: number, map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await map(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  return results;
}

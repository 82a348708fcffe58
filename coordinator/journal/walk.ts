/** Searches the gate's record from its end: newest run first, and only as far as what is wanted asks for. */
import { gateWorkflowId } from '../../workflows/contract.ts';
import type { Temporal } from '../temporal.ts';
import { latestRun, openRun, type Entry, type GateRun } from './gate-runs.ts';
import { InForce } from './in-force.ts';

/** A place in the record: everything before it. Without an event: the whole of that run too. */
export type Cursor = { readonly run: string; readonly event: number | null; readonly index: number };

export type Search<T> = {
  /** What the entry is to this search, judged with what held at that moment; null: nothing. */
  readonly wants: (entry: Entry, held: InForce) => T | null;
  /** At most so many, the newest; the rest is found by going on from `next`. */
  readonly limit: number;
  /** Nothing older is wanted. */
  readonly since: number | null;
  readonly before: Cursor | null;
  /** Enough was found, whatever the limit: asked after each run. */
  readonly done?: (found: readonly T[]) => boolean;
  /** After so long the search stops between two runs, and says where. */
  readonly budgetMs: number;
};

export type Found<T> = {
  /** Newest first. */
  readonly found: readonly T[];
  /** Where to go on; null: there is nothing older that is wanted. */
  readonly next: Cursor | null;
  /** Before that the record is gone; null: it is complete. */
  readonly reachesBackTo: number | null;
};

/** Never holds more than one page of one run, and what was found. */
export async function searchRecord<T>(temporal: Temporal, domain: string, search: Search<T>): Promise<Found<T>> {
  const deadline = performance.now() + search.budgetMs;
  const found: T[] = [];
  let at: Cursor | null = search.before ?? { run: await latestRun(temporal, domain), event: null, index: 0 };
  let oldest: GateRun | null = null;
  while (at !== null) {
    const run = await openRun(temporal, domain, at.run);
    if (run === null) return { found, next: null, reachesBackTo: oldest?.startedAt ?? Date.now() };
    oldest = run;
    const room = search.limit - found.length;
    const some: { found: T[]; next: Cursor | null } = await searchRun(run, search, at.event === null ? null : at, room);
    found.push(...some.found);
    const older: Cursor | null = run.previous === null ? null : { run: run.previous, event: null, index: 0 };
    at = some.next ?? older;
    const past = search.since !== null && run.startedAt < search.since;
    if (some.next === null && past) at = null;
    if (search.done?.(found) === true) at = null;
    if (found.length >= search.limit || performance.now() > deadline) break;
  }
  return { found, next: at, reachesBackTo: oldest === null ? null : await reachOf(temporal, domain, oldest) };
}

/** The newest of one run that are wanted, newest first; `next` when it holds older ones too. */
async function searchRun<T>(
  run: GateRun,
  { wants, since }: Search<T>,
  before: Cursor | null,
  room: number,
): Promise<{ found: T[]; next: Cursor | null }> {
  const held = new InForce(run.snapshot);
  const kept: { readonly what: T; readonly at: Cursor }[] = [];
  let more = false;
  for await (const entry of run.entries()) {
    const { event, index } = entry;
    if (before !== null && (event > (before.event ?? 0) || (event === before.event && index >= before.index))) break;
    const what = since !== null && entry.at < since ? null : wants(entry, held);
    held.note(entry);
    if (what === null) continue;
    kept.push({ what, at: { run: run.id, event, index } });
    if (kept.length <= room) continue;
    kept.shift();
    more = true;
  }
  return { found: kept.map(({ what }) => what).toReversed(), next: more ? (kept[0]?.at ?? null) : null };
}

/** From one run of a gate's life, how far back the record of that life is still there, without reading what lies between. */
async function reachOf(temporal: Temporal, domain: string, from: GateRun): Promise<number | null> {
  for (let run = from; ;) {
    const first: GateRun | null = run.previous === null ? run : await openRun(temporal, domain, run.first);
    if (first === null) return oldestOf(temporal, domain, run.startedAt);
    if (first.previous === null) return null;
    // The first of its series took over from another series, or stands before one that is gone.
    const before: GateRun | null = await openRun(temporal, domain, first.previous);
    if (before === null) return first.startedAt;
    run = before;
  }
}

/** When the oldest run that is still kept began. */
async function oldestOf(temporal: Temporal, domain: string, known: number): Promise<number> {
  const query = `WorkflowId = '${gateWorkflowId(domain)}'`;
  return temporal.call('list the runs of the gate', async () => {
    let oldest = known;
    for await (const { startTime } of temporal.control.workflow.list({ query, pageSize: 1_000 }))
      oldest = Math.min(oldest, startTime.getTime());
    return oldest;
  });
}

/** `RUN.EVENT.INDEX`, or `RUN` alone. */
export const cursorText = ({ run, event, index }: Cursor): string =>
  event === null ? run : `${run}.${event}.${index}`;

/** Null: it is none of ours. */
export function parseCursor(text: string): Cursor | null {
  const [, run, event, index] = /^([0-9a-f-]{36})(?:\.(\d{1,9})\.(\d{1,6}))?$/.exec(text) ?? [];
  if (run === undefined) return null;
  return { run, event: event === undefined ? null : Number(event), index: Number(index ?? 0) };
}

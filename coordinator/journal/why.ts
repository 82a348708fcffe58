/**
 * `GET /v1/why`: everything that the record tells about a request, put together into stories. First the asks are looked for, then, from there
 * to the end of the record, all that was said about what they became.
 */
import type { ApiExecution, ApiExecutionDetail, ApiLimit, ApiStory, ApiWhy } from '../../workflows/api.ts';
import { formatLease, gateWorkflowId } from '../../workflows/contract.ts';
import type { Ask, TargetRef } from '../../workflows/gate/operations.ts';
import { asksFor } from '../ask.ts';
import { ApiFailure, type LimitQuery, type WhyQuery } from '../service.ts';
import { isNotFound, type Temporal } from '../temporal.ts';
import { decisionRecord } from './decision-record.ts';
import { SEARCH_BUDGET_MS } from './decisions.ts';
import type { Entry } from './gate-runs.ts';
import type { InForce } from './in-force.ts';
import { tellStory, type Told } from './story.ts';
import { searchRecord, type Cursor, type Found, type Search } from './walk.ts';

/** A lease's number alone, which people use for its execution. */
const NUMBER = /^[0-9a-z]{1,6}-[0-9a-z]{1,9}$/;
const MINUTE = 60_000;
/** After an execution has ended: its release, and a person who frees what it left. */
const LATER_MS = 60 * MINUTE;
/** So many stories of a node or an alert are told. */
const STORIES = 3;
/** So many executions, each with its evidence. */
const LOOKED_THROUGH = 40;
/** So many entries of the record are told of all of them together. */
const MAX_ENTRIES = 400;

export type WhyParts = {
  readonly temporal: Temporal;
  readonly domain: string;
  readonly execution: (id: string) => Promise<ApiExecutionDetail>;
  /** The latest so many. */
  readonly executions: (limit: number) => Promise<ApiExecution[]>;
  readonly limits: (query: LimitQuery) => Promise<ApiLimit[]>;
};

/** @throws ApiFailure 404 when the record knows nothing of it */
export async function explainWhy(parts: WhyParts, query: WhyQuery): Promise<ApiWhy> {
  const known = await knownOf(parts, query);
  const asks = await findAsks(parts, known === null ? query : { execution: known.id }, known);
  const groups = groupsOf(asks.found).slice(0, STORIES);
  if (groups.length === 0 && query.alert !== undefined) {
    const stories = await storiesByLabel(parts, query.alert);
    if (stories.length > 0) return { stories, reaches_back_to: timeText(asks.reachesBackTo) };
  }
  if (groups.length === 0) throw unknown(query, asks.reachesBackTo, asks.next !== null);
  const executions = await Promise.all(groups.map((group) => executionOf(parts, group)));
  const ends = groups.map((group, index) => endOf(group, executions[index] ?? null));
  const all = await followUp(parts, groups, Math.max(...ends));
  const stories = await Promise.all(all.map((told, index) => storyOf(parts, told, executions[index] ?? null)));
  return { stories, reaches_back_to: timeText(asks.reachesBackTo) };
}

const timeText = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

/** What it became, when Temporal knows that without the record. */
function knownOf(parts: WhyParts, { execution, request }: WhyQuery): Promise<ApiExecutionDetail | null> {
  if (execution !== undefined) return knownExecution(parts, execution);
  if (request === undefined) return Promise.resolve(null);
  return NUMBER.test(request) ? knownExecution(parts, request) : executionFor(parts, request);
}

async function findAsks(parts: WhyParts, query: WhyQuery, known: ApiExecutionDetail | null): Promise<Found<Told>> {
  const { temporal, domain } = parts;
  const started = known === null ? null : Date.parse(known.started_at);
  const before = started === null ? null : await runAt(parts, started + MINUTE);
  const search = { before, since: started === null ? null : started - MINUTE, budgetMs: SEARCH_BUDGET_MS };
  const asks = await searchRecord(temporal, domain, { ...searchFor(query, known), ...search });
  const [last] = asks.found;
  const waited = last?.entry.op.op === 'ask' ? last.entry.op.rq : undefined;
  if (known === null || waited === undefined) return asks;
  // It had waited, for who knows how long: its first ask lies further back.
  const pending = { execution: `pending:${waited.replace(/^a:/, '')}` };
  return searchRecord(temporal, domain, { ...searchFor(pending, null), ...search, since: null });
}

/** The record names sources, and only executions carry labels: the latest of them are looked through for an alert of that name. */
async function storiesByLabel(parts: WhyParts, alert: string): Promise<ApiStory[]> {
  const stories: ApiStory[] = [];
  for (const { id } of await parts.executions(LOOKED_THROUGH)) {
    const execution = await knownExecution(parts, id);
    if (execution?.evidence.labels['alertname'] !== alert) continue;
    stories.push(...(await explainWhy(parts, { execution: id })).stories);
    if (stories.length >= STORIES) break;
  }
  return stories;
}

type Asks = Pick<Search<Told>, 'wants' | 'limit' | 'done'>;

function searchFor(query: WhyQuery, known: ApiExecutionDetail | null): Asks {
  const matches = matcher(query, known);
  const enough = query.node === undefined && query.alert === undefined ? 1 : STORIES;
  return {
    wants: (entry, held) => (entry.op.op === 'ask' && matches(entry.op, entry) ? told(entry, held) : null),
    limit: MAX_ENTRIES,
    // The first ask of a request that waited is older than those that follow it.
    done: (found) => groupsOf(found).filter((group) => group.some(enough === 1 ? isFirst : isOrigin)).length >= enough,
  };
}

const isFirst = ({ entry }: Told): boolean => entry.op.op === 'ask' && entry.op.rq === undefined;

/** Not the repetition of one that is older still. */
const isOrigin = (one: Told): boolean => isFirst(one) && one.record?.decision !== 'duplicate';

function matcher(query: WhyQuery, known: ApiExecutionDetail | null): (op: Ask, entry: Entry) => boolean {
  const { request, execution, node, alert } = query;
  if (node !== undefined) return (op) => op.t.n === node;
  if (alert !== undefined) return ({ ev = '' }) => ev === alert || ev.endsWith(`/${alert}`);
  if (request !== undefined) return (op) => op.rq === undefined && asksFor(op, request);
  const waits = /^pending:(.+)$/.exec(execution ?? '')?.[1];
  if (waits !== undefined) return (op) => (op.rq ?? op.id) === `a:${waits}`;
  const id = known?.id ?? execution ?? '';
  const number = id.slice(id.lastIndexOf(':') + 1);
  return (op, { answer }) => leaseOf(answer) === number && (known === null || op.w === known.workflow);
}

const leaseOf = (answer: Entry['answer']): string | null =>
  'l' in answer ? formatLease({ epoch: answer.l[0], n: answer.l[1] }) : null;

const told = (entry: Entry, held: InForce): Told => {
  const op = entry.op as Ask;
  return {
    entry,
    record: decisionRecord(entry, held),
    pauses: held.pausesOver(op.w, op.t, entry.at),
    windows: held.windowsOver(op.w, op.t, entry.at),
  };
};

/** Asks of one request together, newest request first; what was a duplicate belongs to the story of what it repeated. */
function groupsOf(found: readonly Told[]): Told[][] {
  const groups = new Map<string, Told[]>();
  const ofLease = new Map<string, string>();
  for (const one of found) {
    const op = one.entry.op as Ask;
    const lease = leaseOf(one.entry.answer);
    const own = op.rq ?? op.id;
    const key = (lease === null ? undefined : ofLease.get(lease)) ?? own;
    if (lease !== null) ofLease.set(lease, key);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

/** What the record says from then on about the same requests and what they became; each story oldest first. */
async function followUp(parts: WhyParts, groups: readonly Told[][], until: number): Promise<Told[][]> {
  const names = new Map<string, number>();
  for (const [index, group] of groups.entries()) {
    for (const { entry } of group) {
      const op = entry.op as Ask;
      names.set(op.rq ?? op.id, index);
      const lease = leaseOf(entry.answer);
      if (lease !== null) names.set(`lease ${lease}`, index);
    }
  }
  const indexOf = ({ op }: Entry): number | undefined => {
    if ('l' in op) return names.get(`lease ${formatLease({ epoch: op.l[0], n: op.l[1] })}`);
    if (op.op === 'ask') return names.get(op.rq ?? op.id);
    return 'rq' in op ? names.get(op.rq) : undefined;
  };
  const since = Math.min(...groups.flat().map(({ entry }) => entry.at));
  const { found } = await searchRecord(parts.temporal, parts.domain, {
    wants: (entry, held) => {
      const index = indexOf(entry);
      if (index === undefined) return null;
      return {
        index,
        what: entry.op.op === 'ask' ? told(entry, held) : { entry, record: null, pauses: [], windows: [] },
      };
    },
    limit: MAX_ENTRIES,
    since,
    before: await runAt(parts, until),
    budgetMs: SEARCH_BUDGET_MS,
  });
  return groups.map((group, index) => {
    const later = found.filter((one) => one.index === index).map(({ what }) => what);
    const seen = new Set(later.map(({ entry }) => placeOf(entry)));
    return [...later, ...group.filter(({ entry }) => !seen.has(placeOf(entry)))].toSorted(
      (a, b) => a.entry.at - b.entry.at || a.entry.event - b.entry.event || a.entry.index - b.entry.index,
    );
  });
}

const placeOf = ({ run, event, index }: Entry): string => `${run} ${event} ${index}`;

/** The execution that it became, as Temporal keeps it. */
async function executionOf(parts: WhyParts, group: readonly Told[]): Promise<ApiExecutionDetail | null> {
  const id = group.find(({ record }) => (record?.execution ?? null) !== null)?.record?.execution ?? null;
  return id === null ? null : knownExecution(parts, id);
}

/** Until when the record may tell more of it. */
function endOf(group: readonly Told[], execution: ApiExecutionDetail | null): number {
  if (execution !== null) return execution.closed_at === null ? Date.now() : Date.parse(execution.closed_at) + LATER_MS;
  return Math.max(
    ...group.map(({ entry: { at, answer } }) => {
      if (answer.a === 'pending') return answer.u + MINUTE;
      return at + ('l' in answer ? LATER_MS : MINUTE);
    }),
  );
}

async function storyOf(
  parts: WhyParts,
  entries: readonly Told[],
  execution: ApiExecutionDetail | null,
): Promise<ApiStory> {
  const records = entries.flatMap(({ record }) => (record === null ? [] : [record]));
  const last = records.findLast(({ decision }) => decision !== 'duplicate') ?? records.at(-1);
  const ask = entries.find(({ entry }) => entry.op.op === 'ask')?.entry.op as Ask;
  const id = records.findLast((record) => record.execution !== null)?.execution ?? null;
  const decision = last?.decision ?? 'pending';
  const stands = decision === 'refused' || decision === 'pending';
  return {
    request: ask.q ?? ask.id,
    workflow: ask.w,
    target: ask.t.n ?? ask.t.y ?? ask.t.c ?? '',
    caller: ask.by ?? execution?.caller ?? '',
    decision,
    execution: id,
    outcome: execution?.outcome ?? null,
    lines: tellStory(entries, execution),
    in_the_way: stands ? await inTheWay(parts, ask.w, ask.t) : [],
  };
}

/** Limits without room; what cannot be known now is left out: the story is about what was. */
async function inTheWay(parts: WhyParts, workflow: string, { k, n, y, c }: TargetRef): Promise<ApiLimit[]> {
  const query: LimitQuery =
    k === 'n'
      ? { workflow, node: n }
      : k === 'y'
        ? { workflow, node_type: y, datacenter: c }
        : { workflow, datacenter: c };
  const limits = await parts.limits(query).catch((error: unknown) => {
    if (error instanceof ApiFailure) return [];
    throw error;
  });
  return limits.filter(({ free }) => free <= 0);
}

/** Null when Temporal does not keep it any more, or it never was. */
async function knownExecution(parts: WhyParts, id: string): Promise<ApiExecutionDetail | null> {
  if (id.startsWith('pending:')) return null;
  try {
    return await parts.execution(id);
  } catch (error) {
    if (isNotFound(error) || (error instanceof ApiFailure && error.status === 404)) return null;
    throw error;
  }
}

/** A request's execution is found by its name, however long ago: quicker than by the record. */
async function executionFor(parts: WhyParts, request: string): Promise<ApiExecutionDetail | null> {
  if (!/^[A-Za-z0-9._:-]{1,200}$/.test(request)) return null;
  const query = `FettleDomain = '${parts.domain}' AND FettleRequest = '${request}'`;
  const id = await parts.temporal.call('look for an execution', async () => {
    for await (const { workflowId } of parts.temporal.control.workflow.list({ query, pageSize: 1 })) return workflowId;
    return null;
  });
  return id === null ? null : knownExecution(parts, id);
}

/** The run of the gate that was open then, so that nothing newer is read; null: the latest. */
async function runAt({ temporal, domain }: WhyParts, time: number): Promise<Cursor | null> {
  if (time > Date.now()) return null;
  const query = `WorkflowId = '${gateWorkflowId(domain)}' AND StartTime <= '${new Date(time).toISOString()}'`;
  return temporal.call('list the runs of the gate', async () => {
    for await (const { runId } of temporal.control.workflow.list({ query, pageSize: 1 }))
      return { run: runId, event: null, index: 0 };
    return null;
  });
}

function unknown(query: WhyQuery, reaches: number | null, more: boolean): ApiFailure {
  const [what = '', value = ''] = Object.entries(query).find(([, given]) => given !== undefined) ?? [];
  const far = reaches === null ? '' : `; the record reaches back to ${new Date(reaches).toISOString()}`;
  const cut = more ? '; the record is long, and its older part was not looked at: fettle decisions --all' : far;
  const message = `the record knows of no ${what} ${JSON.stringify(value.slice(0, 120))}${cut}`;
  return new ApiFailure(404, 'not_in_record', message);
}

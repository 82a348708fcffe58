/** `GET /v1/decisions`: the gate's own record, filtered. */
import type { ApiDecisionRecord, ApiDecisions } from '../../workflows/api.ts';
import { asksFor } from '../ask.ts';
import { callerRef } from '../caller-ref.ts';
import { ApiFailure, type DecisionFilter } from '../service.ts';
import type { Temporal } from '../temporal.ts';
import { decisionRecord } from './decision-record.ts';
import { cursorText, parseCursor, searchRecord, type Cursor } from './walk.ts';

const DEFAULT_LIMIT = 50;
/** Callers wait 15 s for an answer; one run more is read after it. */
export const SEARCH_BUDGET_MS = 8_000;

/** @throws ApiFailure 422 for a cursor that is none */
export async function readDecisions(temporal: Temporal, domain: string, filter: DecisionFilter): Promise<ApiDecisions> {
  const fits = filterOf(filter);
  const { found, next, reachesBackTo } = await searchRecord(temporal, domain, {
    wants: (entry, held) => {
      const record = decisionRecord(entry, held);
      if (record === null || !fits(record)) return null;
      return filter.request === undefined || (entry.op.op === 'ask' && asksFor(entry.op, filter.request))
        ? record
        : null;
    },
    limit: filter.limit ?? DEFAULT_LIMIT,
    since: filter.since === undefined ? null : Date.parse(filter.since),
    before: cursorOf(filter.before),
    budgetMs: SEARCH_BUDGET_MS,
  });
  return {
    decisions: [...found],
    reaches_back_to: reachesBackTo === null ? null : new Date(reachesBackTo).toISOString(),
    next: next === null ? null : cursorText(next),
  };
}

function cursorOf(text: string | undefined): Cursor | null {
  if (text === undefined) return null;
  const cursor = parseCursor(text);
  if (cursor === null) throw new ApiFailure(422, 'before', 'before: write what an earlier answer gave as next');
  return cursor;
}

function filterOf(filter: DecisionFilter): (record: ApiDecisionRecord) => boolean {
  const decision = filter.refused === true ? 'refused' : filter.decision;
  const caller = filter.caller === undefined ? undefined : callerRef(filter.caller);
  const { workflow, node, execution, episode } = filter;
  const wanted = Object.entries({ decision, caller, workflow, node, execution, episode }).filter(
    ([, value]) => value !== undefined,
  );
  return (record) => wanted.every(([key, value]) => record[key as keyof ApiDecisionRecord] === value);
}

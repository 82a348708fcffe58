/** No window of length `period` holds more real starts than `value`: by the gate's admissions, and by the server's own start times. */
import { startOf, type Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { counted, limitsAt, limitText, scopeOf, wasPermitted, type LeaseLife } from '../ledger.ts';
import type { LimitFact } from '../record.ts';
import { strictest } from './concurrency.ts';

/** Starts are kept at least so long for limits that are announced later. */
const KEPT_MS = 60 * 60_000;

type Start = { readonly lease: LeaseLife; readonly at: number };

export function maxExecution(facts: Facts): Finding[] {
  // A lease that never got a permit gives its start back.
  const leases = facts.ledger.leases.filter(wasPermitted);
  const admissions = leases.map((lease) => ({ lease, at: lease.admitted.at }));
  const starts = leases.flatMap((lease) => {
    const at = startOf(facts.executions, lease);
    return at === null ? [] : [{ lease, at }];
  });
  return [...windows(facts, 'admissions', admissions), ...windows(facts, 'starts by the server', starts)];
}

function windows(facts: Facts, by: string, starts: readonly Start[]): Finding[] {
  const sorted = starts.toSorted((a, b) => a.at - b.at);
  return sorted.flatMap((start, index) =>
    limitsAt(facts.ledger, start.lease.workflow, start.lease.admitted)
      .filter((limit) => limit.k === 'm')
      .flatMap((limit) => exceeded(facts, by, limit, sorted, index)),
  );
}

function exceeded(facts: Facts, by: string, limit: LimitFact, sorted: readonly Start[], index: number): Finding[] {
  const end = sorted[index];
  if (end === undefined) return [];
  const scope = scopeOf(limit.s, end.lease.target);
  const counts = counted(facts.ledger, limit, end.lease.workflow, end.lease.admitted);
  const known = knownSince(facts, limit, end.lease.workflow);
  const together: LeaseLife[] = [];
  for (let at = index; at >= 0; at -= 1) {
    const start = sorted[at];
    // The window is half open: starts exactly one period apart are not in one.
    if (start === undefined || end.at - start.at >= limit.p) break;
    const kept = start.lease.admitted.at >= known || end.at - start.at < KEPT_MS;
    if (kept && counts(start.lease) && scopeOf(limit.s, start.lease.target) === scope) together.push(start.lease);
  }
  const holding = strictest(facts, limit, together);
  if (holding === null || together.length <= holding.v) return [];
  const names = together.map(({ name }) => name).join(', ');
  const what = `${together.length} ${by} within ${limit.p / 1_000} s (${scope}): ${names}; allowed: ${limitText(holding)}`;
  return [{ kind: 'max-execution', at: end.at, subject: end.lease.name, what }];
}

/** When this limit was first announced for the workflow. */
function knownSince(facts: Facts, limit: LimitFact, workflow: string): number {
  const all = facts.ledger.announcements.get(workflow) ?? [];
  const first = all.find(({ limits }) =>
    limits.some((one) => one.k === limit.k && one.p === limit.p && one.s === limit.s),
  );
  return first?.at ?? 0;
}

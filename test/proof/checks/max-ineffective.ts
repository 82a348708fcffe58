/** After so many outcomes in a row that did not help, nothing is admitted there until a person resumed it. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { applied, counted, limitsAt, limitText, scopeOf, type LeaseLife } from '../ledger.ts';
import type { LimitFact } from '../record.ts';

export const maxIneffective = (facts: Facts): Finding[] =>
  facts.ledger.leases.flatMap((lease) =>
    lease.dry
      ? []
      : limitsAt(facts.ledger, lease.workflow, lease.admitted)
          .filter((limit) => limit.k === 'i')
          .flatMap((limit) => unhelped(facts, limit, lease)),
  );

function unhelped(facts: Facts, limit: LimitFact, lease: LeaseLife): Finding[] {
  const scope = scopeOf(limit.s, lease.target);
  const counts = counted(facts.ledger, limit, lease.workflow, lease.admitted);
  const since = Math.max(knownSince(facts, limit, lease), resumedAt(facts, lease));
  const outcomes = facts.ledger.leases
    .filter((other) => counts(other) && scopeOf(limit.s, other.target) === scope)
    .flatMap((other) => (other.outcome === null ? [] : [other.outcome]))
    .filter(({ seq }) => seq < lease.admitted.seq && seq > since)
    .toSorted((a, b) => a.seq - b.seq);
  let streak = 0;
  for (const { outcome } of outcomes) {
    if (outcome === 'failed' || outcome === 'ineffective') streak += 1;
    else if (outcome === 'healed' && streak < limit.v) streak = 0;
  }
  if (streak < limit.v) return [];
  const what = `admitted after ${streak} outcomes in a row that did not help (${scope}), and nobody resumed it; allowed: ${limitText(limit)}`;
  return [{ kind: 'max-ineffective', at: lease.admitted.at, subject: lease.name, what }];
}

/** What ended before the limit was known is not held against it. */
function knownSince(facts: Facts, limit: LimitFact, { workflow }: LeaseLife): number {
  const all = facts.ledger.announcements.get(workflow) ?? [];
  return all.find(({ limits }) => limits.some((one) => one.k === 'i' && one.s === limit.s))?.seq ?? -1;
}

/** The last time before its admission that somebody resumed a breaker of this workflow. Whose scope it was is not asked: the lenient side. */
function resumedAt(facts: Facts, { workflow, admitted }: LeaseLife): number {
  return facts.record.journal.findLastIndex(
    (entry, seq) =>
      seq < admitted.seq &&
      entry.kind === 'exchange' &&
      applied(entry.given) &&
      entry.op.op === 'resume' &&
      (entry.op.pause ?? '').startsWith(`breaker:${workflow}:`),
  );
}

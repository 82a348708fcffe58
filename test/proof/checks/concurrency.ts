/**
 * Concurrency, told in three ways that each suffice: by what the gate held, by executions of the server, by hosts that were acting. Of all
 * that overlap at one moment the one admitted last should not have been: the limits that held then are the ones exceeded.
 */
import { startOf, type Facts, type Interval } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { counted, limitsAt, limitText, scopeOf, wasPermitted, type LeaseLife } from '../ledger.ts';
import type { LimitFact } from '../record.ts';

type Telling = {
  readonly by: string;
  readonly intervals: readonly Interval[];
  /** When a lease began, in the telling's clock that periods are measured by; null: it did not. */
  readonly began: (lease: LeaseLife) => number | null;
};

export function concurrency(facts: Facts): Finding[] {
  const admittedAt = (lease: LeaseLife): number => lease.admitted.at;
  const startedAt = (lease: LeaseLife): number | null => startOf(facts.executions, lease);
  const tellings: Telling[] = [
    { by: 'leases', intervals: facts.held, began: admittedAt },
    { by: 'executions', intervals: facts.running, began: startedAt },
    { by: 'hosts still acting', intervals: facts.acting, began: () => null },
  ];
  return tellings.flatMap((telling) => overlaps(facts, telling));
}

function overlaps(facts: Facts, telling: Telling): Finding[] {
  const sorted = telling.intervals.filter(({ lease }) => !lease.dry).toSorted((a, b) => a.from - b.from);
  const leases = facts.ledger.leases.filter((lease) => wasPermitted(lease) && lease.ended !== null);
  let open: Interval[] = [];
  return sorted.flatMap((interval) => {
    open = open.filter(({ to }) => to > interval.from);
    open.push(interval);
    const limits = limitsAt(facts.ledger, interval.lease.workflow, interval.lease.admitted);
    return limits
      .filter((limit) => limit.k === 'c')
      .flatMap((limit) => exceeded(facts, telling, limit, interval, open, leases));
  });
}

function exceeded(
  facts: Facts,
  telling: Telling,
  limit: LimitFact,
  interval: Interval,
  open: readonly Interval[],
  ended: readonly LeaseLife[],
): Finding[] {
  const { lease } = interval;
  const scope = scopeOf(limit.s, lease.target);
  const counts = counted(facts.ledger, limit, lease.workflow, lease.admitted);
  const fits = (other: LeaseLife): boolean => counts(other) && scopeOf(limit.s, other.target) === scope;
  const together = new Set(open.map((one) => one.lease).filter(fits));
  together.add(lease);
  if (limit.p > 0)
    for (const other of ended) if (fits(other) && within(telling, other, lease, limit.p)) together.add(other);
  const holding = strictest(facts, limit, [...together]);
  if (holding === null || together.size <= holding.v) return [];
  const names = [...together].map(({ name }) => name).join(', ');
  return [
    {
      kind: 'concurrency',
      at: telling.by === 'leases' ? lease.admitted.at : interval.from,
      subject: lease.name,
      what: `${together.size} at once by ${telling.by} (${scope}): ${names}; allowed: ${limitText(holding)}`,
    },
  ];
}

/** Began no longer before it than the period. */
function within(telling: Telling, other: LeaseLife, lease: LeaseLife, period: number): boolean {
  const before = telling.began(other);
  const now = telling.began(lease);
  return (
    before !== null && now !== null && before <= now && now - before < period && other.admitted.seq < lease.admitted.seq
  );
}

/** The limit as it held when the last of them was admitted; null: it did not hold any more. */
export function strictest(facts: Facts, limit: LimitFact, leases: readonly LeaseLife[]): LimitFact | null {
  const last = leases.reduce((latest, one) => (one.admitted.seq > latest.admitted.seq ? one : latest));
  const same = limitsAt(facts.ledger, last.workflow, last.admitted).filter(
    (one) => one.k === limit.k && one.s === limit.s && one.p === limit.p && one.g === limit.g && one.pc === limit.pc,
  );
  return same.length === 0 ? null : same.reduce((low, one) => (one.v < low.v ? one : low));
}

/** Nothing of the key is held, and `period` has passed since the last one ended; one that never got a permit leaves no trace. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { counted, limitsAt, limitText, scopeOf, wasPermitted, type LeaseLife } from '../ledger.ts';
import type { LimitFact } from '../record.ts';

export const cooldown = (facts: Facts): Finding[] =>
  facts.ledger.leases.flatMap((lease) =>
    lease.dry
      ? []
      : limitsAt(facts.ledger, lease.workflow, lease.admitted)
          .filter((limit) => limit.k === 'd')
          .flatMap((limit) => tooSoon(facts, limit, lease)),
  );

function tooSoon(facts: Facts, limit: LimitFact, lease: LeaseLife): Finding[] {
  const scope = scopeOf(limit.s, lease.target);
  const counts = counted(facts.ledger, limit, lease.workflow, lease.admitted);
  const { seq, at } = lease.admitted;
  for (const other of facts.ledger.leases) {
    if (other.admitted.seq >= seq || !counts(other) || scopeOf(limit.s, other.target) !== scope) continue;
    const { ended } = other;
    const open = ended === null || ended.seq > seq;
    if (!open && (!wasPermitted(other) || ended.at + limit.p <= at)) continue;
    const since = open ? 'is still held' : `ended ${(at - ended.at) / 1_000} s before`;
    const what = `admitted while ${other.name} ${since} (${scope}); wanted: ${limitText(limit)}`;
    return [{ kind: 'cooldown', at, subject: lease.name, what }];
  }
  return [];
}

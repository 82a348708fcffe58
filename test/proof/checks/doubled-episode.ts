/**
 * One fault is admitted once: a second admission in its episode needs that the first never acted, that `again` has passed, or that the fault
 * was over. Over is judged leniently: by any observer's word or the first silence, but a fault that began before that plus its gap is the same.
 */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { applied, wasPermitted, type LeaseLife } from '../ledger.ts';
import type { Exchange } from '../record.ts';

export function doubledEpisode(facts: Facts): Finding[] {
  const withEpisode = facts.ledger.leases.filter((lease) => lease.ask.e !== undefined && !lease.dry);
  return [...Map.groupBy(withEpisode, (lease) => lease.ask.e?.id ?? '')].flatMap(([episode, leases]) => {
    const sorted = leases.toSorted((a, b) => a.admitted.seq - b.admitted.seq);
    return sorted.flatMap((lease, index): Finding[] => {
      // One that never acted is forgotten with its lease, and says nothing about the fault.
      const before = sorted
        .slice(0, index)
        .findLast((one) => wasPermitted(one) || one.ended === null || one.ended.seq > lease.admitted.seq);
      const wrong = before === undefined ? null : wrongAfter(facts, episode, before, lease);
      return wrong === null
        ? []
        : [{ kind: 'doubled-episode', at: lease.admitted.at, subject: lease.name, what: wrong }];
    });
  });
}

function wrongAfter(facts: Facts, episode: string, before: LeaseLife, lease: LeaseLife): string | null {
  const { admitted, ask } = lease;
  const ref = ask.e;
  if (ref === undefined) return null;
  if (before.ended === null || before.ended.seq > admitted.seq)
    return `admitted for a fault that ${before.name} was still held for`;
  if (ref.again !== undefined && before.admitted.at + ref.again <= admitted.at) return null;
  const over = overAt(facts, episode, before, lease);
  if (over !== null && ref.b >= over) return null;
  return `a second admission for a fault that ${before.name} was admitted for`;
}

/** An episode is forgotten when it has been over for at least this long. */
const FORGOTTEN_MS = 10 * 60_000;

/** The earliest beginning of a fault that may count as a new one: its gap after somebody called the old one over, or after it fell silent. */
function overAt(facts: Facts, episode: string, before: LeaseLife, lease: LeaseLife): number | null {
  const gap = lease.ask.e?.gap ?? 0;
  let last = before.admitted.at;
  for (const [seq, entry] of facts.record.journal.slice(0, lease.admitted.seq + 1).entries()) {
    if (entry.kind !== 'exchange' || entry.op.e?.id !== episode || !isSighting(entry)) continue;
    if (seq > before.admitted.seq) {
      if (entry.at - last > gap + Math.max(gap, FORGOTTEN_MS)) return 0;
      if (entry.at - last > gap) return last + gap;
      if (entry.op.op === 'resolved') return entry.at + gap;
    }
    last = entry.at;
  }
  return null;
}

/** Asking again for what waits says nothing new of the fault; nor does a question that is repeated, or a dry run. */
const isSighting = ({ op, given }: Exchange): boolean =>
  applied(given) && given.known !== true && op.rq === undefined && op.dry !== true;

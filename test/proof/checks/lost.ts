/** Every question has its answer, and what was told to wait has a later word: admitted, refused, ended, or asked for again. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { applied } from '../ledger.ts';
import type { Exchange } from '../record.ts';

/** What waits and is not asked for again is dropped by the gate this long after it should have been. */
const DROPPED_MS = 60_000;

export const lost = (facts: Facts): Finding[] => [...unanswered(facts), ...waitingForNothing(facts)];

const unanswered = (facts: Facts): Finding[] =>
  facts.record.journal.flatMap((entry): Finding[] =>
    entry.kind === 'exchange' && entry.given === null && entry.op.op === 'ask'
      ? [{ kind: 'lost', at: entry.at, subject: entry.op.id, what: `asked by ${entry.from} and never answered` }]
      : [],
  );

function waitingForNothing(facts: Facts): Finding[] {
  const last = new Map<string, Exchange>();
  const asked = new Set<string>();
  for (const entry of facts.record.journal) {
    if (entry.kind !== 'exchange' || !applied(entry.given)) continue;
    const { op, given } = entry;
    if (op.op === 'leave' || op.op === 'deny') last.delete(op.rq ?? '');
    if (op.op !== 'ask') continue;
    // A question that is repeated is answered as it was, whatever has become of it since: the first one by its caller, a later one by a
    // coordinator that stood still while another went on.
    const repeated = asked.has(op.id);
    asked.add(op.id);
    if (repeated) continue;
    // Its fault waits under another request: that one is waited for now.
    if (given.a === 'pending' && given.same !== true) last.set(op.rq ?? given.rq ?? op.id, entry);
    else last.delete(op.rq ?? op.id);
  }
  return [...last].flatMap(([request, { at, given, from }]): Finding[] => {
    const until = Math.max(given?.ra ?? at, at) + DROPPED_MS;
    if (until >= facts.record.readAt) return [];
    return [
      { kind: 'lost', at, subject: request, what: `told to wait through ${from}, and nothing is on record after that` },
    ];
  });
}

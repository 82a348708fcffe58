/** What was admitted either started, or was given back: its lease ended by a recorded sweep, or a person freed it. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** From admission until the sweep must have looked, generously: it may first have to be taken over by another coordinator. */
const SWEPT_MS = 90_000;

export const neverStarted = (facts: Facts): Finding[] =>
  facts.ledger.leases.flatMap((lease): Finding[] => {
    if (facts.executions.has(lease.name)) return [];
    const { at } = lease.admitted;
    const { ended } = lease;
    if (ended?.how === 'free' || ended?.how === 'not_found') return [];
    if (ended === null && facts.record.readAt - at < SWEPT_MS) return [];
    const what =
      ended === null
        ? `admitted ${Math.round((facts.record.readAt - at) / 1_000)} s ago, never started and never given back`
        : `no execution of it is on record, yet its lease ended by ${ended.how}`;
    return [{ kind: 'never-started', at, subject: lease.name, what }];
  });

/** The limit that nobody has to write: a node is held for a change by one lease at a time, over all workflows. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';

export function onePerNode(facts: Facts): Finding[] {
  const holds = facts.ledger.leases.flatMap((lease) =>
    lease.holds.map((hold) => ({ ...hold, lease, until: lease.ended?.seq ?? Number.POSITIVE_INFINITY })),
  );
  return [...Map.groupBy(holds, ({ node }) => node)].flatMap(([node, ofNode]) => {
    const sorted = ofNode.toSorted((a, b) => a.seq - b.seq);
    return sorted.flatMap((hold, index): Finding[] => {
      const other = sorted.slice(0, index).find((before) => before.until > hold.seq);
      if (other === undefined) return [];
      const what = `two changes at once on ${node}: ${other.lease.name} held it when ${hold.lease.name} got it too`;
      return [{ kind: 'one-per-node', at: hold.at, subject: node, what }];
    });
  });
}

/**
 * Health floors, as far as they are on record: nodes reported down by a coordinator within the last minute, nodes held for a change by any
 * workflow, and the target. What is counted here is a lower bound: one reporter's view at a time, and only held nodes whose place is known.
 */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { applied, limitsAt, limitText, scopeOf, type LeaseLife } from '../ledger.ts';
import type { AskedOp, LimitFact } from '../record.ts';

const REPORT_MS = 60_000;

/** One reporter's view, whole. */
type View = {
  readonly version: number;
  readonly parts: number;
  readonly total: Map<string, readonly [total: number, down: number]>;
  readonly down: Set<string>;
  heard: number;
  seen: number;
};

export function maxUnavailable(facts: Facts): Finding[] {
  const views = new Map<string, View>();
  const bySeq = new Map(facts.ledger.leases.map((lease) => [lease.admitted.seq, lease]));
  return facts.record.journal.flatMap((entry, seq) => {
    if (entry.kind === 'exchange' && entry.op.op === 'fleet' && applied(entry.given) && entry.given.a === 'ok')
      reported(views, entry.op, entry.at);
    const lease = bySeq.get(seq);
    if (lease === undefined || lease.dry) return [];
    return limitsAt(facts.ledger, lease.workflow, lease.admitted)
      .filter((limit) => limit.k === 'u')
      .flatMap((limit) => floored(facts, limit, lease, views));
  });
}

function reported(views: Map<string, View>, op: AskedOp, at: number): void {
  const reporter = op.r ?? '';
  const known = views.get(reporter);
  if (op.tot === undefined && op.dn === undefined) {
    if (known !== undefined && known.version === op.v) known.heard = at;
    return;
  }
  const complete = known === undefined || known.version !== op.v || known.seen >= known.parts;
  const view: View = complete ? emptyView(op) : known;
  for (const [key, total, down] of op.tot ?? []) view.total.set(key, [total, down]);
  for (const node of op.dn ?? []) view.down.add(node);
  view.seen += 1;
  view.heard = at;
  views.set(reporter, view);
}

const emptyView = ({ v = 0, of = 1 }: AskedOp): View => ({
  version: v,
  parts: of,
  total: new Map(),
  down: new Set(),
  heard: 0,
  seen: 0,
});

const KEYS: Readonly<Record<string, (lease: LeaseLife) => string>> = {
  node_type: ({ target }) => `y:${target.y ?? ''}`,
  datacenter: ({ target }) => `c:${target.c ?? ''}`,
  global: () => 'g',
};
const keyOf = (scope: string, lease: LeaseLife): string => {
  const label = scope.slice('label:'.length);
  return KEYS[scope]?.(lease) ?? `l:${label}=${lease.target.l?.[label] ?? ''}`;
};

function floored(facts: Facts, limit: LimitFact, lease: LeaseLife, views: ReadonlyMap<string, View>): Finding[] {
  const { at } = lease.admitted;
  const finding = (what: string): Finding[] => [{ kind: 'max-unavailable', at, subject: lease.name, what }];
  const key = keyOf(limit.s, lease);
  const fresh = [...views.values()].filter((view) => view.heard + REPORT_MS >= at && view.total.has(key));
  if (fresh.length === 0) return finding(`admitted without a report of the fleet; wanted: ${limitText(limit)}`);
  const held = heldNodes(facts, limit, lease);
  const unavailable = Math.max(...fresh.map((view) => unavailableBy(view, key, held)));
  const total = Math.min(...fresh.map((view) => view.total.get(key)?.[0] ?? 0));
  const allowed = limit.pc === true ? Math.floor((limit.v * total) / 100) : limit.v;
  if (unavailable <= allowed) return [];
  return finding(`${unavailable} of ${total} down or held (${key}); allowed: ${allowed}, by ${limitText(limit)}`);
}

/** Where not all who are down are named, those held may be among them. */
function unavailableBy(view: View, key: string, held: ReadonlySet<string>): number {
  const down = view.total.get(key)?.[1] ?? 0;
  const allDown = view.total.get('g')?.[1];
  if (allDown !== undefined && allDown > view.down.size) return Math.max(down, held.size);
  return down + [...held].filter((node) => !view.down.has(node)).length;
}

/** Nodes of the scope that leases held just then for a change, and the one that was admitted. */
function heldNodes(facts: Facts, limit: LimitFact, lease: LeaseLife): Set<string> {
  const { seq } = lease.admitted;
  const scope = scopeOf(limit.s, lease.target);
  const held = new Set<string>();
  if (lease.target.k === 'n' && lease.target.n !== undefined) held.add(lease.target.n);
  for (const other of facts.ledger.leases) {
    const open = other.admitted.seq < seq && (other.ended === null || other.ended.seq > seq);
    if (!open || scopeOf(limit.s, other.target) !== scope) continue;
    // Of a node that was claimed on a shared queue the place is not on record.
    for (const hold of other.holds) if (hold.seq < seq && hold.node === other.target.n) held.add(hold.node);
  }
  return held;
}

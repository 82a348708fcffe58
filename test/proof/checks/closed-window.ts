/** While a window is closed nothing that changes hosts is admitted under it, nor permitted; whoever broke the glass passes. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { applied, type LeaseLife, type Moment } from '../ledger.ts';
import type { ScopeFact, TargetFact } from '../record.ts';
import { approvals, covers } from './unapproved.ts';

type Closed = {
  readonly name: string;
  readonly byPerson: boolean;
  readonly scope: ScopeFact;
  readonly from: number;
  readonly until: number;
};

export function closedWindow(facts: Facts): Finding[] {
  const begun = Map.groupBy(facts.ledger.leases.flatMap(beginnings), ({ seq }) => seq);
  let windows: Closed[] = [];
  return facts.record.journal.flatMap((entry, seq): Finding[] => {
    if (entry.kind === 'exchange' && applied(entry.given) && entry.given.a === 'ok')
      windows = changed(windows, entry.op);
    return (begun.get(seq) ?? []).flatMap(({ lease, at, what, target }): Finding[] => {
      const over = windows.find(
        ({ scope, from, until }) => from <= at && at < until && covers(scope, lease.workflow, target),
      );
      if (over === undefined || approvals(facts, lease).some(({ op }) => op.glass === true)) return [];
      return [
        { kind: 'closed-window', at, subject: lease.name, what: `${what} while the window ${over.name} was closed` },
      ];
    });
  });
}

type Beginning = Moment & { readonly lease: LeaseLife; readonly what: string; readonly target: TargetFact };

function beginnings(lease: LeaseLife): Beginning[] {
  if (!lease.changing) return [];
  const { target } = lease;
  const permits = lease.permits.filter(({ changing, undo }) => changing && !undo);
  return [
    { ...lease.admitted, lease, what: 'admitted', target },
    ...permits.map(({ seq, at, step }) => ({ seq, at, lease, what: `permitted step ${step}`, target })),
  ];
}

/** A person's window is as he said last; those of files hold as long as any coordinator said. */
function changed(windows: Closed[], op: Parameters<typeof windowOf>[0] & { readonly op: string }): Closed[] {
  const others = windows.filter(({ name, byPerson }) => !(byPerson && name === op.nm));
  if (op.op === 'unwindow') return others;
  return op.op === 'window' ? [...(op.src === 'p' ? others : windows), windowOf(op)] : windows;
}

const windowOf = (op: {
  readonly nm?: string;
  readonly src?: string;
  readonly sc?: ScopeFact;
  readonly f?: number;
  readonly u?: number;
}): Closed => ({ name: op.nm ?? '', byPerson: op.src === 'p', scope: op.sc ?? {}, from: op.f ?? 0, until: op.u ?? 0 });

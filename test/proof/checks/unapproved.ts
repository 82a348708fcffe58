/** What runs in mode `ask` had a yes for its plan from somebody else; what is only rehearsed is never admitted. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { announcedAt, applied, type Announcement, type LeaseLife } from '../ledger.ts';
import type { Exchange, ScopeFact, TargetFact } from '../record.ts';

const STRICTNESS = ['auto', 'ask', 'shadow'];

export const unapproved = (facts: Facts): Finding[] =>
  facts.ledger.leases.flatMap((lease): Finding[] => {
    if (lease.dry) return [];
    const modes = announcedAt(facts.ledger, lease.workflow, lease.admitted).map((one) => modeOf(one, lease));
    const mode = STRICTNESS.findLast((one) => modes.includes(one)) ?? 'auto';
    const wrong =
      mode === 'shadow' ? 'admitted although it is only rehearsed' : mode === 'ask' ? missing(facts, lease) : null;
    return wrong === null ? [] : [{ kind: 'unapproved', at: lease.admitted.at, subject: lease.name, what: wrong }];
  });

/** Overrides that fit stand in the place of the definition's own mode; of several the strictest. */
function modeOf({ mode, overrides, workflow }: Announcement, { target }: LeaseLife): string {
  const fitting = overrides.filter(([, scope]) => covers(scope, workflow, target)).map(([other]) => other);
  return STRICTNESS.findLast((one) => fitting.includes(one)) ?? mode;
}

/** Fits each list that is there; a target without the attribute fits none. */
export function covers(scope: ScopeFact, workflow: string, target: TargetFact): boolean {
  const fits = (list: readonly string[] | undefined, value: string | undefined): boolean =>
    list === undefined || (value !== undefined && list.includes(value));
  return fits(scope.w, workflow) && fits(scope.y, target.y) && fits(scope.c, target.c) && fits(scope.n, target.n);
}

/** The yeses that were given for a request that waits, before this lease was admitted. */
export const approvals = (facts: Facts, { ask, admitted }: LeaseLife): Exchange[] =>
  facts.record.journal.slice(0, admitted.seq).flatMap((entry) => {
    if (entry.kind !== 'exchange' || entry.op.op !== 'approve' || !applied(entry.given)) return [];
    return entry.given.a === 'ok' && entry.op.rq === (ask.rq ?? ask.id) ? [entry] : [];
  });

function missing(facts: Facts, lease: LeaseLife): string | null {
  const given = approvals(facts, lease);
  if (given.length === 0) return 'admitted without the yes that it needs';
  const forThis = given.filter(({ op }) => op.p === lease.ask.p);
  if (forThis.length === 0) return 'the yes on record is for another plan';
  const byOther = forThis.some(({ op }) => op.glass === true || op.by !== lease.ask.by);
  return byOther ? null : `approved by who asked, ${lease.ask.by ?? ''}`;
}

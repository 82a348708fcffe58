/** While a pause holds nothing it covers is admitted, and no step that is no undo gets a permit. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { applied } from '../ledger.ts';
import { leaseName, type AskedOp, type TargetFact } from '../record.ts';

type Pause = {
  readonly id: string;
  readonly scope: { readonly k?: string; readonly v?: string };
  readonly until: number;
};

export function paused(facts: Facts): Finding[] {
  const pauses = new Map<string, Pause>();
  return facts.record.journal.flatMap((entry): Finding[] => {
    if (entry.kind !== 'exchange' || !applied(entry.given)) return [];
    const { op, at, given } = entry;
    if (op.op === 'pause' && op.sc !== undefined && given.a === 'ok')
      pauses.set(op.id, { id: op.id, scope: op.sc, until: op.until ?? Number.POSITIVE_INFINITY });
    if (op.op === 'resume') pauses.delete(op.pause ?? '');
    const begun = begins(facts, op, given.a, given.known === true);
    const over = [...pauses.values()].find(
      ({ scope, until }) => begun !== null && until > at && covers(scope, begun.workflow, begun.target),
    );
    if (over === undefined) return [];
    return [
      { kind: 'paused', at, subject: op.id, what: `${op.op} was answered ${given.a} under the pause ${over.id}` },
    ];
  });
}

function begins(
  facts: Facts,
  op: AskedOp,
  answer: string,
  known: boolean,
): { workflow: string; target: TargetFact } | null {
  if (op.op === 'ask' && answer === 'admitted' && !known && op.t !== undefined)
    return { workflow: op.w ?? '', target: op.t };
  if (op.op !== 'permit' || answer !== 'permit' || op.undo === true || op.l === undefined) return null;
  const lease = facts.ledger.byName.get(leaseName(op.l));
  // An open permit is given again as it was.
  const first = lease?.permits.some((one) => one.step === op.s && one.attempt === op.a && op.at <= one.at);
  return lease === undefined || first !== true
    ? null
    : { workflow: lease.workflow, target: { ...lease.target, n: op.n ?? '' } };
}

const covers = ({ k, v }: Pause['scope'], workflow: string, target: TargetFact): boolean =>
  k === 'all' ||
  (k === 'w' && v === workflow) ||
  (k === 'n' && v === target.n) ||
  (k === 'y' && v === target.y) ||
  (k === 'c' && v === target.c);

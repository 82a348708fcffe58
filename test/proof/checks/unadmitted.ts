/** Every execution has its admission in the journal, and is what was admitted: same workflow, target and plan. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { leaseName, type ExecutionFact } from '../record.ts';

/** An execution begins within so long after its admission. */
const START_MS = 20_000;

export function unadmitted(facts: Facts): Finding[] {
  const { record } = facts;
  // A journal whose beginning is gone cannot speak of what began before it.
  const reaches = record.whole ? 0 : (record.journal[0]?.at ?? Number.POSITIVE_INFINITY) + START_MS;
  return record.executions.flatMap((execution): Finding[] => {
    if (execution.started < reaches) return [];
    const wrong = wrongWith(facts, execution);
    return wrong === null ? [] : [{ kind: 'unadmitted', at: execution.started, subject: execution.id, what: wrong }];
  });
}

function wrongWith(facts: Facts, { id, input }: ExecutionFact): string | null {
  if (input === null) return 'no execution of ours: its input names no lease';
  const lease = facts.ledger.byName.get(leaseName(input.lease));
  if (lease === undefined) return `no admission of lease ${leaseName(input.lease)} is on record`;
  if (input.planDigest !== input.planIs) return 'the plan in its input is not the one its input names';
  if (input.planDigest !== lease.ask.p) return `its plan is not the one that was admitted as ${lease.name}`;
  if (input.workflow !== lease.workflow) return `it runs ${input.workflow}; admitted was ${lease.workflow}`;
  if (input.dry !== lease.dry) return `it is ${input.dry ? 'a' : 'no'} dry run; admitted was the other`;
  const { k, n, y, c } = lease.target;
  const target = (k === 'n' ? n : k === 'y' ? y : c) ?? '';
  if (input.target !== target) return `its target is ${input.target}; admitted was ${target}`;
  return id === `${lease.workflow}:${target}:${lease.name}`
    ? null
    : `its id does not say what it is: ${lease.workflow}:${target}:${lease.name}`;
}

/** Nothing is decided twice: an operation asked again, of whichever coordinator or run, is answered as it was; a lease number is given once. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { applied } from '../ledger.ts';
import { leaseName, type Exchange, type Given } from '../record.ts';

/** Answers that say nothing about the question: asked again later, the same id may still be decided. */
const NO_DECISION: ReadonlySet<string> = new Set(['reused', 'unknown_fleet']);

export const contradictions = (facts: Facts): Finding[] => [
  ...answeredTwice(facts),
  ...numberedTwice(facts),
  ...startedTwice(facts),
];

function answeredTwice(facts: Facts): Finding[] {
  const known = new Map<string, { entry: Exchange; seq: number }>();
  return facts.record.journal.flatMap((entry, seq): Finding[] => {
    if (entry.kind !== 'exchange' || !applied(entry.given) || NO_DECISION.has(entry.given.a)) return [];
    if (entry.op.op !== 'ask' && entry.op.op !== 'permit') return [];
    const before = known.get(entry.op.id);
    known.set(entry.op.id, { entry, seq });
    if (before === undefined || same(before.entry.given, entry.given) || forgotten(facts, before.entry.given, seq))
      return [];
    const what = `answered ${textOf(before.entry.given)} to ${before.entry.from}, and ${textOf(entry.given)} to ${entry.from}`;
    return [{ kind: 'contradiction', at: entry.at, subject: entry.op.id, what }];
  });
}

const leaseOf = (given: Given | null): string => (given?.l === undefined ? '' : leaseName(given.l));
const textOf = (given: Given | null): string => `${given?.a ?? 'nothing'} ${leaseOf(given)}`.trim();

const same = (a: Given | null, b: Given | null): boolean =>
  a?.a === b?.a && leaseOf(a) === leaseOf(b) && a?.no === b?.no && a?.c === b?.c;

/** An admission whose execution never came to be is forgotten whole, so that it can be asked again. */
function forgotten(facts: Facts, given: Given | null, seq: number): boolean {
  if (given?.a !== 'admitted') return false;
  const ended = facts.ledger.byName.get(leaseOf(given))?.ended;
  return ended?.how === 'not_found' && ended.seq < seq;
}

function numberedTwice(facts: Facts): Finding[] {
  const known = new Map<string, string>();
  return facts.record.journal.flatMap((entry): Finding[] => {
    if (entry.kind !== 'exchange' || entry.given?.a !== 'admitted') return [];
    const name = leaseOf(entry.given);
    const first = known.get(name) ?? entry.op.id;
    known.set(name, first);
    if (first === entry.op.id) return [];
    const what = `lease ${name} was given to ${first} and to ${entry.op.id}`;
    return [{ kind: 'contradiction', at: entry.at, subject: name, what }];
  });
}

function startedTwice(facts: Facts): Finding[] {
  return [...facts.executions].flatMap(([name, executions]): Finding[] => {
    const ids = [...new Set(executions.map(({ id, run }) => `${id} (${run})`))];
    if (ids.length < 2) return [];
    const at = Math.max(...executions.map(({ started }) => started));
    return [
      { kind: 'contradiction', at, subject: name, what: `one lease, ${ids.length} executions: ${ids.join(', ')}` },
    ];
  });
}

/** What `constraint` and `limit` blocks have in common: a kind, how many, within which time, counted by what. */
import { CONSTRAINT_KINDS } from './constraint-kinds/all.ts';
import type { Constraint, ConstraintKind } from './constraint-kinds/kind.ts';
import { didYouMean } from './did-you-mean.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { optional, required } from './schema.ts';
import { countOrPercent, type Count } from './value-count.ts';
import { duration, text } from './value-types.ts';
import type { Scope } from './workflow.ts';

export const constraintAttributes = {
  kind: required(text, CONSTRAINT_KINDS.map(({ doc }) => doc).join(' ')),
  value: optional(countOrPercent(1_000_000), 'How many; only `cooldown` goes without.'),
  period: optional(
    duration({ zero: true }),
    'The window. `maxExecution` and `cooldown` need one; `concurrency` without one counts open executions alone.',
  ),
} as const;

type Values = { readonly kind: string; readonly value: Count | null; readonly period: number | null };
/** A block that holds at least the attributes above. */
type ConstraintSection = {
  readonly place: Place;
  readonly path: string;
  readonly values: Values | null;
  readonly readable: Partial<Values>;
  readonly given: ReadonlyMap<string, HclValue>;
};

const SCOPES = ['target', 'node', 'node_type', 'datacenter', 'global'] as const;

/** `scope` null: none was written. `fallback`: the block's own default. */
export function readConstraint(
  section: ConstraintSection,
  scope: { written: Scope | null; fallback: Scope },
  problems: Problems,
): { constraint: Constraint; kind: ConstraintKind } | null {
  const kind = kindOf(section, problems);
  if (kind === null) return null;
  const checks = [checkValue(section, kind, problems), checkPeriod(section, kind, problems)];
  const by = scope.written ?? kind.scope ?? scope.fallback;
  checks.push(checkScope(section, kind, by, problems));
  if (section.values === null || checks.includes(false)) return null;
  const { value, period } = section.values;
  const constraint = {
    kind: kind.name,
    value: value?.count ?? 1,
    percent: value?.percent ?? false,
    periodMs: period ?? 0,
    scope: by,
  };
  return { constraint, kind };
}

function kindOf(section: ConstraintSection, problems: Problems): ConstraintKind | null {
  const { kind } = section.readable;
  if (kind === undefined) return null;
  const names = CONSTRAINT_KINDS.map(({ name }) => name);
  // The field's best-known example spells it so.
  const misspelt = kind === 'concurency';
  const known = CONSTRAINT_KINDS.find(({ name }) => name === (misspelt ? 'concurrency' : kind));
  const say = misspelt ? problems.warn.bind(problems) : problems.error.bind(problems);
  if (misspelt) at(section, 'kind', say, 'concurency is taken as concurrency; write concurrency');
  else if (known === undefined)
    at(section, 'kind', say, `there is no kind ${JSON.stringify(kind)}${didYouMean(kind, names)}`);
  return known ?? null;
}

function checkValue(section: ConstraintSection, kind: ConstraintKind, problems: Problems): boolean {
  const { value } = section.readable;
  const error = (message: string): boolean => at(section, 'value', problems.error.bind(problems), message);
  if (value === undefined) return false;
  if (kind.value === 'none') {
    if (value === null || (value.count === 1 && !value.percent)) return true;
    return error(`${kind.name} counts nothing, so there is no number to write; take value away`);
  }
  if (value === null)
    return error(`is missing; write e.g. value = ${kind.value === 'count' ? '1' : '1 or value = "5%"'}`);
  if (!value.percent || kind.value === 'count or percent') return true;
  return error(`is a percentage, and ${kind.name} counts executions; write a whole number, e.g. value = 1`);
}

function checkPeriod(section: ConstraintSection, kind: ConstraintKind, problems: Problems): boolean {
  const { period } = section.readable;
  const error = (message: string): boolean => at(section, 'period', problems.error.bind(problems), message);
  if (period === undefined) return false;
  if (kind.period === 'none' && period !== null) return error(`${kind.name} knows no period; take it away`);
  if (kind.period !== 'required' || (period !== null && period !== 0)) return true;
  const why = kind.name === 'cooldown' ? 'rests for one' : 'counts within one';
  return error(`is missing, and ${kind.name} ${why}; write e.g. period = "1h"`);
}

function checkScope(section: ConstraintSection, kind: ConstraintKind, scope: Scope, problems: Problems): boolean {
  if (!kind.notBy.includes(scope)) return true;
  const message = `${kind.name} is about many nodes, and a ${scope} is one; write "node_type", "datacenter", "global" or "label:NAME"`;
  return at(section, 'scope', problems.error.bind(problems), message);
}

/** Null when none was written, undefined when what was written is wrong. */
export function scopeOf(
  section: ConstraintSection,
  scope: string | null | undefined,
  problems: Problems,
): Scope | null | undefined {
  if (scope === undefined || scope === null) return scope;
  const known = SCOPES.find((candidate) => candidate === scope);
  if (known !== undefined) return known;
  const label = /^label:([A-Za-z_][A-Za-z0-9_]*)$/.exec(scope)?.[1];
  if (label !== undefined) return `label:${label}`;
  const message = `there is no scope ${JSON.stringify(scope)}${didYouMean(scope, [...SCOPES, 'label:NAME'])}`;
  at(section, 'scope', problems.error.bind(problems), message);
  return undefined;
}

/** At the attribute where it stands, else at its block. Always false, for checks to give back. */
function at(
  { given, place, path }: { given: ReadonlyMap<string, HclValue>; place: Place; path: string },
  name: string,
  say: (place: Place, path: string, message: string) => void,
  message: string,
): false {
  say(given.get(name)?.place ?? place, `${path}.${name}`, message);
  return false;
}

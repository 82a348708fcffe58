/** `constraint` blocks: limits that the gate holds. */
import { didYouMean } from './did-you-mean.ts';
import type { Problems } from './problems.ts';
import { block, optional, required, withDefault, type Section } from './schema.ts';
import { bool, duration, numberOrText, text } from './value-types.ts';
import type { Scope, WorkflowConfig } from './workflow.ts';

export const constraintBlock = block({
  doc: 'A limit on admissions. A request is admitted only when every limit has room for it.',
  attributes: {
    kind: required(
      text,
      '`"concurrency"`: at most `value` open at once, those begun within `period` counted too. `"maxExecution"`: at most `value` begun in any window of length `period`.',
    ),
    value: required(numberOrText(1, 1_000_000), 'How many.'),
    period: optional(
      duration({ zero: true }),
      'The window. `maxExecution` needs one; `concurrency` without one counts open executions alone.',
    ),
    scope: optional(
      text,
      'What is counted together: `"target"` (the default), `"node"`, `"node_type"`, `"datacenter"`, `"global"`, or `"label:NAME"` (all targets with the same value of that inventory label).',
    ),
    is_global: withDefault(bool, '`true` is another way to write `scope = "global"`.', false, 'false'),
  },
});

type Constraint = WorkflowConfig['definition']['constraints'][number];

const KINDS = ['concurrency', 'maxExecution'] as const;
const LATER = ['cooldown', 'maxUnavailable', 'maxIneffective'];
const SCOPES = ['target', 'node', 'node_type', 'datacenter', 'global'] as const;

export function constraintOf(section: Section<typeof constraintBlock>, problems: Problems): Constraint | null {
  const { readable } = section;
  const kind = kindOf(section, problems);
  const scope = scopeOf(section, problems);
  if (kind === 'maxExecution' && (readable.period === null || readable.period === 0)) {
    const message = 'is missing, and maxExecution counts within one; write e.g. period = "1h"';
    problems.error(section.given.get('period')?.place ?? section.place, `${section.path}.period`, message);
    return null;
  }
  if (section.values === null || kind === null || scope === null) return null;
  return { kind, value: section.values.value, percent: false, periodMs: section.values.period ?? 0, scope };
}

function kindOf(
  { readable: { kind }, given, place, path }: Section<typeof constraintBlock>,
  problems: Problems,
): Constraint['kind'] | null {
  if (kind === undefined) return null;
  const known = KINDS.find((candidate) => candidate === kind);
  if (known !== undefined) return known;
  const at = given.get('kind')?.place ?? place;
  if (kind === 'concurency') {
    problems.warn(at, `${path}.kind`, 'concurency is taken as concurrency; write concurrency');
    return 'concurrency';
  }
  const why = LATER.includes(kind)
    ? `the kind ${kind} is not available in this version; write ${KINDS.join(' or ')}`
    : `there is no kind ${JSON.stringify(kind)}${didYouMean(kind, KINDS)}`;
  problems.error(at, `${path}.kind`, why);
  return null;
}

function scopeOf({ readable, given, place, path }: Section<typeof constraintBlock>, problems: Problems): Scope | null {
  const { scope, is_global: isGlobal } = readable;
  if (scope === undefined || isGlobal === undefined) return null;
  if (isGlobal && scope !== null && scope !== 'global') {
    problems.error(
      given.get('is_global')?.place ?? place,
      `${path}.is_global`,
      `contradicts scope = ${JSON.stringify(scope)}; keep one of the two`,
    );
    return null;
  }
  if (isGlobal) return 'global';
  const known = SCOPES.find((candidate) => candidate === (scope ?? 'target'));
  if (known !== undefined) return known;
  const label = /^label:([A-Za-z_][A-Za-z0-9_]*)$/.exec(scope ?? '')?.[1];
  if (label !== undefined) return `label:${label}`;
  const message = `there is no scope ${JSON.stringify(scope)}${didYouMean(scope ?? '', [...SCOPES, 'label:NAME'])}`;
  problems.error(given.get('scope')?.place ?? place, `${path}.scope`, message);
  return null;
}

/** `constraint` blocks of a workflow: limits of its own that the gate holds. */
import { constraintAttributes, readConstraint, scopeOf } from './constraint.ts';
import type { Constraint } from './constraint-kinds/kind.ts';
import type { Known } from './known.ts';
import type { Problems } from './problems.ts';
import { block, optional, withDefault, type Section } from './schema.ts';
import { bool, text } from './value-types.ts';
import type { Scope } from './workflow.ts';

export const constraintBlock = block({
  doc: 'A limit on admissions. A request is admitted only when every limit has room for it. Counted are executions of this workflow; `limit` blocks of the coordinator count over several.',
  attributes: {
    ...constraintAttributes,
    scope: optional(
      text,
      'What is counted together: `"target"` (the default), `"node"`, `"node_type"`, `"datacenter"`, `"global"`, or `"label:NAME"` (all targets with the same value of that inventory label).',
    ),
    is_global: withDefault(bool, '`true` is another way to write `scope = "global"`.', false, 'false'),
  },
});

/** So many counts fit the gate's answers. */
const MAX_CONSTRAINTS = 16;

export function constraintsOf(
  sections: readonly Section<typeof constraintBlock>[],
  problems: Problems,
  known: Known,
): readonly Constraint[] | null {
  const extra = sections[MAX_CONSTRAINTS];
  if (extra !== undefined)
    problems.error(extra.place, extra.path, `is one constraint too many; write at most ${MAX_CONSTRAINTS}`);
  const read = sections.map((section) => constraintOf(section, problems, known));
  const good = read.filter((constraint) => constraint !== null);
  return good.length === read.length ? good : null;
}

function constraintOf(section: Section<typeof constraintBlock>, problems: Problems, known: Known): Constraint | null {
  const written = writtenScope(section, problems);
  if (written === undefined) return null;
  const read = readConstraint(section, { written, fallback: 'target' }, problems);
  if (read === null) return null;
  if (read.kind.needsInventory && known.hasInventory === false) {
    const message = `${read.kind.name} is about the nodes that should exist, and the coordinator does not know them; write inventory = "..." in its configuration`;
    problems.error(section.given.get('kind')?.place ?? section.place, `${section.path}.kind`, message);
    return null;
  }
  return read.constraint;
}

function writtenScope(section: Section<typeof constraintBlock>, problems: Problems): Scope | null | undefined {
  const { readable, given, place, path } = section;
  const { scope, is_global: isGlobal } = readable;
  if (isGlobal === undefined) return undefined;
  if (!isGlobal) return scopeOf(section, scope, problems);
  if (scope === undefined) return undefined;
  if (scope === null || scope === 'global') return 'global';
  const message = `contradicts scope = ${JSON.stringify(scope)}; keep one of the two`;
  problems.error(given.get('is_global')?.place ?? place, `${path}.is_global`, message);
  return undefined;
}

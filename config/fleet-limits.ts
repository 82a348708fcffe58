/** `limit` blocks of the coordinator: limits that hold across workflows. */
import { constraintAttributes, readConstraint, scopeOf } from './constraint.ts';
import type { Constraint } from './constraint-kinds/kind.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Known } from './known.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { block, optional, withDefault, type ReadOptions, type Section } from './schema.ts';
import { listOf } from './value-collections.ts';
import { name, word } from './value-names.ts';
import { text } from './value-types.ts';

export type FleetLimit = Constraint & {
  readonly place: Place;
  readonly name: string;
  /** `*` alone: every workflow. With `actions` empty too: every workflow that changes hosts. */
  readonly workflows: readonly string[];
  readonly actions: readonly string[];
};

const workflow = name('workflow name', /^(?:\*|[a-z][a-z0-9-]{0,63})$/, 'a workflow name, or "*" for all');

export const limitBlock = block({
  doc: "A limit that counts over several workflows together, beside each one's own constraints. It covers the workflows named, and those with a step of one of the actions named; without either, every workflow that changes hosts. A workflow in TypeScript may take any action, so naming actions covers it.",
  labels: [
    {
      name: 'name',
      doc: 'Names the limit in refusals.',
      type: name('limit name', /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$/, 'letters, digits, _ . and -, at most 40'),
    },
  ],
  attributes: {
    ...constraintAttributes,
    scope: optional(
      text,
      'What is counted together: `"global"` (the default), `"datacenter"`, `"node_type"`, `"node"`, `"target"`, or `"label:NAME"` (all targets with the same value of that inventory label).',
    ),
    workflows: withDefault(listOf(workflow, { min: 1 }), 'Workflows that it covers, or `["*"]` for all.', [], '-'),
    actions: withDefault(
      listOf(word, { min: 1 }),
      'It covers every workflow with a step of one of these actions, e.g. `["systemd.restart"]`.',
      [],
      '-',
    ),
  },
});

/** So many counts fit the gate's answers. */
const MAX_LIMITS = 16;

export function fleetLimitsOf(
  sections: readonly Section<typeof limitBlock>[],
  { problems, complete }: ReadOptions,
  known: Known,
): readonly FleetLimit[] | null {
  const extra = sections[MAX_LIMITS];
  if (extra !== undefined)
    problems.error(extra.place, extra.path, `is one limit too many; write at most ${MAX_LIMITS}`);
  const asked = complete ? known : { ...known, hasInventory: undefined };
  const read = sections.map((section) => fleetLimitOf(section, problems, asked));
  const good = read.filter((limit) => limit !== null);
  return good.length === read.length ? good : null;
}

function fleetLimitOf(section: Section<typeof limitBlock>, problems: Problems, known: Known): FleetLimit | null {
  const { given, place, path, values } = section;
  const written = scopeOf(section, section.readable.scope, problems);
  checkActions(section, problems, known);
  if (written === undefined) return null;
  const read = readConstraint(section, { written, fallback: 'global' }, problems);
  if (read === null || values === null) return null;
  const { kind, constraint } = read;
  const at = given.get('kind')?.place ?? place;
  if (kind.needsInventory && known.hasInventory === false) {
    const message = `${kind.name} is about the nodes that should exist, and there is no inventory; write inventory = "..." outside of this block`;
    problems.error(at, `${path}.kind`, message);
    return null;
  }
  return { ...constraint, place, name: section.labels[0] ?? '', workflows: values.workflows, actions: values.actions };
}

/** A limit on an action that does not exist would hold nothing back. */
function checkActions({ readable, given, place, path }: Section<typeof limitBlock>, problems: Problems, known: Known) {
  const written = given.get('actions');
  for (const [index, action] of (readable.actions ?? []).entries()) {
    if (known.actions === undefined || Object.hasOwn(known.actions, action)) continue;
    const at = written?.kind === 'list' ? written.items[index]?.place : undefined;
    const message = `there is no action ${action}${didYouMean(action, Object.keys(known.actions))}`;
    problems.error(at ?? place, `${path}.actions[${index}]`, message);
  }
}

/**
 * What can be told only with several files side by side: limits, windows and modes that name what does not exist, and health floors
 * that nothing can ever pass. Warnings, all of them: each file is good by itself, and the others may be changed first.
 */
import type { Constraint } from './constraint-kinds/kind.ts';
import { didYouMean } from './did-you-mean.ts';
import type { FleetLimit } from './fleet-limits.ts';
import type { InventoryNode } from './inventory.ts';
import type { Place, Problem } from './problem.ts';
import { Problems } from './problems.ts';
import type { WindowConfig } from './window.ts';
import type { Scope, WorkflowConfig } from './workflow.ts';

export type SideBySide = {
  readonly limits: readonly FleetLimit[];
  readonly windows: readonly WindowConfig[];
  /** Undefined: not known. */
  readonly workflows: readonly WorkflowConfig[] | undefined;
  /** Null: there is none. Undefined: not known. */
  readonly inventory: readonly InventoryNode[] | null | undefined;
};

type Named = {
  readonly nodeTypes: readonly string[];
  readonly datacenters: readonly string[];
  readonly nodes: readonly string[];
};
type At = { readonly place: Place; readonly path: string };

export function crossCheck(all: SideBySide): readonly Problem[] {
  const problems = new Problems();
  for (const limit of all.limits) {
    const at = { place: limit.place, path: `limit[${JSON.stringify(limit.name)}]` };
    checkWorkflows(limit.workflows, at, all, problems);
    checkCounted(limit, at, all, problems);
  }
  for (const window of all.windows) {
    const at = { place: window.place, path: `window[${JSON.stringify(window.name)}]` };
    checkWorkflows(window.workflows, at, all, problems);
    checkNamed(window, at, all, problems);
  }
  for (const { definition, constraintPlaces, overridePlaces, place } of all.workflows ?? []) {
    for (const [index, constraint] of definition.constraints.entries())
      checkCounted(
        constraint,
        { place: constraintPlaces[index] ?? place, path: `constraint[${index}]` },
        all,
        problems,
      );
    for (const [index, override] of definition.modeOverrides.entries())
      checkNamed(override, { place: overridePlaces[index] ?? place, path: `override[${index}]` }, all, problems);
  }
  return problems.sorted([]);
}

/** What covers a workflow that does not exist holds nothing back: most likely the name is misspelt. */
function checkWorkflows(names: readonly string[], at: At, { workflows }: SideBySide, problems: Problems): void {
  const known = workflows?.map(({ definition }) => definition.name);
  for (const [index, name] of names.entries()) {
    if (known === undefined || name === '*' || known.includes(name)) continue;
    problems.warn(at.place, `${at.path}.workflows[${index}]`, `there is no workflow ${name}${didYouMean(name, known)}`);
  }
}

function checkNamed(named: Named, at: At, { inventory }: SideBySide, problems: Problems): void {
  if (inventory === undefined || inventory === null) return;
  const check = (attribute: string, what: string, names: readonly string[], known: readonly string[]): void => {
    for (const [index, name] of names.entries())
      if (!known.includes(name))
        problems.warn(
          at.place,
          `${at.path}.${attribute}[${index}]`,
          `the inventory has no ${what} ${name}${didYouMean(name, [...new Set(known)])}`,
        );
  };
  const of = (part: (node: InventoryNode) => string): string[] => inventory.map(part);
  check(
    'node_types',
    'node of the type',
    named.nodeTypes,
    of(({ nodeType }) => nodeType),
  );
  check(
    'datacenters',
    'node in the datacenter',
    named.datacenters,
    of(({ datacenter }) => datacenter),
  );
  check(
    'nodes',
    'node',
    named.nodes,
    of(({ node }) => node),
  );
}

function checkCounted(constraint: Constraint, at: At, { inventory }: SideBySide, problems: Problems): void {
  if (inventory === undefined) return;
  const { kind, scope, percent, value } = constraint;
  const label = scope.startsWith('label:') ? scope.slice('label:'.length) : null;
  if (label !== null && !(inventory ?? []).some(({ labels }) => Object.hasOwn(labels, label))) {
    const known = [...new Set((inventory ?? []).flatMap(({ labels }) => Object.keys(labels)))];
    const why = inventory === null ? 'there is no inventory, so no node bears' : 'no node of the inventory bears';
    const hint = known.length === 0 ? '; give the nodes labels = { ... }' : didYouMean(label, known);
    problems.warn(at.place, `${at.path}.scope`, `${why} the label ${label}: all are counted together${hint}`);
  }
  if (kind !== 'maxUnavailable' || !percent || inventory === null) return;
  const groups = Map.groupBy(inventory, (node) => groupOf(scope, node));
  const shut = [...groups].filter(([, nodes]) => Math.floor((nodes.length * value) / 100) === 0);
  if (shut.length === 0) return;
  const few = shut.map(([name, nodes]) => `${name} (${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'})`);
  const enough = Math.max(...shut.map(([, nodes]) => Math.ceil(100 / nodes.length)));
  const message = `${value}% is less than one node of ${listed(few)}, so nothing is ever admitted there; write a number, or at least "${enough}%"`;
  problems.warn(at.place, `${at.path}.value`, message);
}

/** As the gate counts it. */
function groupOf(scope: Scope, { nodeType, datacenter, labels }: InventoryNode): string {
  if (scope === 'node_type') return nodeType;
  if (scope === 'datacenter') return datacenter;
  if (scope === 'global') return 'the fleet';
  const label = scope.slice('label:'.length);
  return `${label}=${labels[label] ?? ''}`;
}

const MAX_LISTED = 5;
const listed = (names: readonly string[]): string =>
  names.length <= MAX_LISTED
    ? names.join(', ')
    : `${names.slice(0, MAX_LISTED).join(', ')} and ${names.length - MAX_LISTED} more`;

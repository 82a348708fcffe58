/** How a workflow's requests are decided: run, wait for a person's yes, or only be recorded; and where it differs. */
import type { Problems } from './problems.ts';
import { block, many, required, withDefault, type Section } from './schema.ts';
import { everyOne } from './connections.ts';
import { listOf } from './value-collections.ts';
import { placeName } from './value-names.ts';
import { duration, integer, oneOf } from './value-types.ts';
import type { WorkflowConfig } from './workflow.ts';

const mode = oneOf('auto', 'ask', 'shadow');
const places = listOf(placeName, { min: 1, max: 50 });

const overrideBlock = block({
  doc: 'Another mode for some targets. Of several that fit a target, and of those alone, the strictest holds: `shadow` before `ask` before `auto`.',
  attributes: {
    mode: required(mode, 'The mode there.'),
    node_types: withDefault(places, 'Only nodes of these types.', [], 'any'),
    datacenters: withDefault(places, 'Only in these datacenters.', [], 'any'),
    nodes: withDefault(places, 'Only these nodes.', [], 'any'),
  },
});

export const modeAttributes = {
  mode: withDefault(
    mode,
    '`"auto"`: what is admitted runs. `"ask"`: it waits until somebody other than the requester approves it. `"shadow"`: it is decided and recorded, and nothing runs.',
    'auto',
    '"auto"',
  ),
  max_pending: withDefault(
    integer(0, 10_000),
    'So many of its requests may wait at once, for a limit, a window or a yes; further ones are refused.',
    100,
    '100',
  ),
  approve_within: withDefault(
    duration({ minMs: 1_000, maxMs: 7 * 86_400_000 }),
    'How long a request waits for a yes before it expires.',
    30 * 60_000,
    '"30m"',
  ),
} as const;

export const modeBlocks = { override: many(overrideBlock) } as const;

type Override = WorkflowConfig['definition']['modeOverrides'][number];

/** So many fit an announcement to the gate. */
const MAX_OVERRIDES = 16;
const MAX_NAMES = 100;

export function overridesOf(
  sections: readonly Section<typeof overrideBlock>[],
  problems: Problems,
): readonly Override[] | null {
  const extra = sections[MAX_OVERRIDES];
  if (extra !== undefined)
    problems.error(extra.place, extra.path, `is one override too many; write at most ${MAX_OVERRIDES}`);
  const overrides = everyOne(sections.map((section) => overrideOf(section, problems)));
  const names = (overrides ?? []).flatMap(({ nodeTypes, datacenters, nodes }) =>
    [nodeTypes, datacenters, nodes].flat(),
  );
  const last = sections.at(-1);
  if (names.length > MAX_NAMES && last !== undefined) {
    const message = `the overrides name ${names.length} things in all; write at most ${MAX_NAMES}: node types or datacenters in place of nodes, say`;
    problems.error(last.place, last.path, message);
  }
  return overrides;
}

function overrideOf({ values, place, path }: Section<typeof overrideBlock>, problems: Problems): Override | null {
  if (values === null) return null;
  const { mode, node_types: nodeTypes, datacenters, nodes } = values;
  if (nodeTypes.length + datacenters.length + nodes.length > 0) return { mode, nodeTypes, datacenters, nodes };
  const message = `is for no target in particular; write node_types, datacenters or nodes, or mode = "${mode}" outside of it`;
  problems.error(place, path, message);
  return null;
}

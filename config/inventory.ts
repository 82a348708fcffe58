import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { block, many, required, withDefault, type Section } from './schema.ts';
import { everyOne } from './connections.ts';
import { mapOf } from './value-collections.ts';
import { labelName, placeName } from './value-names.ts';
import { anyText } from './value-types.ts';

/** `inventory.hcl`: `node "web-1" { type = "web", datacenter = "dc1", labels = { rack = "r1" } }` */
export type InventoryNode = {
  readonly place: Place;
  readonly node: string;
  readonly nodeType: string;
  readonly datacenter: string;
  readonly labels: Readonly<Record<string, string>>;
};

export const inventoryFile = block({
  doc: 'The nodes that should exist. With it the coordinator can tell a dead node from one that never was.',
  blocks: {
    node: many(
      block({
        doc: 'One host.',
        labels: [{ name: 'node name', doc: "The host's name, unique in the fleet; as in its SVID.", type: placeName }],
        attributes: {
          type: required(placeName, 'Its node type.'),
          datacenter: required(placeName, 'Its site.'),
          labels: withDefault(
            mapOf(labelName, anyText),
            'Further facts, for constraint scopes such as `label:rack`.',
            {},
            '{}',
          ),
        },
      }),
    ),
  },
});

export function inventoryOf(
  section: Section<typeof inventoryFile>,
  _problems: Problems,
): readonly InventoryNode[] | null {
  return everyOne(
    section.blocks.node.map(({ place, labels: [node = ''], values }) =>
      values === null
        ? null
        : { place, node, nodeType: values.type, datacenter: values.datacenter, labels: values.labels },
    ),
  );
}

import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { block, many, optional, required, withDefault, type Section } from './schema.ts';
import { everyOne } from './connections.ts';
import { mapOf } from './value-collections.ts';
import { labelName, machineId, placeName } from './value-names.ts';
import { anyText } from './value-types.ts';

/** `inventory.hcl`: `node "web-1" { type = "web", datacenter = "dc1", labels = { rack = "r1" } }` */
export type InventoryNode = {
  readonly place: Place;
  readonly node: string;
  readonly nodeType: string;
  readonly datacenter: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `/etc/machine-id` of the one machine that is this node; null: the first receipt says. */
  readonly machineId: string | null;
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
          machine_id: optional(
            machineId,
            'The content of its `/etc/machine-id`: no other machine is believed to be this node. Default: whatever its first receipt says, until `fettle nodes unpin`.',
          ),
        },
      }),
    ),
  },
});

export function inventoryOf(
  section: Section<typeof inventoryFile>,
  problems: Problems,
): readonly InventoryNode[] | null {
  checkMachineIds(section.blocks.node, problems);
  return everyOne(
    section.blocks.node.map(({ place, labels: [node = ''], values }) =>
      values === null
        ? null
        : {
            place,
            node,
            nodeType: values.type,
            datacenter: values.datacenter,
            labels: values.labels,
            machineId: values.machine_id,
          },
    ),
  );
}

type NodeSection = Section<(typeof inventoryFile)['blocks']['node']['block']>;

/** Two nodes of one machine id: a line that was copied, or a machine that was cloned with its id. */
function checkMachineIds(nodes: readonly NodeSection[], problems: Problems): void {
  const first = new Map<string, string>();
  for (const {
    labels: [node = ''],
    readable,
    given,
    path,
    place,
  } of nodes) {
    const id = readable.machine_id ?? null;
    if (id === null) continue;
    const other = first.get(id);
    if (other === undefined) first.set(id, node);
    else
      problems.error(
        given.get('machine_id')?.place ?? place,
        `${path}.machine_id`,
        `is already that of node "${other}"; write the content of this node's own /etc/machine-id`,
      );
  }
}

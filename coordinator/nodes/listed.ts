import type { InventoryNode } from '../../config/inventory.ts';

/** Nodes of the inventory by name: an index of ten thousand is made once for each reading of the file. */
export function listedNodes(inventory: () => readonly InventoryNode[]): (node: string) => InventoryNode | null {
  let of: readonly InventoryNode[] | null = null;
  let index = new Map<string, InventoryNode>();
  return (node) => {
    const now = inventory();
    if (now !== of) index = new Map(now.map((entry) => [entry.node, entry]));
    of = now;
    return index.get(node) ?? null;
  };
}

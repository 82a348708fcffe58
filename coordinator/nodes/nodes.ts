/**
 * Which machine is a node, and who is shut out (docs/protocol.md §10.3, §10.4). The inventory's word on a machine goes before the record's, and
 * the record's first word holds until a person takes it back.
 */
import type { Logger } from 'pino';
import type { InventoryNode } from '../../config/inventory.ts';
import { type NodeState, type OtherMachine, UNKNOWN_NODE } from '../../workflows/node-state.ts';
import { NodeRecordError, type NodeRecords } from './node-records.ts';

/** The same other machine is written down anew after so long: each time it speaks is too much for a record. */
const AGAIN_MS = 10 * 60_000;

export type Machine = { readonly id: string; readonly by: 'inventory' | 'receipt' };

export type NodeStanding = {
  readonly revoked: NodeState['revoked'];
  /** The one machine that is believed to be this node; null: whoever holds its SVID. */
  readonly machine: Machine | null;
  readonly otherMachine: OtherMachine | null;
};

export type Spoken = {
  readonly node: string;
  readonly machineId: string;
  readonly via: OtherMachine['via'];
  /** The first to speak is this node from now on. */
  readonly pins: boolean;
};

export type Nodes = {
  /** At most five seconds old. @throws NodeRecordError */
  readonly recent: (node: string) => Promise<NodeStanding>;
  /** As it is now. @throws NodeRecordError */
  readonly current: (node: string) => Promise<NodeStanding>;
  /**
   * Somebody spoke as this node, with its SVID. False: from another machine than the pinned one, which is an alarm.
   * @throws NodeRecordError
   */
  readonly spoke: (spoken: Spoken) => Promise<boolean>;
  readonly change: (
    node: string,
    op: 'unpin' | 'revoke' | 'restore',
    by: string,
    reason: string,
  ) => Promise<NodeStanding>;
  /** Every node that has a record, for people: some seconds old. @throws NodeRecordError */
  readonly all: () => Promise<(node: string) => NodeStanding>;
};

export type NodesOptions = {
  readonly records: NodeRecords;
  readonly listed: (node: string) => InventoryNode | null;
  readonly log: Logger;
  /** An alarm: a cloned machine, or a stolen SVID. */
  readonly onOtherMachine: (spoken: Spoken, pinned: string) => void;
};

export function createNodes(options: NodesOptions): Nodes {
  const { records } = options;
  const standing = (node: string, state: NodeState): NodeStanding =>
    standingOf(state, options.listed(node)?.machineId ?? null);
  return {
    recent: async (node) => standing(node, await records.recent(node)),
    current: async (node) => standing(node, await records.read(node)),
    spoke: async (spoken) => {
      const { node, machineId, pins } = spoken;
      let { machine, otherMachine } = standing(node, await records.recent(node));
      if (machine === null && pins && machineId !== '')
        ({ machine, otherMachine } = standing(node, await records.change(node, { op: 'pin', machineId })));
      if (machine === null || machine.id === machineId) return true;
      await alarm(options, spoken, machine.id, otherMachine);
      return false;
    },
    change: async (node, op, by, reason) => standing(node, await records.change(node, { op, by, reason })),
    all: async () => {
      const states = await records.all();
      return (node) => standing(node, states.get(node) ?? UNKNOWN_NODE);
    },
  };
}

export function standingOf({ machineId, revoked, otherMachine }: NodeState, listed: string | null): NodeStanding {
  const machine: Machine | null =
    listed !== null ? { id: listed, by: 'inventory' } : machineId === null ? null : { id: machineId, by: 'receipt' };
  // An inventory that names the other machine has said that it was the right one.
  return { revoked, machine, otherMachine: otherMachine?.machineId === machine?.id ? null : otherMachine };
}

/** The alarm is given even where it cannot be written down. */
async function alarm(
  { records, log, onOtherMachine }: NodesOptions,
  spoken: Spoken,
  pinned: string,
  before: OtherMachine | null,
): Promise<void> {
  const { node, machineId, via } = spoken;
  onOtherMachine(spoken, pinned);
  log.error(
    { alarm: 'other_machine', node, machine_id: machineId, pinned, via },
    'another machine speaks as this node: cloned, or its SVID is stolen; it is not believed',
  );
  if (before?.machineId === machineId && Date.now() - before.at < AGAIN_MS) return;
  // A host that says nothing of its machine is another one all the same.
  await records.change(node, { op: 'other', machineId: machineId || 'none', via }).catch((error: unknown) => {
    if (!(error instanceof NodeRecordError)) throw error;
    log.warn({ error, node }, 'the other machine was not written down');
  });
}

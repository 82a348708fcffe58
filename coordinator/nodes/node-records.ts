/**
 * The records of nodes as they stand on Temporal: one workflow for each (workflows/node-record.ts). A description of it tells the state as it
 * is, without any Worker; a change is an Update, so that of two who would pin a machine one is first. What cannot be read is an error, never
 * "nothing is known".
 */
import { randomUUID } from 'node:crypto';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { nodeRecordId, QUEUES } from '../../workflows/contract.ts';
import {
  NODE_CHANGE_UPDATE,
  NODE_MEMO,
  NODE_RECORD_TYPE,
  type NodeChange,
  type NodeState,
  UNKNOWN_NODE,
} from '../../workflows/node-state.ts';
import { isNamespaceMissing, isNotFound, type Temporal } from '../temporal.ts';

/** An answer this old still counts where a grant is signed: so long after a revocation another coordinator may sign one more. */
const FRESH_MS = 5_000;
const LISTED_MS = 2_000;
/** A listing is some seconds late: what was changed here meanwhile is put over it. */
const LATE_MS = 15_000;
const MAX_KEPT = 50_000;

export class NodeRecordError extends Error {
  override readonly name = 'NodeRecordError';
}

export type NodeRecords = {
  /** As it is now. @throws NodeRecordError when it cannot be read */
  readonly read: (node: string) => Promise<NodeState>;
  /** At most five seconds old. @throws NodeRecordError when it cannot be read */
  readonly recent: (node: string) => Promise<NodeState>;
  /** @returns the state after it. @throws NodeRecordError when it is not known to have been made */
  readonly change: (node: string, change: NodeChange) => Promise<NodeState>;
  /** Every node that has a record, some seconds old. @throws NodeRecordError */
  readonly all: () => Promise<ReadonlyMap<string, NodeState>>;
};

type NodeRecordInput = { readonly state: NodeState };
type Kept = { readonly state: NodeState; readonly at: number };

export function nodeRecords(temporal: Temporal): NodeRecords {
  const kept = new Map<string, Kept>();
  const own = new Map<string, Kept>();
  const asking = new Map<string, Promise<NodeState>>();
  let listed: { readonly at: number; readonly states: ReadonlyMap<string, NodeState> } | null = null;
  const keep = (node: string, state: NodeState): NodeState => {
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(node, { state, at: Date.now() });
    return state;
  };
  const read = async (node: string): Promise<NodeState> => {
    const before = own.get(node);
    const state = await describe(temporal, node);
    // A change that was made while this was asked is the newer word.
    return own.get(node) === before ? keep(node, state) : (own.get(node)?.state ?? state);
  };
  /** Who asks while somebody else does shares the answer. */
  const shared = (node: string): Promise<NodeState> => {
    const asked = asking.get(node) ?? read(node).finally(() => asking.delete(node));
    asking.set(node, asked);
    return asked;
  };
  return {
    read,
    recent: async (node) => {
      const known = kept.get(node);
      return known !== undefined && Date.now() - known.at < FRESH_MS ? known.state : shared(node);
    },
    change: async (node, change) => {
      const state = await update(temporal, node, change, await read(node));
      own.set(node, { state, at: Date.now() });
      return keep(node, state);
    },
    all: async () => {
      if (listed === null || Date.now() - listed.at > LISTED_MS)
        listed = { at: Date.now(), states: await list(temporal) };
      for (const [node, { at }] of own) if (Date.now() - at > LATE_MS) own.delete(node);
      return new Map([...listed.states, ...[...own].map(([node, { state }]) => [node, state] as const)]);
    },
  };
}

/** A record that was ended by hand still tells what it held; one that never was says that nothing is known. */
async function describe(temporal: Temporal, node: string): Promise<NodeState> {
  const handle = temporal.control.workflow.getHandle(nodeRecordId(node));
  try {
    const { memo } = await temporal.call(`read the record of node ${node}`, () => handle.describe());
    const state = stateOf(memo?.[NODE_MEMO]);
    if (state !== null) return state;
  } catch (cause) {
    if (isNotFound(cause) && !isNamespaceMissing(cause)) return UNKNOWN_NODE;
    throw new NodeRecordError(`the record of node ${node} cannot be read`, { cause });
  }
  throw new NodeRecordError(`the record of node ${node} (workflow ${nodeRecordId(node)}) holds nothing readable`);
}

async function update(temporal: Temporal, node: string, change: NodeChange, state: NodeState): Promise<NodeState> {
  const start = new WithStartWorkflowOperation<(input: NodeRecordInput) => Promise<unknown>>(NODE_RECORD_TYPE, {
    workflowId: nodeRecordId(node),
    taskQueue: QUEUES.workflows,
    args: [{ state }],
    memo: { [NODE_MEMO]: state },
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: '5s',
    staticSummary: `What is known of node ${node}`.slice(0, 200),
  });
  try {
    return await temporal.call(`change the record of node ${node}`, () =>
      temporal.control.workflow.executeUpdateWithStart<
        (input: NodeRecordInput) => Promise<unknown>,
        NodeState,
        [NodeChange]
      >(NODE_CHANGE_UPDATE, {
        startWorkflowOperation: start,
        args: [change],
        updateId: randomUUID(),
      }),
    );
  } catch (cause) {
    throw new NodeRecordError(`the record of node ${node} cannot be changed`, { cause });
  }
}

async function list(temporal: Temporal): Promise<ReadonlyMap<string, NodeState>> {
  const states = new Map<string, NodeState>();
  const prefix = nodeRecordId('');
  const query = `WorkflowType = '${NODE_RECORD_TYPE}' AND ExecutionStatus = 'Running'`;
  try {
    await temporal.call('list the records of nodes', async () => {
      for await (const { workflowId, memo } of temporal.control.workflow.list({ query, pageSize: 1_000 })) {
        const state = stateOf(memo?.[NODE_MEMO]);
        if (state !== null && workflowId.startsWith(prefix)) states.set(workflowId.slice(prefix.length), state);
      }
    });
  } catch (cause) {
    throw new NodeRecordError('the records of nodes cannot be listed', { cause });
  }
  return states;
}

/** Null: not what a record writes. */
function stateOf(value: unknown): NodeState | null {
  if (typeof value !== 'object' || value === null || !('machineId' in value) || !('revoked' in value)) return null;
  // Only coordinators write in this namespace; the shape above tells their record from anything else.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { ...UNKNOWN_NODE, ...(value as NodeState) };
}

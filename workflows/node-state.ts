/** What a node's record holds and how it changes: pure, so that coordinators and the workflow share it. */

/** Type of the workflow that keeps it. */
export const NODE_RECORD_TYPE = 'node-record';
export const NODE_CHANGE_UPDATE = 'change';
/** The memo's field that holds the state as it is now. */
export const NODE_MEMO = 'node';

export type NodeState = {
  /** Of the machine whose receipt was the first that checked; null: none yet, or unpinned. */
  readonly machineId: string | null;
  /** Milliseconds since the epoch, here and below. */
  readonly pinnedAt: number | null;
  readonly revoked: { readonly by: string; readonly reason: string; readonly at: number } | null;
  /** The last time that another machine spoke as this node; null: never since it was pinned. */
  readonly otherMachine: OtherMachine | null;
};

export type OtherMachine = { readonly machineId: string; readonly via: 'receipt' | 'token'; readonly at: number };

export type NodeChange =
  /** The first one holds: whoever comes second is told of it by the answer. */
  | { readonly op: 'pin'; readonly machineId: string }
  | { readonly op: 'other'; readonly machineId: string; readonly via: OtherMachine['via'] }
  | { readonly op: 'unpin' | 'revoke' | 'restore'; readonly by: string; readonly reason: string };

export const UNKNOWN_NODE: NodeState = { machineId: null, pinnedAt: null, revoked: null, otherMachine: null };

export function changed(state: NodeState, change: NodeChange, at: number): NodeState {
  switch (change.op) {
    case 'pin':
      return state.machineId === null ? { ...state, machineId: change.machineId, pinnedAt: at } : state;
    case 'other':
      return { ...state, otherMachine: { machineId: change.machineId, via: change.via, at } };
    case 'unpin':
      return { ...state, machineId: null, pinnedAt: null, otherMachine: null };
    case 'revoke':
      return { ...state, revoked: state.revoked ?? { by: change.by, reason: change.reason, at } };
    default:
      return { ...state, revoked: null };
  }
}

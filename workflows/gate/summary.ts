/** The gate's state as people and the sweep see it. */
import { targetName, type Target } from '../contract.ts';
import type { GateSummary, LeaseSummary, TargetRef } from './operations.ts';
import type { GateState, Lease } from './state.ts';

export function summarizeGate(state: GateState, historyLength: number): GateSummary {
  return {
    now: state.now,
    epoch: state.epoch,
    next: state.next,
    leases: state.leases.size,
    orphaned: [...state.leases.values()].filter((lease) => lease.orphaned).length,
    episodes: state.episodes.size,
    remembered: state.remembered.size,
    quarantine: state.quarantine,
    pauses: [...state.pauses.values()].map(({ id, scope, why, by }) => ({ id, scope, why, by })),
    definitions: [...state.definitions].map(([workflow, digests]) => ({ workflow, digests: [...digests.keys()] })),
    historyLength,
  };
}

export function summarizeLease(lease: Lease): LeaseSummary {
  return {
    lease: lease.ref,
    workflow: lease.workflow,
    target: refName(lease.target),
    admittedAt: lease.admittedAt,
    started: lease.started,
    orphaned: lease.orphaned,
    permitted: lease.permitted,
    unsettled: [...lease.unsettled.values()].map(({ step, attempt, node, busyUntil }) => ({
      step,
      attempt,
      node,
      busyUntil,
    })),
  };
}

/** A target as it goes to the gate; only labels that some limit counts by travel. */
export function targetRef(target: Target, labels: readonly string[]): TargetRef {
  if (target.kind === 'datacenter') return { k: 'c', c: target.datacenter };
  if (target.kind === 'node_type') {
    return { k: 'y', y: target.nodeType, ...(target.datacenter === null ? {} : { c: target.datacenter }) };
  }
  const wanted = labels.filter((label) => target.labels[label] !== undefined);
  const l = Object.fromEntries(wanted.map((label) => [label, target.labels[label] ?? '']));
  return { k: 'n', n: target.node, y: target.nodeType, c: target.datacenter, ...(wanted.length === 0 ? {} : { l }) };
}

/** The same name that `targetName` gives the whole target. */
const refName = (ref: TargetRef): string =>
  ref.k === 'n'
    ? (ref.n ?? '')
    : ref.k === 'y'
      ? targetName({ kind: 'node_type', nodeType: ref.y ?? '', datacenter: null })
      : (ref.c ?? '');

/** Targets and executions as the gate writes them, and the names that people know them by. */
import { executionId, targetName, type Target } from '../contract.ts';
import type { LeaseRef, LeaseSummary, TargetRef } from './operations.ts';

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
export const refName = (ref: TargetRef): string =>
  ref.k === 'n'
    ? (ref.n ?? '')
    : ref.k === 'y'
      ? targetName({ kind: 'node_type', nodeType: ref.y ?? '', datacenter: null })
      : (ref.c ?? '');

/** The id of the execution that was admitted under this lease. */
export const executionUnder = (workflow: string, target: TargetRef, [epoch, n]: LeaseRef): string =>
  executionId(workflow, refName(target), { epoch, n });

export const leaseName = ({ workflow, target, lease: [epoch, n] }: LeaseSummary): string =>
  executionId(workflow, target, { epoch, n });

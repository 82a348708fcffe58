/**
 * Counts, from the gate's history alone, how often a limit held one more than it allows. It knows nothing of the gate's code: it reads who was
 * admitted and what was given back, in the order in which the server recorded it. For limits on what is held; also for those on starts where no lease
 * ever gets a permit, so that a start is given back with its lease.
 */
import type { Client } from '@temporalio/client';
import { readJournal } from './gate-journal.ts';

export type Held = { readonly perNode: number; readonly global: number };

export type Counted = {
  readonly admitted: number;
  readonly overAdmissions: number;
  /** Most at once over all nodes. */
  readonly most: number;
  /** Operations decided more than once. */
  readonly doubled: number;
};

/** Of one workflow; `limits` are those that its requests were asked under. */
export async function countOverAdmissions(
  control: Client,
  gateId: string,
  workflow: string,
  limits: Held,
): Promise<Counted> {
  const nodeOf = new Map<string, string>();
  const open = new Map<string, number>();
  const decided = new Set<string>();
  let [admitted, overAdmissions, most, held, doubled] = [0, 0, 0, 0, 0];
  for (const { op, id, workflow: of, node, answer, lease, known } of await readJournal(control, gateId)) {
    if (op === 'ask' && of === workflow && answer === 'admitted' && !known && lease !== null && node !== null) {
      if (decided.has(id)) doubled += 1;
      decided.add(id);
      nodeOf.set(lease, node);
      admitted += 1;
      held += 1;
      open.set(node, (open.get(node) ?? 0) + 1);
      most = Math.max(most, held);
      if (held > limits.global || (open.get(node) ?? 0) > limits.perNode) overAdmissions += 1;
    }
    const ended = op === 'release' || op === 'free' ? (lease ?? '') : '';
    const was = nodeOf.get(ended);
    if (was === undefined) continue;
    nodeOf.delete(ended);
    held -= 1;
    open.set(was, (open.get(was) ?? 0) - 1);
  }
  return { admitted, overAdmissions, most, doubled };
}

/** Which queue carries the steps of a workflow that does not run on one node. */
import { generalQueue, typeQueue, type Target, type TaskQueueTarget } from '../workflows/contract.ts';

export class SharedQueueError extends Error {
  override readonly name = 'SharedQueueError';
}

/** @throws SharedQueueError when workflow and target together name no single queue. */
export function sharedQueue(where: TaskQueueTarget, target: Target): string {
  const { datacenter } = target;
  if (datacenter === null)
    throw new SharedQueueError(
      'the target spans datacenters: name one, so that the queue of one datacenter can be asked',
    );
  if (where.kind === 'general') return generalQueue(datacenter);
  const own = target.kind === 'datacenter' ? null : target.nodeType;
  const type = where.kind === 'node_type' && where.type !== null ? where.type : own;
  if (type === null)
    throw new SharedQueueError('a datacenter as target has no node type: write task_queue_target = "node_type:TYPE"');
  return typeQueue(datacenter, type);
}

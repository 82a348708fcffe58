/** Fixes who acts on a step of a shared queue: a signed question, answered by one agent under its SVID (docs/protocol.md §5.3). */
import { randomBytes, randomUUID } from 'node:crypto';
import type { ActInput } from '../../workflows/activities.ts';
import {
  AGENT_ACTIVITIES,
  agentPlace,
  generalQueue,
  PROTOCOL,
  typeQueue,
  type NodePlace,
  type SignedOrder,
  type Target,
  type TaskQueueTarget,
} from '../../workflows/contract.ts';
import { ApplicationFailure } from '@temporalio/activity';
import type { Courier } from './courier.ts';
import { checkClaim, ReceiptError } from './receipts.ts';
import { sharedQueue, SharedQueueError } from '../shared-queue.ts';

const ANSWER_MS = 5_000;

/** Null: nobody polls the queue. */
export async function claimNode(courier: Courier, input: ActInput, trustDomain: string): Promise<NodePlace | null> {
  const { definition, target } = input.plan;
  const queue = queueOf(definition.taskQueueTarget, target);
  const nonce = randomBytes(16).toString('base64url');
  const order = await courier.signer.claim({
    kind: 'claim',
    queue,
    jti: nonce,
    iat: Math.floor(Date.now() / 1000),
    until: Date.now() + 2 * ANSWER_MS,
    execution: input.execution,
    step: input.call.name,
  });
  const sent: SignedOrder = { protocol: PROTOCOL, order };
  let answer: unknown;
  try {
    answer = await courier.temporal.call(
      'ask who takes a step',
      () =>
        courier.temporal.agents.activity.execute(AGENT_ACTIVITIES.claim, {
          id: `claim/${input.execution}/${input.call.name}/${input.attempt}/${randomUUID()}`,
          taskQueue: queue,
          args: [sent],
          scheduleToStartTimeout: ANSWER_MS,
          startToCloseTimeout: ANSWER_MS,
          retry: { maximumAttempts: 1 },
        }),
      2 * ANSWER_MS + 1_000,
    );
  } catch (error) {
    courier.log.warn({ error, queue, execution: input.execution }, 'nobody claimed the step');
    return null;
  }
  try {
    const signer = await checkClaim(answer, nonce, courier.bundles, new Date());
    if (signer.trustDomain !== trustDomain) throw new ReceiptError(`its trust domain is ${signer.trustDomain}`);
    return placeOn(queue, signer.path);
  } catch (error) {
    if (!(error instanceof ReceiptError)) throw error;
    courier.onForgery(queue);
    courier.log.error({ alarm: 'claim', error, queue, execution: input.execution }, 'a claim does not check');
    return null;
  }
}

function queueOf(where: TaskQueueTarget, target: Target): string {
  try {
    return sharedQueue(where, target);
  } catch (error) {
    if (error instanceof SharedQueueError) throw ApplicationFailure.nonRetryable(error.message);
    throw error;
  }
}

/** @throws ReceiptError when the SVID is no agent's, or not of this queue. */
function placeOn(queue: string, path: string): NodePlace {
  const place = agentPlace(path);
  if (place === null) throw new ReceiptError(`${path} is not an agent's SVID`);
  const { datacenter, nodeType } = place;
  if (queue !== generalQueue(datacenter) && queue !== typeQueue(datacenter, nodeType)) {
    throw new ReceiptError(`${path} does not belong to queue ${queue}`);
  }
  return place;
}

/**
 * Sends signed orders to agents as standalone activities and brings back what they signed. Temporal carries them and is not believed:
 * only a receipt that checks is an answer; all else is "unknown".
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  ActivityExecutionAlreadyStartedError,
  ActivityExecutionFailedError,
  type ActivityHandle,
} from '@temporalio/client';
import { TimeoutFailure } from '@temporalio/common';
import type { Logger } from 'pino';
import {
  actionActivityId,
  AGENT_ACTIVITIES,
  nodeQueue,
  PROTOCOL,
  type ActionOrder,
  type ArgValue,
  type NodePlace,
  type ReceiptClaims,
} from '../../workflows/contract.ts';
import { isNotFound, isUnreachable, type Temporal } from '../temporal.ts';
import type { Nodes } from '../nodes/nodes.ts';
import type { Signer } from './grants.ts';
import { checkReceipt, ReceiptError, type AgentBundle, type ExpectedReceipt } from './receipts.ts';

/** Time on top of an action's own timeout: kill grace on the host, and the way back. */
export const CALL_GRACE_MS = 10_000;
const HEARTBEAT_MS = 10_000;

export type Courier = {
  readonly temporal: Temporal;
  readonly signer: Signer;
  readonly bundles: AgentBundle;
  readonly nodes: Pick<Nodes, 'spoke'>;
  readonly log: Logger;
  /** An answer that did not check: somebody forges, or a host is broken. */
  readonly onForgery: (agent: string) => void;
};

export type Order = {
  readonly place: NodePlace;
  readonly agent: string;
  /** The machine that is pinned as the node; null: none is. */
  readonly machineId: string | null;
  /** The node is shut out: what was sent before is joined, and nothing is sent. */
  readonly joinOnly: boolean;
  readonly execution: string;
  readonly step: string;
  readonly attempt: number;
  readonly action: string;
  readonly args: Readonly<Record<string, ArgValue>>;
  readonly argsDigest: string;
  readonly plan: string;
  readonly nonce: string;
  readonly issuedAt: number;
  readonly beginBy: number;
  readonly busyUntil: number;
  readonly timeoutMs: number;
  readonly dryRun: boolean;
  readonly supersedes: number | null;
};

export type Sent =
  | { readonly status: 'answered'; readonly claims: ReceiptClaims }
  /** `delivered` false: by Temporal's word no agent took it; a hint, no proof. */
  | { readonly status: 'unknown'; readonly why: string; readonly delivered: boolean };

/** Starts the action, or joins it when it was started before; waits for its receipt. */
export async function runAction(courier: Courier, order: Order, signal: AbortSignal): Promise<Sent> {
  // Whoever sent it, before this coordinator took over, may not have known the machine yet.
  const grants = [await signGrant(courier, order, order.machineId)];
  if (order.machineId !== null) grants.push(await signGrant(courier, order, null));
  const id = actionActivityId(order.execution, order.step, order.attempt, order.nonce);
  let cancelled = false;
  for (;;) {
    try {
      const handle = await startOrJoin(courier, order, id, grants[0] ?? '');
      if (handle === null) return { status: 'unknown', why: 'it was never sent in time', delivered: false };
      const cancel = (): void => {
        if (cancelled) return;
        cancelled = true;
        handle
          .cancel('the execution was cancelled')
          .catch((error: unknown) => courier.log.warn({ error, id }, 'cannot cancel'));
      };
      if (signal.aborted) cancel();
      signal.addEventListener('abort', cancel, { once: true });
      try {
        return { status: 'answered', claims: await receiptOf(courier, order, grants, await handle.result()) };
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    } catch (error) {
      if (error instanceof ReceiptError) return alarm(courier, order, error);
      if (error instanceof ActivityExecutionFailedError) return unanswered(error);
      if (isNotFound(error)) return { status: 'unknown', why: 'Temporal has no record of it', delivered: false };
      if (!isUnreachable(error)) throw error;
      if (Date.now() > order.busyUntil + CALL_GRACE_MS)
        return { status: 'unknown', why: 'Temporal could not be reached', delivered: true };
      await delay(1_000);
    }
  }
}

const signGrant = (courier: Courier, order: Order, machineId: string | null): Promise<string> =>
  courier.signer.grant({
    sub: order.agent,
    jti: order.nonce,
    iat: Math.floor(order.issuedAt / 1000),
    machine_id: machineId,
    execution: order.execution,
    step: order.step,
    attempt: order.attempt,
    action: order.action,
    args_digest: order.argsDigest,
    plan: order.plan,
    begin_by: order.beginBy,
    timeout_ms: order.timeoutMs,
    dry_run: order.dryRun,
    supersedes: order.supersedes,
  });

/** Past its begin-by an order is only joined, never sent. Null: there is nothing to join. */
async function startOrJoin(
  courier: Courier,
  order: Order,
  id: string,
  grant: string,
): Promise<ActivityHandle<unknown> | null> {
  const { agents } = courier.temporal;
  const left = order.joinOnly ? 0 : order.beginBy - Date.now();
  if (left <= 0) {
    const handle = agents.activity.getHandle(id);
    try {
      await courier.temporal.call('look for an action', () => handle.describe());
      return handle;
    } catch (error) {
      if (isNotFound(error) || (error instanceof Error && error.name === 'ActivityNotFoundError')) return null;
      throw error;
    }
  }
  const sent: ActionOrder = { protocol: PROTOCOL, grant, args: order.args };
  try {
    return await courier.temporal.call('send an action', () =>
      agents.activity.start(AGENT_ACTIVITIES.action, {
        id,
        taskQueue: nodeQueue(order.place.datacenter, order.place.node),
        args: [sent],
        scheduleToStartTimeout: Math.max(left, 1_000),
        startToCloseTimeout: order.timeoutMs + CALL_GRACE_MS,
        heartbeatTimeout: HEARTBEAT_MS,
        retry: { maximumAttempts: 1 },
        idConflictPolicy: 'USE_EXISTING',
        idReusePolicy: 'REJECT_DUPLICATE',
        summary: `${order.action} for ${order.execution}`.slice(0, 200),
      }),
    );
  } catch (error) {
    if (error instanceof ActivityExecutionAlreadyStartedError) return agents.activity.getHandle(id);
    throw error;
  }
}

/** A certificate that ran out since the answer was given is judged at the time it was given. */
async function receiptOf(
  courier: Courier,
  order: Order,
  grants: readonly string[],
  answer: unknown,
): Promise<ReceiptClaims> {
  const expected = {
    signer: order.agent,
    execution: order.execution,
    step: order.step,
    attempt: order.attempt,
    nonce: order.nonce,
    grants,
  };
  const claims = await checkedReceipt(courier, order, expected, answer);
  await checkMachine(courier, order, claims);
  return claims;
}

async function checkedReceipt(
  courier: Courier,
  order: Order,
  expected: ExpectedReceipt,
  answer: unknown,
): Promise<ReceiptClaims> {
  try {
    return await checkReceipt(answer, expected, courier.bundles, new Date());
  } catch (error) {
    const id = actionActivityId(order.execution, order.step, order.attempt, order.nonce);
    const { closeTime } = await courier.temporal.agents.activity.getHandle(id).describe();
    if (closeTime === undefined || Date.now() - closeTime.getTime() < 1_000) throw error;
    return checkReceipt(answer, expected, courier.bundles, closeTime);
  }
}

/**
 * The first machine to answer is the node from then on; another one's word counts as a refusal at most, which a clone gives as well.
 * @throws ReceiptError
 */
async function checkMachine(courier: Courier, order: Order, { machine_id: id, result }: ReceiptClaims): Promise<void> {
  const { node } = order.place;
  const refused = result.status === 'refused';
  const known = await courier.nodes
    .spoke({ node, machineId: id, via: 'receipt', pins: !refused })
    .catch((error: unknown) => {
      courier.log.warn({ error, node }, 'the machine of a receipt could only be compared with the order');
      return order.machineId === null || order.machineId === id;
    });
  if (!known && !refused) throw new ReceiptError(`it is of another machine than the one pinned as ${node}`);
}

function alarm(courier: Courier, order: Order, error: ReceiptError): Sent {
  courier.onForgery(order.agent);
  courier.log.error(
    { alarm: 'receipt', error, execution: order.execution, step: order.step, agent: order.agent },
    'a receipt does not check',
  );
  return { status: 'unknown', why: `the receipt does not check: ${error.message}`, delivered: true };
}

function unanswered(error: ActivityExecutionFailedError): Sent {
  const { cause } = error;
  if (cause instanceof TimeoutFailure) {
    const never = cause.timeoutType === 'SCHEDULE_TO_START';
    return {
      status: 'unknown',
      why: never ? 'no agent took it in time' : `the agent fell silent (${cause.timeoutType})`,
      delivered: !never,
    };
  }
  return {
    status: 'unknown',
    why: `the agent failed: ${cause?.message ?? error.message}`.slice(0, 300),
    delivered: true,
  };
}

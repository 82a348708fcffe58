/** After any doubt: asks the host what became of an attempt, and fences it when it never began (docs/protocol.md §6.1, §6.2). */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../../identity/error-message.ts';
import {
  AGENT_ACTIVITIES,
  nodeQueue,
  PROTOCOL,
  type ActionResult,
  type NodePlace,
  type SettlementClaims,
  type SignedOrder,
} from '../../workflows/contract.ts';
import type { Courier } from './courier.ts';
import { checkSettlement, ReceiptError } from './receipts.ts';

const ANSWER_MS = 5_000;
const AGAIN_MS = 1_000;
/** An order that nobody took is asked about this often before the lease is left to the sweep. */
const TRIES_UNDELIVERED = 2;

export type Settled =
  | { readonly status: 'settled'; readonly result: ActionResult; readonly neverBegun: boolean }
  | { readonly status: 'unsettled'; readonly why: string };

export type Doubt = {
  readonly place: NodePlace;
  readonly agent: string;
  readonly execution: string;
  readonly step: string;
  readonly attempt: number;
  readonly busyUntil: number;
  readonly delivered: boolean;
};

/** Asks until there is proof, or until the host can be busy with it no longer than it was allowed to. */
export async function settle(courier: Courier, doubt: Doubt, signal: AbortSignal | null): Promise<Settled> {
  let why = 'the host did not answer';
  for (let tries = 1; ; tries += 1) {
    try {
      const claims = await askOnce(courier, doubt);
      const settled = outcomeOf(claims, doubt.attempt);
      if (settled !== null) return settled;
      why = 'it is still running on the host';
    } catch (error) {
      why = errorMessage(error);
      courier.log.debug({ error, execution: doubt.execution, step: doubt.step }, 'settle unanswered');
    }
    const givenUp = !doubt.delivered && tries >= TRIES_UNDELIVERED;
    if (givenUp || Date.now() > doubt.busyUntil)
      return { status: 'unsettled', why: `no proof of how it ended: ${why}` };
    await delay(AGAIN_MS, undefined, signal === null || signal.aborted ? {} : { signal }).catch(() => undefined);
  }
}

/** One question and its answer. @throws when no answer came, or one that does not check. */
export async function askOnce(
  courier: Courier,
  doubt: Omit<Doubt, 'busyUntil' | 'delivered'>,
): Promise<SettlementClaims> {
  const nonce = randomBytes(16).toString('base64url');
  const order = await courier.signer.settle({
    kind: 'settle',
    sub: doubt.agent,
    jti: nonce,
    iat: Math.floor(Date.now() / 1000),
    until: Date.now() + 2 * ANSWER_MS,
    execution: doubt.execution,
    step: doubt.step,
    attempt: doubt.attempt,
  });
  const sent: SignedOrder = { protocol: PROTOCOL, order };
  const answer = await courier.temporal.call(
    'ask a host to settle',
    () =>
      courier.temporal.agents.activity.execute(AGENT_ACTIVITIES.settle, {
        id: `settle/${doubt.execution}/${doubt.step}/${doubt.attempt}/${randomUUID()}`,
        taskQueue: nodeQueue(doubt.place.datacenter, doubt.place.node),
        args: [sent],
        scheduleToStartTimeout: ANSWER_MS,
        startToCloseTimeout: ANSWER_MS,
        retry: { maximumAttempts: 1 },
      }),
    2 * ANSWER_MS + 1_000,
  );
  const expected = { signer: doubt.agent, execution: doubt.execution, step: doubt.step, nonce };
  try {
    const claims = await checkSettlement(answer, expected, courier.bundles, new Date());
    await checkMachine(courier, doubt.place.node, claims.machine_id);
    return claims;
  } catch (error) {
    if (error instanceof ReceiptError) {
      courier.onForgery(doubt.agent);
      const { execution, step, agent } = doubt;
      courier.log.error({ alarm: 'settlement', error, execution, step, agent }, 'a settlement does not check');
    }
    throw error;
  }
}

/** @throws ReceiptError for the word of another machine than the pinned one; agents of before do not say theirs */
async function checkMachine({ nodes, log }: Courier, node: string, machineId: string | undefined): Promise<void> {
  if (machineId === undefined) return;
  const known = await nodes.spoke({ node, machineId, via: 'receipt', pins: false }).catch((error: unknown) => {
    log.warn({ error, node }, 'the machine of a settlement could not be compared');
    return true;
  });
  if (!known) throw new ReceiptError(`it is of another machine than the one pinned as ${node}`);
}

/** An answer about an earlier attempt says that this one never began: the host has fenced it by answering. */
function outcomeOf({ answer }: SettlementClaims, attempt: number): Settled | null {
  if (answer.state === 'running') return null;
  if (answer.state === 'ended' && answer.attempt === attempt)
    return { status: 'settled', result: answer.result, neverBegun: false };
  const message = 'it never began on the host, and never will';
  return { status: 'settled', result: { status: 'refused', code: 'attempt_refused', message }, neverBegun: true };
}

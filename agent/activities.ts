import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import {
  ACTIONS,
  type ActionOrder,
  AGENT_ACTIVITIES,
  agentQueues,
  type GrantClaims,
  type NodePlace,
  type SettleClaims,
  type SignedOrder,
} from '../workflows/contract.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import { sha256 } from './digest.ts';
import type { Doer } from './doer.ts';
import { LedgerError } from './durable-file.ts';
import { type Addressee, type OrderVerifier, unprovenClaims } from './grants.ts';
import { HelperError } from './helper/client.ts';
import type { HostFacts } from './host-facts.ts';
import type { Performed } from './order-job.ts';
import { grantOf, performOrder } from './perform-order.ts';
import type { ReceiptSigner, SvidHolder } from './receipts.ts';
import { RefusalError } from './refusal.ts';
import { serverClock } from './server-clock.ts';

export type AgentActivitiesSetting = {
  readonly place: NodePlace;
  readonly svid: SvidHolder;
  readonly facts: HostFacts;
  readonly verifier: OrderVerifier;
  readonly doer: Doer;
  readonly signer: ReceiptSigner;
  readonly metrics: AgentMetrics;
  readonly log: Logger;
  /** Set when the agent itself stops: what runs is then ended. A mere change of connection leaves it running. */
  readonly stopping: AbortSignal;
};

/** Often enough that a cancellation is heard soon, and well within the coordinator's heartbeat timeout of 10 s. */
const HEARTBEAT_MS = 2000;

/** The activities that coordinators start in the agents' namespace. Each takes one order and answers one compact JWS. */
export function createActivities(setting: AgentActivitiesSetting): Record<string, (order: never) => Promise<string>> {
  const addressee = (): Addressee => ({
    id: setting.svid.current().id.text,
    machineId: setting.facts.machineId,
    queues: Object.values(agentQueues(setting.place)),
  });
  return {
    [AGENT_ACTIVITIES.action]: (order: ActionOrder) => act(setting, order, addressee()),
    [AGENT_ACTIVITIES.settle]: (order: SignedOrder) =>
      answering(setting, async () => {
        const now = await serverNow();
        return settle(setting, order, await setting.verifier.settle(order, addressee(), now), now);
      }),
    [AGENT_ACTIVITIES.claim]: (order: SignedOrder) =>
      answering(setting, async () => {
        const claims = await setting.verifier.claim(order, addressee(), await serverNow());
        setting.log.info({ execution: claims.execution, step: claims.step, queue: claims.queue }, 'claimed a step');
        return setting.signer.claim({ nonce: claims.jti, boot_id: setting.facts.bootId, at: Date.now() });
      }),
  };
}

const serverNow = async (): Promise<number> => (await serverClock(Context.current(), false))();

async function act(setting: AgentActivitiesSetting, order: ActionOrder, to: Addressee): Promise<string> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  const delivery = followDelivery(context, setting.doer.outlives ? null : setting.stopping);
  const performed = answerOrder(setting, order, to, context, delivery.end);
  // The activity may be left before the action ends; the action then goes on and its end is asked for by a settle order.
  performed.catch(() => undefined);
  try {
    return await Promise.race([performed, delivery.left]);
  } finally {
    clearInterval(beat);
    delivery.stop();
  }
}

/**
 * A requested cancellation ends the action, and so does the end of the agent when nobody else would look after it. That the activity timed out, is unknown to the server
 * or loses its worker says nothing about the action: a change under way is completed.
 */
function followDelivery(context: Context, stopping: AbortSignal | null) {
  const end = new AbortController();
  const left = Promise.withResolvers<never>();
  left.promise.catch(() => undefined);
  const aborted = (): void => {
    if (context.cancellationDetails?.cancelRequested === true) end.abort('cancelled');
    else if (stopping?.aborted === true) end.abort('the agent is stopping');
    else left.reject(new CancelledFailure('the activity was left; the action goes on'));
  };
  const signal = context.cancellationSignal;
  signal.addEventListener('abort', aborted, { once: true });
  if (signal.aborted) aborted();
  return { end: end.signal, left: left.promise, stop: () => signal.removeEventListener('abort', aborted) };
}

async function answerOrder(
  setting: AgentActivitiesSetting,
  order: ActionOrder,
  to: Addressee,
  context: Context,
  end: AbortSignal,
): Promise<string> {
  const { verifier, doer } = setting;
  const claimed = unprovenClaims(grantOf(order));
  const clock = serverClock(context, claimed !== null && !claimed.dry_run);
  try {
    const { claims, performed } = await performOrder({ verifier, performer: doer }, order, to, clock, end);
    record(setting, claims, performed);
    return await signReceipt(setting, grantOf(order), claims, performed);
  } catch (error) {
    if (error instanceof HelperError) throw ApplicationFailure.retryable(error.message, 'helper_unavailable');
    throw unexpected(setting, error);
  }
}

function record(
  { metrics, doer, log }: AgentActivitiesSetting,
  claims: GrantClaims | null,
  performed: Performed,
): void {
  const { result, from, to, repeated } = performed;
  const action = claims !== null && Object.hasOwn(ACTIONS, claims.action) ? claims.action : 'other';
  if (!repeated) metrics.actions.inc({ action, result: result.status });
  if (!repeated && result.status === 'refused') metrics.refusals.inc({ code: result.code });
  metrics.ledgerEntries.set(doer.entries());
  const { execution, step, attempt } = claims ?? {};
  const code = 'code' in result ? result.code : undefined;
  const took = from === null ? undefined : to - from;
  const line = {
    execution,
    step,
    attempt,
    action,
    result: result.status,
    code,
    repeated,
    took_ms: took,
    dry_run: claims?.dry_run,
  };
  if (result.status === 'done') log.info(line, 'action done');
  else
    log.warn({ ...line, reason: result.status === 'refused' ? result.message : undefined }, `action ${result.status}`);
}

const signReceipt = (
  { signer, facts }: AgentActivitiesSetting,
  grant: string,
  claims: GrantClaims | null,
  { result, from, to }: Performed,
): Promise<string> =>
  signer.receipt({
    execution: claims?.execution ?? '',
    step: claims?.step ?? '',
    attempt: claims?.attempt ?? 0,
    nonce: claims?.jti ?? '',
    grant_digest: sha256(grant),
    boot_id: facts.bootId,
    machine_id: facts.machineId,
    agent_version: facts.agentVersion,
    from,
    to,
    result,
  });

async function settle(
  { doer, signer, facts, metrics, log }: AgentActivitiesSetting,
  order: SignedOrder,
  claims: SettleClaims,
  now: number,
): Promise<string> {
  const { execution, step, attempt } = claims;
  const answer = await doer.settle(order, claims, now);
  metrics.ledgerEntries.set(doer.entries());
  log.info({ execution, step, attempt, state: answer.state }, 'settled');
  const { bootId: boot_id, machineId: machine_id } = facts;
  return signer.settlement({ nonce: claims.jti, execution, step, boot_id, machine_id, at: Date.now(), answer });
}

/** Settlements and claims have no form for "no": an order that does not check fails for good, a ledger that cannot tell may be asked again. */
async function answering(setting: AgentActivitiesSetting, answer: () => Promise<string>): Promise<string> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof LedgerError) throw ApplicationFailure.retryable(error.message, 'ledger_failed');
    if (error instanceof HelperError) throw ApplicationFailure.retryable(error.message, 'helper_unavailable');
    if (!(error instanceof RefusalError)) throw unexpected(setting, error);
    setting.metrics.refusals.inc({ code: error.code });
    setting.log.warn({ code: error.code, reason: error.message }, 'order refused');
    throw ApplicationFailure.nonRetryable(error.message, error.code);
  }
}

/** A fault of this program: its text stays in the log of the host. */
function unexpected({ log }: AgentActivitiesSetting, error: unknown): ApplicationFailure {
  log.error({ error }, 'an order could not be handled');
  return ApplicationFailure.nonRetryable('the agent failed to handle the order; its log says why', 'agent_fault');
}

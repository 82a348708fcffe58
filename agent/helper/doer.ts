import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { HelperConfig } from '../../config/agent.ts';
import type { GrantClaims } from '../../workflows/contract.ts';
import { changes } from '../changes.ts';
import type { Doer } from '../doer.ts';
import { LedgerError } from '../durable-file.ts';
import type { OpenedOrder, Performed } from '../order-job.ts';
import { type LookSetting, performLook } from '../perform.ts';
import { RefusalError } from '../refusal.ts';
import { createHandedOver, type HandedOver } from './handed-over.ts';
import { createHelperClient, type FinalAnswer, type HelperClient, HelperError } from './client.ts';

/** What runs may be ended by force and put on record after its time: so long is its answer waited for. */
const AFTER_MS = 60_000;
/** Questions that the activity's own time ends anyway. */
const SHORT_MS = 4000;
/** Nobody has to have signed what is looked for: forged orders must not fill the host with helpers. */
const MAX_RECALLS = 4;

/** Asks the root helper for whatever changes this host, and does the rest itself. */
export function createHelperDoer(
  { socket }: HelperConfig,
  look: LookSetting,
  log: Logger,
  startedAt: number = Date.now(),
): Doer {
  const client = createHelperClient(socket);
  const handed = createHandedOver(startedAt);
  if (!existsSync(socket))
    log.warn({ socket }, 'the helper has no socket there; type: systemctl start fettle-agent-helper.socket');
  let entries = 0;
  const told = (answer: FinalAnswer): FinalAnswer => {
    if ('entries' in answer) entries = answer.entries;
    return answer;
  };
  let recalls = 0;
  const recall = async (grant: string, claims: GrantClaims, signal: AbortSignal): Promise<Performed | null> => {
    if (recalls >= MAX_RECALLS) throw new HelperError('too many orders that do not check are being looked for', true);
    recalls += 1;
    const until = Date.now() + claims.timeout_ms + AFTER_MS;
    const options = { signal, beginBy: Date.now() + SHORT_MS, until };
    try {
      return performedOf(told(await client.ask({ ask: 'recall', grant }, options)));
    } finally {
      recalls -= 1;
    }
  };
  return {
    perform: (opened, signal) =>
      changes(opened.claims.action)
        ? performByHelper({ client, handed, look, log, told }, opened, signal)
        : performLook(look, opened, signal),
    recall: async (claims, grant, signal) =>
      changes(claims.action) && !claims.dry_run ? recall(grant, claims, signal) : null,
    async settle(order, _claims, now) {
      const beginBy = Date.now() + SHORT_MS;
      const answer = told(await client.ask({ ask: 'settle', order, now }, { beginBy, until: beginBy }));
      if ('settled' in answer) return answer.settled;
      throw failure(answer);
    },
    entries: () => entries,
    outlives: true,
    stop: async () => client.close(),
  };
}

type Asking = {
  readonly client: HelperClient;
  readonly handed: HandedOver;
  readonly look: LookSetting;
  readonly log: Logger;
  readonly told: (answer: FinalAnswer) => FinalAnswer;
};

async function performByHelper(
  { client, handed, look, log, told }: Asking,
  opened: OpenedOrder,
  signal: AbortSignal,
): Promise<Performed> {
  const { claims, order, now } = opened;
  const left = claims.begin_by - now();
  let busy: string | null = null;
  let leave = (): void => undefined;
  try {
    leave = await look.slots.take(Date.now() + left, signal);
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    busy = error.message;
  }
  const beginBy = Date.now() + Math.max(0, left);
  try {
    const onSend = (): void => handed.note(claims);
    const options = { signal, beginBy, until: beginBy + claims.timeout_ms + AFTER_MS, onSend };
    const performed = performedOf(
      told(await client.ask({ ask: 'perform', order, now: Math.floor(now()), busy }, options)),
    );
    if (performed !== null) return performed;
    throw new HelperError('the helper gave no answer to an order', false);
  } catch (error) {
    if (!(error instanceof HelperError && error.unsent && left > 0)) throw error;
    // Once it is too late to begin, and no delivery of it was sent, it never will be done, whatever comes of the helper.
    await sleep(Math.max(0, claims.begin_by - now()) + 1);
    if (!handed.neverWas(claims)) throw error;
    log.error({ error: error.message }, 'the helper cannot be reached');
    const result = { status: 'refused', code: 'helper_unavailable', message: error.message } as const;
    return { result, from: null, to: Date.now(), repeated: false };
  } finally {
    leave();
  }
}

function performedOf(answer: FinalAnswer): Performed | null {
  if ('performed' in answer) return answer.performed;
  throw failure(answer);
}

function failure(answer: FinalAnswer): Error {
  if (!('failed' in answer)) return new HelperError('the helper answered another question', false);
  const { code, message } = answer.failed;
  if (code === 'ledger_failed') return new LedgerError(message);
  return new HelperError(`the helper failed: ${message}`, false);
}

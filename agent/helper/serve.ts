import { stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionOrder, SignedOrder } from '../../workflows/contract.ts';
import type { ActionSlots } from '../action-slots.ts';
import { LedgerError } from '../durable-file.ts';
import { type Addressee, unprovenClaims } from '../grants.ts';
import type { Performed } from '../order-job.ts';
import { createPerformer, type Performer } from '../perform.ts';
import { performOrder } from '../perform-order.ts';
import { RefusalError } from '../refusal.ts';
import type { Helper } from './helper.ts';
import { jsonLines } from './lines.ts';
import { ALIVE_MS, type Answer, cancelLine, type Question, question } from './messages.ts';

const ASK_WITHIN_MS = 10_000;
/** An order may just have been taken when the agent goes: it is then still started. */
const LINGER_MS = 3000;

/**
 * Answers the one question of a connection. When the agent goes away what runs goes on by itself, and its end stands in the ledger:
 * only a cancellation that was asked for ends it. Never rejects.
 */
export async function serveConnection(connection: Duplex, open: () => Promise<Helper>): Promise<void> {
  const gone = Promise.withResolvers<void>();
  connection.once('close', gone.resolve);
  connection.on('error', () => connection.destroy());
  const say = (answer: Answer): void => {
    if (connection.writable) connection.write(`${JSON.stringify(answer)}\n`);
  };
  const silent = setTimeout(() => connection.destroy(), ASK_WITHIN_MS);
  const lines = jsonLines(connection);
  try {
    const first = await lines.next().finally(() => clearTimeout(silent));
    const asked = question.parse(first.value);
    const cancel = new AbortController();
    void hearCancellation(lines, cancel, gone.resolve);
    const alive = setInterval(() => say({ alive: true }), ALIVE_MS);
    const answering = async (): Promise<void> => {
      try {
        const helper = await open();
        say(await answer(helper, asked, cancel.signal));
        await keepHouse(helper);
      } catch (error) {
        say(failureOf(error));
      } finally {
        clearInterval(alive);
      }
    };
    await Promise.race([answering(), gone.promise.then(() => sleep(LINGER_MS))]);
  } catch (error) {
    say({
      failed: { code: 'fault', message: `the question could not be read: ${(error as Error).message}`.slice(0, 500) },
    });
  }
  const told = Promise.withResolvers<void>();
  connection.end(told.resolve);
  await Promise.race([told.promise, gone.promise, sleep(LINGER_MS)]);
}

async function hearCancellation(lines: AsyncGenerator, cancel: AbortController, gone: () => void): Promise<void> {
  try {
    for await (const line of lines) {
      const asked = cancelLine.safeParse(line);
      if (asked.success) cancel.abort(asked.data.cancel);
    }
  } catch {
    // What cannot be read is no cancellation.
  }
  gone();
}

async function answer(helper: Helper, asked: Question, signal: AbortSignal): Promise<Answer> {
  const to: Addressee = { id: helper.id, machineId: helper.host.facts.machineId, queues: [] };
  if (asked.ask === 'settle') return settle(helper, asked, to);
  const performer = createPerformer({ ...helper, slots: slotsOf(asked.ask === 'perform' ? asked.busy : null) });
  const performed =
    asked.ask === 'perform'
      ? await perform({ ...helper, performer }, asked, to, signal)
      : await recall(performer, asked.grant, signal);
  return { performed, entries: helper.ledger.size() };
}

async function perform(
  parts: Pick<Helper, 'verifier'> & { readonly performer: Performer },
  { order, now }: Extract<Question, { ask: 'perform' }>,
  to: Addressee,
  signal: AbortSignal,
): Promise<Performed> {
  const { performed } = await performOrder(parts, order as ActionOrder, to, Promise.resolve(laterOf(now)), signal);
  return performed;
}

async function recall(performer: Performer, grant: string, signal: AbortSignal): Promise<Performed | null> {
  const claims = unprovenClaims(grant);
  return claims === null ? null : performer.recall(claims, grant, signal);
}

async function settle(
  { verifier, attempts, ledger }: Helper,
  { order, now }: Extract<Question, { ask: 'settle' }>,
  to: Addressee,
): Promise<Answer> {
  const claims = await verifier.settle(order as SignedOrder, to, laterOf(now)());
  const { execution, step, attempt } = claims;
  const settled = await attempts.settle({ execution, step, attempt }, claims.until);
  return { settled, entries: ledger.size() };
}

/** A false clock of the agent's can only make the helper stricter. */
function laterOf(server: number): () => number {
  const received = performance.now();
  return () => Math.max(Date.now(), server + performance.now() - received);
}

const PRUNE_EVERY_MS = 3_600_000;

/** Nothing is resident that could do it at its hours: now and then whoever has answered does it. */
async function keepHouse({ ledger, log }: Helper): Promise<void> {
  const stamp = join(dirname(ledger.folder), 'pruned');
  try {
    const last = await stat(stamp).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    if (Math.abs(Date.now() - last) < PRUNE_EVERY_MS) return;
    await writeFile(stamp, '');
    await ledger.prune();
  } catch (error) {
    log.error({ error: (error as Error).message }, 'cannot drop old entries of the ledger');
  }
}

/** Places are the agent's to count; it may say that it has none. */
const slotsOf = (busy: string | null): ActionSlots => ({
  async take() {
    if (busy !== null) throw new RefusalError('busy', busy);
    return () => undefined;
  },
  used: () => 0,
});

function failureOf(error: unknown): Answer {
  const message = (error as Error).message.slice(0, 1000);
  if (error instanceof LedgerError) return { failed: { code: 'ledger_failed', message } };
  if (error instanceof RefusalError) return { failed: { code: error.code, message } };
  return { failed: { code: 'fault', message } };
}

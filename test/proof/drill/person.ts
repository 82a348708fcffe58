/** The person on call: lifts breakers, says yes to what waits for one, and no now and then. Whatever fails is tried at the next round. */
import { setTimeout as delay } from 'node:timers/promises';
import type { CoordinatorClient } from '../../../identity/coordinator-client.ts';
import { randomOf, type Random } from './random.ts';

const EVERY_MS = 4_000;
const CALL_MS = 10_000;

/** Goes on until told to stop. */
export async function standIn(client: CoordinatorClient, seed: number, stop: AbortSignal): Promise<void> {
  const random = randomOf(seed);
  while (!stop.aborted) {
    await delay(EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
    await round(client, random).catch(() => undefined);
  }
}

async function round(client: CoordinatorClient, random: Random): Promise<void> {
  const call = () => ({ signal: AbortSignal.timeout(CALL_MS) });
  const { gate } = await client.status(call());
  for (const { id } of gate.breakers) await client.resume({ id, reason: 'drill' }, call()).catch(() => undefined);
  for (const { pending, plan, waits_for } of await client.listPending(call())) {
    if (waits_for !== 'approval') continue;
    const word =
      random.next() < 0.8
        ? client.approve(pending, { plan, reason: 'drill' }, call())
        : client.deny(pending, 'drill', call());
    await word.catch(() => undefined);
  }
}

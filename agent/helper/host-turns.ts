import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attempts } from '../attempts.ts';
import { withLock } from '../folder-lock.ts';
import type { Ledger } from '../ledger.ts';
import { RefusalError } from '../refusal.ts';
import type { Turns } from '../turns.ts';

const AGAIN_MS = 250;

/**
 * One change at a time over all helpers of a host. What is at work is read from the ledger, which outlives every process; between
 * the look and the entry of the next one a lock keeps all other helpers out.
 */
export function createHostTurns(ledger: Ledger, attempts: Attempts): Turns {
  const folder = dirname(ledger.folder);
  return {
    async take(deadline, signal) {
      for (;;) {
        const unlock = await lock(folder);
        let atWork: string | null;
        try {
          atWork = await whatRuns(ledger, attempts);
        } catch (error) {
          unlock();
          throw error;
        }
        if (atWork === null) return { begun: unlock, end: unlock };
        unlock();
        if (signal.aborted) throw busy('the order was withdrawn while it waited');
        if (Date.now() + AGAIN_MS >= deadline) throw busy(`${atWork} had not ended before it had to begin`);
        await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

const busy = (why: string): RefusalError => new RefusalError('busy', `this host does one change at a time, and ${why}`);

/** An attempt whose end nobody recorded gets it here. */
async function whatRuns(ledger: Ledger, attempts: Attempts): Promise<string | null> {
  for (const { record } of await ledger.unfinished()) {
    const { state } = await attempts.stateOf(record.attempt);
    if (state === 'running') return `${record.action} of ${record.attempt.execution}`;
  }
  return null;
}

async function lock(folder: string): Promise<() => void> {
  const acquired = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const held = withLock(folder, () => {
    acquired.resolve();
    return released.promise;
  });
  await Promise.race([acquired.promise, held]);
  held.catch(() => undefined);
  return released.resolve;
}

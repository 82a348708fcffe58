import type { Logger } from 'pino';
import type { Attempts } from './attempts.ts';
import type { Doer } from './doer.ts';
import type { Ledger } from './ledger.ts';
import type { PerformerSetting } from './order-job.ts';
import { createPerformer } from './perform.ts';

const PRUNE_EVERY_MS = 3_600_000;

/** One process that does everything itself. Looks after what an earlier run of it left at work. @throws LedgerError */
export async function createOwnDoer(setting: PerformerSetting, onEntries: (count: number) => void): Promise<Doer> {
  const { ledger, attempts, log } = setting;
  const performer = createPerformer(setting);
  await attempts.adopt();
  const housekeeping = keepHouse(ledger, onEntries, log);
  return {
    ...performer,
    async settle(_order, { execution, step, attempt, until }) {
      return attempts.settle({ execution, step, attempt }, until);
    },
    entries: ledger.size,
    outlives: false,
    async stop() {
      clearInterval(housekeeping);
      await stopAttempts(attempts);
    },
  };
}

function keepHouse(ledger: Ledger, onEntries: (count: number) => void, log: Logger): NodeJS.Timeout {
  const prune = async (): Promise<void> => {
    try {
      await ledger.prune();
    } catch (error) {
      log.error({ error: (error as Error).message }, 'cannot drop old entries of the ledger');
    }
    onEntries(ledger.size());
  };
  void prune();
  return setInterval(() => void prune(), PRUNE_EVERY_MS).unref();
}

/** A disk that takes no record must not keep the agent from stopping. */
const RECORD_WAIT_MS = 12_000;
async function stopAttempts(attempts: Attempts): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, RECORD_WAIT_MS);
  await Promise.race([attempts.stop(), late.promise]);
  clearTimeout(timer);
}

/**
 * One process at a ledger beside others: `node ledger-process.ts DIR MODE NAME`. Says each attempt that it took as one line on standard
 * output, before it goes on.
 */
import { writeSync } from 'node:fs';
import { openLedger } from '../../agent/ledger.ts';
import { ownProcess } from '../../agent/procfs.ts';
import { RefusalError } from '../../agent/refusal.ts';

const [dir = '', mode = '', name = ''] = process.argv.slice(2);
const ledger = await openLedger(dir, { keepMs: -1, maxEntries: 5, keepLeastMs: -1, fullAt: 100_000 });
const begun = (step: string, beginBy: number) => ({
  kind: 'begun' as const,
  attempt: { execution: 'run', step, attempt: 1 },
  nonce: name,
  grantDigest: '',
  argsDigest: '',
  action: 'exec',
  args: {},
  bootId: 'boot',
  owner: ownProcess(),
  at: Date.now(),
  deadline: Date.now() + 1000,
  beginBy,
});
const done = { result: { status: 'unknown', message: '' } as const, from: 0, to: Date.now() };

/** Everybody wants the same ones; only so many may be at work at once. */
async function race(): Promise<void> {
  const most = mode === 'capped' ? 3 : Infinity;
  for (let index = 0; index < 40; index += 1) {
    const record = begun(`step ${index}`, Date.now() + 60_000);
    const room = (all: readonly { readonly atWork: boolean }[]): void => {
      if (all.filter(({ atWork }) => atWork).length >= most) throw new RefusalError('busy', 'full');
    };
    const taken = await ledger.take(record.attempt, record, room).catch((error: unknown) => {
      if (error instanceof RefusalError) return false;
      throw error;
    });
    if (taken) writeSync(1, `${record.attempt.step}\n`);
  }
}

/** Takes, ends and drops without pause, until it is killed. */
async function churn(): Promise<void> {
  for (let index = 0; ; index += 1) {
    const beginBy = Date.now() - 1;
    const record = begun(`${name} ${index}`, beginBy);
    const taken = await ledger.take(record.attempt, record).catch(() => false);
    if (!taken) continue;
    writeSync(1, `${record.attempt.step}\t${beginBy}\n`);
    if (index % 3 !== 0) await ledger.end(record.attempt, done);
    if (index % 5 === 0) await ledger.prune();
  }
}

await (mode === 'churn' ? churn() : race());

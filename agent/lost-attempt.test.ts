import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import { temporaryDirectory } from '../test/support/processes.ts';
import { createAttempts } from './attempts.ts';
import type { Launcher, LaunchState } from './launcher.ts';
import { attemptKey, openLedger } from './ledger.ts';
import type { Begun } from './ledger-records.ts';
import { ownProcess, type ProcessMark } from './procfs.ts';

const DEAD: ProcessMark = { pid: 4_000_000, startTime: 1 };
const ATTEMPT = { execution: 'run:web-1:1-1', step: 'step', attempt: 1 };
const BEGUN: Begun = {
  kind: 'begun',
  attempt: ATTEMPT,
  nonce: 'nonce',
  grantDigest: 'digest',
  argsDigest: 'digest',
  action: 'exec',
  args: {},
  bootId: 'boot-1',
  owner: DEAD,
  launched: 'unit',
  at: Date.now(),
  deadline: Date.now() + 30_000,
  beginBy: Date.now() + 15_000,
};
let home: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeEach(async () => {
  home = await temporaryDirectory('fettle-lost-');
});
afterEach(() => home[Symbol.asyncDispose]());

/** A helper that finds an attempt which another one began; `state` is what systemd says of its unit, null that it says nothing. */
async function successor(state: LaunchState | null, bootId = 'boot-1') {
  const ledger = await openLedger(home.path);
  const forgotten: string[] = [];
  const launcher: Launcher = {
    kind: 'unit',
    start: async () => undefined,
    stop: async () => undefined,
    async look() {
      if (state === null) throw new Error('no answer');
      return state;
    },
    forget: async (attempt) => void forgotten.push(attemptKey(attempt)),
  };
  const log = pino({ level: 'silent' });
  const attempts = createAttempts({ ledger, bootId, owner: ownProcess(), log, worksOn: async () => false, launcher });
  return { ledger, attempts, forgotten };
}

const settled = async ({ attempts }: Awaited<ReturnType<typeof successor>>): Promise<string> => {
  const answer = await attempts.settle(ATTEMPT, Date.now());
  if (answer.state !== 'ended') return answer.state;
  return answer.result.status === 'failed' ? `failed: ${answer.result.code}` : answer.result.status;
};

describe('an attempt whose helper died', () => {
  it('before anything was started never ran, and cannot be run any more', async () => {
    const next = await successor({ active: false, killed: null });
    assert.ok(await next.ledger.take(ATTEMPT, BEGUN));
    assert.equal(await settled(next), 'failed: spawn');
    assert.equal(await next.ledger.claimRun(ATTEMPT, DEAD), false);
  });

  it('is running while its unit is, and while nobody can tell', async () => {
    await (await openLedger(home.path)).take(ATTEMPT, BEGUN);
    assert.equal(await settled(await successor({ active: true, killed: null })), 'running');
    assert.equal(await settled(await successor(null)), 'running');
  });

  for (const [killed, said] of [
    ['timeout', 'failed: timeout'],
    ['memory', 'failed: exit'],
    [null, 'unknown'],
  ] as const)
    it(`and whose unit ended without a result, killed by ${killed ?? 'a hand'}, is ${said}`, async () => {
      const next = await successor({ active: false, killed });
      await next.ledger.take(ATTEMPT, BEGUN);
      assert.ok(await next.ledger.claimRun(ATTEMPT, DEAD));
      assert.equal(await settled(next), said);
      assert.deepEqual(next.forgotten, [attemptKey(ATTEMPT)]);
    });

  it('is over under another boot, unknown if it had been run', async () => {
    const next = await successor({ active: true, killed: null }, 'boot-2');
    await next.ledger.take(ATTEMPT, BEGUN);
    await next.ledger.claimRun(ATTEMPT, DEAD);
    assert.equal(await settled(next), 'unknown');
  });

  it('keeps the result that its runner put on record', async () => {
    const next = await successor({ active: false, killed: null });
    await next.ledger.take(ATTEMPT, BEGUN);
    await next.ledger.claimRun(ATTEMPT, DEAD);
    const output = { facts: {}, exitCode: 0, tail: 'held', digest: null, bytes: 4 };
    await next.ledger.end(ATTEMPT, { result: { status: 'done', output }, from: BEGUN.at, to: Date.now() });
    assert.equal(await settled(next), 'done');
  });
});

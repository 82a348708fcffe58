import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { temporaryDirectory } from '../test/support/processes.ts';
import type { BootClock } from './boot-clock.ts';
import { LedgerError } from './durable-file.ts';
import { openLedger } from './ledger.ts';
import type { Begun } from './ledger-records.ts';
import type { LedgerLimits } from './ledger-pruning.ts';
import { RefusalError } from './refusal.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-11-21T12:00:00Z');
const LIMITS: LedgerLimits = { keepMs: 30 * DAY, maxEntries: 20_000, keepLeastMs: HOUR, fullAt: 60_000 };
let home: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeEach(async () => void (home = await temporaryDirectory('fettle-ledger-')));
afterEach(() => home[Symbol.asyncDispose]());

/** Time as it passes, and a clock that somebody steps. */
function world() {
  let passed = 0;
  let stepped = 0;
  let boot = 1;
  let bootedAt = -DAY;
  const clock: BootClock = {
    now: () => START + passed + stepped,
    instant: () => ({ boot: `boot-${boot}`, uptime: passed - bootedAt }),
  };
  return {
    clock,
    /** True time, which coordinators have. */
    time: () => START + passed,
    pass: (ms: number) => void (passed += ms),
    step: (ms: number) => void (stepped += ms),
    reboot: () => {
      boot += 1;
      bootedAt = passed;
    },
  };
}
type World = ReturnType<typeof world>;

const begun = (step: string, beginBy: number, { clock, time }: World): Begun => ({
  kind: 'begun',
  attempt: { execution: 'run:web-1:1', step, attempt: 1 },
  nonce: step,
  grantDigest: '',
  argsDigest: '',
  action: 'exec',
  args: {},
  bootId: 'boot',
  owner: { pid: 4_000_000, startTime: 1 },
  at: clock.now(),
  deadline: clock.now() + 1000,
  beginBy,
  issuedAt: time(),
});
const ended = (at: number) => ({ result: { status: 'unknown', message: '' } as const, from: at, to: at });

describe('the ledger, whatever the clock does', () => {
  type Move =
    | { kind: 'take' | 'again' | 'prune' | 'reboot' | 'reopen' }
    | { kind: 'pass' | 'step'; ms: number }
    | { kind: 'late'; ms: number };
  const far = fc.integer({ min: -400 * DAY, max: 400 * DAY });
  const near = fc.integer({ min: -2 * HOUR, max: 2 * HOUR });
  const move: fc.Arbitrary<Move> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('again', 'prune', 'reboot', 'reopen') }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 40 * DAY }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('step' as const), ms: fc.oneof(near, far) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('late' as const), ms: fc.integer({ min: 10_000, max: HOUR }) }),
    },
  );

  it('takes nothing twice, and honest orders always', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 5, maxLength: 40 }), async (moves) => {
        const dir = join(home.path, `run-${(runs += 1)}`);
        const limits = { keepMs: 10 * DAY, maxEntries: 6, keepLeastMs: HOUR, fullAt: 1000 };
        const on = world();
        let ledger = await openLedger(dir, limits, on.clock);
        const taken: Begun[] = [];
        const take = async (record: Begun): Promise<string> =>
          ledger.take(record.attempt, record).then(String, (error: unknown) => {
            assert.ok(error instanceof RefusalError, String(error));
            return error.code;
          });
        for (const [index, next] of moves.entries()) {
          if (next.kind === 'pass') on.pass(next.ms);
          else if (next.kind === 'step') on.step(next.ms);
          else if (next.kind === 'reboot') on.reboot();
          else if (next.kind === 'prune') await ledger.prune();
          else if (next.kind === 'take') {
            const record = begun(`step ${index}`, on.time() + 15_000, on);
            assert.equal(await take(record), 'true');
            await ledger.end(record.attempt, ended(on.clock.now()));
            taken.push(record);
          } else if (next.kind === 'late' && taken.length > 0) {
            // Signed so long before the latest one that was taken, and kept back: too late by the coordinators' own clock.
            const latest = taken.at(-1)!.issuedAt!;
            assert.match(await take(begun(`late ${index}`, latest - next.ms, on)), /grant_(?:expired|used)/);
          }
          if (next.kind === 'reopen' || next.kind === 'reboot') ledger = await openLedger(dir, limits, on.clock);
          for (const old of taken) assert.match(await take(old), /^(?:false|grant_used|grant_expired)$/);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('keeps what is young when the clock is stepped forward, and drops it when its time has passed', async () => {
    const on = world();
    const ledger = await openLedger(home.path, LIMITS, on.clock);
    const record = begun('a', on.time() + 15_000, on);
    await ledger.take(record.attempt, record);
    await ledger.end(record.attempt, ended(on.clock.now()));
    on.step(366 * DAY);
    await ledger.prune();
    assert.equal(ledger.size(), 1);
    on.reboot();
    const after = await openLedger(home.path, LIMITS, on.clock);
    await after.prune();
    assert.equal(after.size(), 1, 'right after a boot the clock may still be wrong');
    on.step(-366 * DAY);
    on.pass(31 * DAY);
    await after.prune();
    assert.deepEqual([after.size(), await after.floor()], [0, record.beginBy]);
  });

  it('never lifts its floor to what was signed for a time far ahead', async () => {
    const on = world();
    const ledger = await openLedger(home.path, LIMITS, on.clock);
    const attempt = { execution: 'run', step: 'far', attempt: 1 };
    const far = on.time() + 300 * DAY;
    const refused = {
      kind: 'refused',
      attempt,
      nonce: 'n',
      code: 'grant_malformed',
      message: '',
      at: on.time(),
    } as const;
    await ledger.take(attempt, { ...refused, beginBy: far });
    on.pass(HOUR);
    on.step(400 * DAY);
    await ledger.prune();
    on.step(-400 * DAY);
    const honest = begun('now', on.time() + 15_000, on);
    assert.equal(await ledger.take(honest.attempt, honest), true);
    assert.equal(await ledger.take(attempt, { ...refused, beginBy: far }), false);
  });

  it('stays within its number, and refuses when it cannot', async () => {
    const on = world();
    const ledger = await openLedger(home.path, { ...LIMITS, maxEntries: 3, fullAt: 6 }, on.clock);
    const next = async (name: string): Promise<boolean> => {
      const record = begun(name, on.time() + 15_000, on);
      const taken = await ledger.take(record.attempt, record);
      await ledger.end(record.attempt, ended(on.clock.now()));
      return taken;
    };
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await next(name);
    await assert.rejects(next('g'), (error: Error) => error instanceof LedgerError && /is full: 6/.test(error.message));
    on.pass(2 * HOUR);
    await ledger.prune();
    assert.equal(ledger.size(), 3);
    assert.equal(await next('g'), true);
  });
});

describe("the ledger's folder", () => {
  const opening = () => openLedger(home.path, LIMITS, world().clock);
  const refusal = (pattern: RegExp) => (error: unknown) => error instanceof LedgerError && pattern.test(error.message);

  it('is its own alone: another owner, a link or a file in its place is refused, a wide mode is narrowed', async () => {
    const folder = join(home.path, 'ledger');
    await mkdir(folder);
    await chmod(folder, 0o777);
    await opening();
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    if (process.geteuid?.() === 0) {
      await chown(folder, 1234, 1234);
      await assert.rejects(opening(), refusal(/it belongs to uid 1234/));
    }
    await rm(folder, { recursive: true });
    await mkdir(join(home.path, 'elsewhere'));
    await symlink(join(home.path, 'elsewhere'), folder);
    await assert.rejects(opening(), refusal(/it is no folder/));
    await rm(folder);
    await writeFile(folder, '');
    await assert.rejects(opening(), refusal(/cannot use/));
  });
});

const PROCESS = fileURLToPath(new URL('../test/support/ledger-process.ts', import.meta.url));
function start(mode: string, name: string) {
  const child = spawn(process.execPath, [PROCESS, home.path, mode, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const closed = once(child, 'close');
  /** Whole lines: what was said. */
  return { child, closed, lines: () => said.split('\n').slice(0, -1) };
}

describe('several processes at one ledger', () => {
  it('take each attempt once between them', async () => {
    const all = ['a', 'b', 'c'].map((name) => start('race', name));
    for (const { closed } of all) assert.deepEqual(await closed, [0, null]);
    const taken = all.flatMap(({ lines }) => lines());
    assert.deepEqual([taken.length, new Set(taken).size], [40, 40]);
    assert.deepEqual(
      (await readdir(join(home.path, 'ledger'))).filter((name) => /lock|new/.test(name)),
      [],
    );
  });

  it('never have more at work than there is room for', async () => {
    const all = ['a', 'b', 'c'].map((name) => start('capped', name));
    for (const { closed } of all) assert.deepEqual(await closed, [0, null]);
    assert.equal(all.flatMap(({ lines }) => lines()).length, 3);
  });

  it('killed at any moment, leave nothing forgotten, nothing damaged and no lock behind', async () => {
    for (const [round, ms] of [150, 40, 90, 10, 60].entries()) {
      const pair = [start('churn', `a${round}`), start('churn', `b${round}`)] as const;
      while (pair.some(({ lines }) => lines().length === 0)) await sleep(10);
      await sleep(ms);
      for (const { child, closed } of pair) {
        child.kill('SIGKILL');
        await closed;
      }
      const ledger = await openLedger(home.path, LIMITS);
      const on = world();
      for (const line of pair.flatMap(({ lines }) => lines())) {
        const [step = '', beginBy = ''] = line.split('\t');
        const attempt = { execution: 'run', step, attempt: 1 };
        await assert.doesNotReject(ledger.read(attempt));
        const again = { ...begun(step, Number(beginBy), on), attempt, issuedAt: 0 };
        const answer = await ledger.take(attempt, again).catch((error: RefusalError) => error.code);
        assert.ok(answer === false || answer === 'grant_used', `${step}: ${String(answer)}`);
      }
    }
  });
});

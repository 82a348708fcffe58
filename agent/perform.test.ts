import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import type { AllowRule } from '../config/agent-rules.ts';
import type { ProgramCommand } from '../config/commands.ts';
import { digest, script } from '../test/support/agent-bench.ts';
import { eventually, temporaryDirectory } from '../test/support/processes.ts';
import type { ActionOrder, ArgValue, GrantClaims } from '../workflows/contract.ts';
import { createActionSlots } from './action-slots.ts';
import { PROGRAMS } from './actions/action.ts';
import { createAllowList } from './allow-list.ts';
import { createAttempts } from './attempts.ts';
import { checkBeginBy } from './grants.ts';
import { type BootClock, hostClock } from './boot-clock.ts';
import { attemptKey, openLedger } from './ledger.ts';
import type { LedgerLimits } from './ledger-pruning.ts';
import { createPerformer } from './perform.ts';
import { createTurns } from './turns.ts';
import { ownProcess, type ProcessMark, readProcess } from './procfs.ts';

const log = pino({ level: 'silent' });
const place = { file: 'agent.hcl', line: 1, column: 1 };
const DEAD: ProcessMark = { pid: 4_000_000, startTime: 1 };
let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let count: string;

beforeEach(async () => {
  home = await temporaryDirectory('fettle-perform-');
  count = join(home.path, 'count');
});
afterEach(() => home[Symbol.asyncDispose]());

type HostOptions = {
  owner?: ProcessMark;
  bootId?: string;
  allow?: string;
  caps?: Partial<Pick<AllowRule, 'perHour' | 'concurrent'>>;
  limits?: LedgerLimits;
  clock?: BootClock;
  secretsDir?: string;
  dir?: string;
};

/** The host's clock, and a way to let time pass. */
function settable() {
  let passed = 0;
  let stepped = 0;
  const real = hostClock();
  const clock: BootClock = {
    now: () => real.now() + passed + stepped,
    instant: () => ({ boot: real.instant().boot, uptime: real.instant().uptime + passed }),
  };
  return { clock, pass: (ms: number) => void (passed += ms), step: (ms: number) => void (stepped += ms) };
}

/** An agent without its queues: what is left of it is the ledger and everything that decides. */
async function host({
  owner = ownProcess(),
  bootId = 'boot-1',
  allow = '*',
  caps = {},
  limits,
  clock,
  secretsDir,
  dir,
}: HostOptions = {}) {
  const ledger = await openLedger(dir ?? home.path, limits, clock);
  const facts = { bootId, machineId: 'machine-1', agentVersion: '1' };
  const commands = new Map([
    ['count', command('count', await script(home.path, 'count.sh', `#!/bin/sh\necho x >> ${count}\n`))],
    ['hold', command('hold', await script(home.path, 'hold.sh', `#!/bin/sh\necho x >> ${count}\nexec sleep 600\n`))],
    [
      'say',
      { ...command('say', '/bin/echo'), argv: ['/bin/echo', '{word}'], inputs: [{ name: 'word', pattern: '.*' }] },
    ],
  ]);
  const attempts = createAttempts({ ledger, bootId, owner, log, worksOn: async () => false, launcher: null });
  const slots = createActionSlots(4);
  const performer = createPerformer({
    host: {
      facts,
      commands,
      clean: new Map(),
      secretsDir: null,
      diagnosticsDir: home.path,
      ...PROGRAMS,
      systemctl: await script(home.path, 'systemctl', `#!/bin/sh\necho ActiveState=active\nexec sleep 0.2\n`),
    },
    ledger,
    attempts,
    allow: createAllowList([{ place, action: allow, args: {}, perHour: null, concurrent: null, ...caps }]),
    slots,
    turns: createTurns(),
    launcher: null,
    owner,
    brakeFile: join(home.path, 'stop'),
    secretsDir: secretsDir ?? null,
    log,
  });
  return { ledger, attempts, performer };
}

const command = (name: string, program: string): ProgramCommand => ({
  place,
  kind: 'program',
  name,
  argv: [program],
  inputs: [],
  timeoutMs: 60_000,
  environment: {},
  workingDirectory: '/',
  secrets: {},
});

type Host = Awaited<ReturnType<typeof host>>;
let nonce = 0;
const grant = (args: Record<string, ArgValue> = { command: 'count' }, more: Partial<GrantClaims> = {}) => {
  const claims: GrantClaims = {
    iss: 'spiffe://example.com/coordinator',
    sub: 'spiffe://example.com/agent/dc1/web/web-1',
    jti: `nonce-${(nonce += 1)}`,
    iat: Math.floor(Date.now() / 1000),
    machine_id: null,
    execution: 'run:web-1:1-1',
    step: 'step',
    attempt: 1,
    action: 'exec',
    args_digest: digest(args),
    plan: 'plan',
    begin_by: Date.now() + 15_000,
    timeout_ms: 30_000,
    dry_run: false,
    supersedes: null,
    ...more,
  };
  const order: ActionOrder = { protocol: 1, grant: `grant of ${claims.jti}`, args };
  return { claims, order };
};
type Grant = ReturnType<typeof grant>;
const perform = (on: Host, { claims, order }: Grant, signal = new AbortController().signal, now = Date.now) =>
  on.performer.perform({ claims, order, now, check: () => checkBeginBy(claims, now()) }, signal);
const resultOf = async (on: Host, given: Grant, now = Date.now): Promise<string> => {
  const { result } = await perform(on, given, undefined, now);
  return result.status === 'refused' ? result.code : result.status;
};
const runs = (): number => (existsSync(count) ? readFileSync(count, 'utf8').trim().split('\n').length : 0);
const attemptOf = ({ claims: { execution, step, attempt } }: Grant) => ({ execution, step, attempt });

describe('an attempt', () => {
  it('is done once, however often its order comes, also after a restart', async () => {
    const given = grant();
    const first = await host();
    const answers = await Promise.all([perform(first, given), perform(first, given), perform(first, given)]);
    const again = await perform(await host(), given);
    for (const answer of [...answers, again])
      assert.deepEqual([answer.result, answer.from], [answers[0].result, answers[0].from]);
    assert.deepEqual([again.result.status, again.repeated, runs()], ['done', true, 1]);
  });

  it('is answered as it was, when its order comes after its begin-by', async () => {
    const on = await host();
    const given = grant();
    assert.equal(await resultOf(on, given), 'done');
    assert.equal(await resultOf(on, given, () => Date.now() + 3_600_000), 'done');
    assert.equal(runs(), 1);
  });

  it('is refused to another order with the same number', async () => {
    const on = await host();
    assert.equal(await resultOf(on, grant()), 'done');
    assert.equal(await resultOf(on, grant()), 'grant_used');
    const same = grant();
    assert.equal(await resultOf(on, { ...same, claims: { ...same.claims, args_digest: 'other' } }), 'grant_used');
    assert.equal(runs(), 1);
  });

  it('once refused stays refused when the reason has gone', async () => {
    const given = grant();
    const now = () => Date.now() + 60_000;
    assert.equal(await resultOf(await host(), given, now), 'grant_expired');
    assert.equal(await resultOf(await host(), given), 'grant_expired');
    const forbidden = grant({ command: 'count' }, { step: 'other' });
    assert.equal(await resultOf(await host({ allow: 'ping' }), forbidden), 'action_not_allowed');
    assert.equal(await resultOf(await host(), forbidden), 'action_not_allowed');
    assert.equal(runs(), 0);
  });

  it('that is rehearsed leaves no trace in the ledger', async () => {
    const on = await host();
    const { result } = await perform(on, grant({ command: 'count' }, { dry_run: true }));
    assert.match((result.status === 'done' && result.output.tail) || '', /would run/);
    assert.deepEqual(readdirSync(join(home.path, 'ledger')), []);
    assert.equal(runs(), 0);
  });

  it('taken by one of two agents at once is done by that one, and both say the same', async () => {
    const parent = readProcess(process.ppid)!.mark;
    const [one, two] = [await host(), await host({ owner: parent })];
    const given = grant();
    const answers = await Promise.all([perform(one, given), perform(two, given)]);
    assert.deepEqual(answers[0].result, answers[1].result);
    assert.equal(runs(), 1);
  });

  it('whose agent died before its program began is unknown, not done again', async () => {
    const given = grant();
    const dead = await host({ owner: DEAD });
    const record = {
      kind: 'begun' as const,
      attempt: attemptOf(given),
      nonce: given.claims.jti,
      grantDigest: 'digest',
      argsDigest: given.claims.args_digest,
      action: 'exec',
      args: {},
      bootId: 'boot-1',
      owner: DEAD,
      at: Date.now(),
      deadline: Date.now() + 1000,
      beginBy: given.claims.begin_by,
    };
    assert.ok(await dead.ledger.take(attemptOf(given), record));
    assert.equal(await resultOf(await host(), given), 'unknown');
    assert.equal(runs(), 0);
  });

  it('begun under another boot is over, whatever its process number says now', async () => {
    const given = grant({ command: 'hold' });
    const cancel = new AbortController();
    const on = await host();
    const performed = perform(on, given, cancel.signal);
    await eventually(() => runs() === 1);
    const after = await host({ bootId: 'boot-2', owner: DEAD });
    const answer = await after.attempts.settle(attemptOf(given), Date.now());
    assert.equal(answer.state === 'ended' && answer.result.status, 'unknown');
    cancel.abort();
    await performed;
  });
});

describe('settling', () => {
  it('says running, then how it ended, and refuses what had not begun', async () => {
    const on = await host();
    const given = grant({ command: 'hold' });
    const cancel = new AbortController();
    const performed = perform(on, given, cancel.signal);
    await eventually(() => runs() === 1);
    assert.deepEqual(await on.attempts.settle(attemptOf(given), Date.now()), { state: 'running', attempt: 1 });
    cancel.abort();
    await performed;
    const answer = await on.attempts.settle({ ...attemptOf(given), attempt: 3 }, Date.now());
    assert.deepEqual(answer.state === 'ended' && [answer.attempt, answer.result.status], [1, 'failed']);
    assert.equal(await resultOf(on, grant({ command: 'count' }, { attempt: 2 })), 'attempt_refused');
    assert.equal(await resultOf(on, grant({ command: 'count' }, { attempt: 3 })), 'attempt_refused');
    assert.equal(await resultOf(on, grant({ command: 'count' }, { attempt: 4 })), 'done');
  });

  it('and an order at the same instant: either it ran and is told, or it never will', async () => {
    for (let round = 0; round < 20; round += 1) {
      const on = await host();
      const given = grant({ command: 'count' }, { step: `race-${round}` });
      const before = runs();
      const [performed, answer] = await Promise.all([
        perform(on, given),
        on.attempts.settle(attemptOf(given), Date.now()),
      ]);
      const ran = runs() > before;
      assert.equal(performed.result.status, ran ? 'done' : 'refused');
      assert.equal(answer.state === 'never_begun', !ran);
    }
  });
});

describe('a later attempt', () => {
  it('does not begin beside an earlier one, unless it may end it first', async () => {
    const on = await host();
    const cancel = new AbortController();
    const earlier = perform(on, grant({ command: 'hold' }), cancel.signal);
    await eventually(() => runs() === 1);
    assert.equal(await resultOf(on, grant({ command: 'count' }, { attempt: 2 })), 'attempt_unsettled');
    assert.equal(await resultOf(on, grant({ command: 'count' }, { attempt: 3, supersedes: 2 })), 'attempt_unsettled');
    cancel.abort();
    assert.equal((await earlier).result.status, 'failed');
  });

  it('of an action that may be repeated ends the earlier one when it supersedes it', async () => {
    const on = await host();
    const restart = { unit: 'web.service' };
    const slow = await script(
      home.path,
      'systemctl',
      `#!/bin/sh\ncase "$*" in *show*) echo ActiveState=active;; *) sleep 600;; esac\n`,
    );
    const earlier = perform(on, grant(restart, { action: 'systemd.restart' }));
    await eventually(
      async () => (await on.ledger.read({ execution: 'run:web-1:1-1', step: 'step', attempt: 1 })) !== null,
    );
    await rm(slow);
    await script(home.path, 'systemctl', `#!/bin/sh\necho ActiveState=active\n`);
    const later = await resultOf(on, grant(restart, { action: 'systemd.restart', attempt: 2, supersedes: 1 }));
    assert.equal(later, 'done');
    assert.equal((await earlier).result.status, 'failed');
  });

  it('closes those before it that never came', async () => {
    const on = await host();
    assert.equal(await resultOf(on, grant({ command: 'count' }, { attempt: 3 })), 'done');
    assert.equal(await resultOf(on, grant({ command: 'count' }, { attempt: 2 })), 'attempt_refused');
    assert.equal(runs(), 1);
  });
});

describe('the ledger', () => {
  const names = async () => (await readdir(join(home.path, 'ledger'))).filter((name) => name !== 'floor');

  it('with a damaged entry refuses that attempt rather than forgetting it', async () => {
    for (const damage of ['', 'x', '{}', 'digest\n{}']) {
      const given = grant({ command: 'count' }, { step: `damaged-${damage.length}` });
      const on = await host();
      assert.equal(await resultOf(on, given), 'done');
      writeFileSync(join(home.path, 'ledger', attemptKey(attemptOf(given))), damage);
      assert.equal(await resultOf(await host(), given), 'ledger_failed');
      await assert.rejects(on.attempts.settle(attemptOf(given), Date.now()), /damaged/);
    }
    assert.equal(runs(), 4);
  });

  it('does not take the entry of another attempt for its own', async () => {
    const [one, two] = [grant({ command: 'count' }, { step: 'one' }), grant({ command: 'count' }, { step: 'two' })];
    const on = await host();
    assert.equal(await resultOf(on, one), 'done');
    const file = (given: Grant) => join(home.path, 'ledger', attemptKey(attemptOf(given)));
    await rename(file(one), file(two));
    assert.equal(await resultOf(on, two), 'ledger_failed');
  });

  it('that cannot be used refuses everything', async () => {
    const on = await host();
    await rename(join(home.path, 'ledger'), join(home.path, 'away'));
    await writeFile(join(home.path, 'ledger'), '');
    assert.equal(await resultOf(on, grant()), 'ledger_failed');
    await assert.rejects(on.attempts.settle({ execution: 'e', step: 's', attempt: 1 }, Date.now()), /cannot/);
    assert.equal(runs(), 0);
  });

  it('on a full disk refuses to begin, and begins other things when there is room', async (context: TestContext) => {
    const dir = join(home.path, 'small');
    await mkdir(dir);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'ignore' });
    } catch {
      context.skip('a file system cannot be mounted here');
      return;
    }
    try {
      const on = await host({ dir });
      fill(dir);
      const refused = grant();
      assert.equal(await resultOf(on, refused), 'ledger_failed');
      await rm(join(dir, 'ballast'));
      assert.equal(await resultOf(on, refused), 'ledger_failed');
      assert.equal(runs(), 0);
      assert.equal(await resultOf(on, grant({ command: 'count' }, { step: 'room' })), 'done');
    } finally {
      execFileSync('umount', [dir]);
    }
  });

  it('names files by digest, whatever an id holds', async () => {
    const on = await host();
    const hostile = '../../../../tmp/x\u0000\n/*';
    assert.equal(await resultOf(on, grant({ command: 'count' }, { execution: hostile, step: hostile })), 'done');
    for (const name of await names()) assert.match(name, /^[A-Za-z0-9_-]{43}\.1(?:\.process|\.result)?$/);
  });

  it('drops what is old under a floor that re-admits nothing, also when the clock steps back', async () => {
    const limits = { keepMs: 1000, maxEntries: 100, keepLeastMs: 1000, fullAt: 1000 };
    const { clock, pass } = settable();
    const given = grant();
    const on = await host({ limits, clock });
    assert.equal(await resultOf(on, given), 'done');
    pass(60_000);
    await on.ledger.prune();
    assert.deepEqual([await names(), on.ledger.size()], [[], 0]);
    const settled = await on.attempts.settle(attemptOf(given), Date.now());
    assert.equal(settled.state === 'ended' && settled.result.status, 'unknown', 'never begun would be a lie');
    const yesterday = () => Date.now() - 86_400_000;
    for (const next of [on, await host({ limits })]) assert.equal(await resultOf(next, given, yesterday), 'grant_used');
    assert.equal(
      await resultOf(on, grant({ command: 'count' }, { begin_by: Date.now() + 60_000, step: 'new' })),
      'done',
    );
    assert.equal(runs(), 2);
  });

  it('keeps what has no end on record, however old, and the newest up to its number', async () => {
    const limits = { keepMs: 1e12, maxEntries: 2, keepLeastMs: -1, fullAt: 1000 };
    const on = await host({ limits });
    for (const step of ['a', 'b', 'c', 'd'])
      await perform(on, grant({ command: 'count' }, { step, begin_by: Date.now() + 200 }));
    const cancel = new AbortController();
    const held = perform(on, grant({ command: 'hold' }, { step: 'held' }), cancel.signal);
    await eventually(() => runs() === 5);
    await eventually(async () => {
      await on.ledger.prune();
      return on.ledger.size() === 2;
    });
    assert.equal(
      (await on.attempts.settle({ execution: 'run:web-1:1-1', step: 'held', attempt: 1 }, 0)).state,
      'running',
    );
    cancel.abort();
    await held;
  });

  it('does not open over a damaged floor', async () => {
    await host();
    writeFileSync(join(home.path, 'ledger', 'floor'), 'x');
    await assert.rejects(host(), /floor is damaged/);
  });
});

describe('caps', () => {
  it('hold over restarts and steps of the clock, until an hour has passed', async () => {
    const { clock, pass, step } = settable();
    const again = () => host({ caps: { perHour: 2 }, clock });
    const next = (name: string) => grant(undefined, { step: name, begin_by: Date.now() + 3_000_000 });
    assert.equal(await resultOf(await again(), next('a')), 'done');
    pass(3_000_000);
    assert.equal(await resultOf(await again(), next('b')), 'done');
    const on = await again();
    const over = await perform(on, next('c'));
    assert.match(
      JSON.stringify(over.result),
      /cap_reached.*per_hour = 2, and 2 are counted; the next may begin in 10 min/,
    );
    for (const ms of [3_600_000, -7_200_000]) {
      step(ms);
      assert.equal(await resultOf(await again(), next(`stepped ${ms}`)), 'cap_reached');
    }
    pass(600_000);
    assert.equal(await resultOf(on, next('d')), 'done');
    assert.equal(runs(), 3);
  });

  it('let so many be at work at once, in several processes too', async () => {
    const [one, other] = [await host({ caps: { concurrent: 1 } }), await host({ caps: { concurrent: 1 } })];
    const cancel = new AbortController();
    const held = perform(one, grant({ command: 'hold' }, { step: 'held' }), cancel.signal);
    await eventually(() => runs() === 1);
    assert.equal(await resultOf(other, grant(undefined, { step: 'second' })), 'busy');
    cancel.abort();
    await held;
    assert.equal(await resultOf(other, grant(undefined, { step: 'third' })), 'done');
    assert.equal(runs(), 2);
  });

  it('refuse when what is on record cannot be counted', async () => {
    const on = await host({ caps: { perHour: 9 } });
    const first = grant();
    assert.equal(await resultOf(on, first), 'done');
    writeFileSync(join(home.path, 'ledger', attemptKey(attemptOf(first))), 'x');
    assert.equal(await resultOf(on, grant(undefined, { step: 'next' })), 'ledger_failed');
    assert.equal(runs(), 1);
  });
});

describe('the brake', () => {
  it('ends what runs when it says so, and nothing begins until it is gone', async () => {
    const on = await host();
    const held = perform(on, grant({ command: 'hold' }));
    await eventually(() => runs() === 1);
    await writeFile(join(home.path, 'stop'), 'reason: leak\ncancel: yes\n');
    const { result } = await held;
    assert.equal(result.status === 'failed' && result.code, 'cancelled');
    const refused = await perform(on, grant(undefined, { step: 'later' }));
    assert.match(JSON.stringify(refused.result), /"brake".*leak/);
    await rm(join(home.path, 'stop'));
    assert.equal(await resultOf(on, grant(undefined, { step: 'last' })), 'done');
    assert.equal(runs(), 2);
  });
});

describe('secrets', () => {
  it('are filled on the host and appear in no answer and no file', async () => {
    const secretsDir = join(home.path, 'secrets');
    await mkdir(secretsDir);
    await writeFile(join(secretsDir, 'token'), 'swordfish\n');
    const word = { template: ['a ', { ref: 'secret.token' }, ' b'] };
    const on = await host({ secretsDir });
    const { result } = await perform(on, grant({ command: 'say', word }));
    assert.equal(result.status === 'done' && result.output.tail, 'a [secret] b\n');
    const rehearsed = await perform(on, grant({ command: 'say', word }, { dry_run: true }));
    assert.doesNotMatch(JSON.stringify(rehearsed), /swordfish/);
    const folder = join(home.path, 'ledger');
    for (const name of readdirSync(folder)) assert.doesNotMatch(readFileSync(join(folder, name), 'utf8'), /swordfish/);
  });

  it('that are missing, oddly named or not secrets at all refuse the order', async () => {
    const on = await host({ secretsDir: home.path });
    for (const ref of ['secret.none', 'secret.../x', 'secret.', 'input.unit', 'secret./etc/passwd']) {
      const given = grant({ command: 'say', word: { template: [{ ref }] } }, { step: ref });
      assert.equal(await resultOf(on, given), 'args_invalid');
    }
  });
});

function fill(dir: string): void {
  try {
    writeFileSync(join(dir, 'ballast'), Buffer.alloc(1024 * 1024));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
}

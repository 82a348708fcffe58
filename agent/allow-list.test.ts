import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AllowRule, NeverRule } from '../config/agent-rules.ts';
import type { ArgumentBound } from '../config/argument-bound.ts';
import { temporaryDirectory } from '../test/support/processes.ts';
import type { ArgResolved, Args } from '../workflows/contract.ts';
import { createAllowList } from './allow-list.ts';
import type { BegunAction } from './ledger.ts';
import { RefusalError } from './refusal.ts';

const place = { file: '/etc/fettle/agent.hcl', line: 7, column: 3 };
const allowRule = (action: string, args: AllowRule['args'] = {}): AllowRule => ({
  place,
  action,
  args,
  perHour: null,
  concurrent: null,
});
const patterns = (args: Record<string, string> = {}): AllowRule['args'] =>
  Object.fromEntries(Object.entries(args).map(([name, pattern]) => [name, { kind: 'pattern', pattern }]));
const allows = (
  rules: readonly { action: string; args?: Record<string, string> }[],
  action: string,
  args: Args = {},
): boolean => {
  try {
    createAllowList(rules.map((rule) => allowRule(rule.action, patterns(rule.args)))).check(action, args);
    return true;
  } catch (error) {
    assert.ok(error instanceof RefusalError && error.code === 'action_not_allowed');
    assert.doesNotMatch(error.message, /swordfish/);
    return false;
  }
};

describe('the allow blocks of a host', () => {
  it('allow nothing when there are none', () => {
    assert.equal(allows([], 'ping'), false);
  });

  it('allow the action they name, or all', () => {
    assert.equal(allows([{ action: 'ping' }], 'ping'), true);
    assert.equal(allows([{ action: 'ping' }], 'exec'), false);
    assert.equal(allows([{ action: 'ping' }], 'pin'), false);
    assert.equal(allows([{ action: '*' }], 'exec', { command: 'x' }), true);
  });

  it('bind each argument as a whole, however its pattern is anchored', () => {
    for (const pattern of ['^web\\.service$', 'web\\.service', 'web\\.service|db\\.service']) {
      const rules = [{ action: 'systemd.restart', args: { unit: pattern } }];
      assert.equal(allows(rules, 'systemd.restart', { unit: 'web.service' }), true);
      for (const unit of ['web.service.d', 'a web.service', 'web.service\n', 'webxservice', '', 'swordfish']) {
        assert.equal(allows(rules, 'systemd.restart', { unit }), false);
      }
    }
  });

  it('want the arguments they name, and leave others free', () => {
    const rules = [{ action: 'exec', args: { command: 'clean' } }];
    assert.equal(allows(rules, 'exec', {}), false);
    assert.equal(allows(rules, 'exec', { command: 'clean', path: '/anything' }), true);
    assert.equal(allows([{ action: 'exec', args: { constructor: '.*' } }], 'exec', {}), false);
  });

  it('look at each element of a list, and at numbers and bools as text', () => {
    const rules = [{ action: 'exec', args: { names: '[a-z]+' } }];
    assert.equal(allows(rules, 'exec', { names: ['a', 'b'] }), true);
    assert.equal(allows(rules, 'exec', { names: ['a', 'B'] }), false);
    assert.equal(allows(rules, 'exec', { names: ['a', ['b', 'C']] }), false);
    assert.equal(allows(rules, 'exec', { names: [] }), false);
    assert.equal(allows([{ action: 'exec', args: { port: '80\\d\\d' } }], 'exec', { port: 8080 }), true);
    assert.equal(allows([{ action: 'exec', args: { port: '80\\d\\d' } }], 'exec', { port: 80800 }), false);
  });

  it('need only one block that fits', () => {
    const rules = [
      { action: 'systemd.restart', args: { unit: 'web\\.service' } },
      { action: 'systemd.restart', args: { unit: 'db\\.service' } },
    ];
    assert.equal(allows(rules, 'systemd.restart', { unit: 'db.service' }), true);
    assert.equal(allows(rules, 'systemd.restart', { unit: 'ssh.service' }), false);
  });

  it('with a broken pattern name the place', () => {
    const broken = [allowRule('exec', patterns({ command: '(' }))];
    assert.throws(
      () => createAllowList(broken),
      /^Error: \/etc\/fettle\/agent\.hcl:7:3: allow\["exec"\]\.args\.command: .*not a regular expression/,
    );
  });
});

describe('bounds of arguments', () => {
  const fits = (bound: ArgumentBound, value: ArgResolved): boolean =>
    createAllowList([allowRule('exec', { x: bound })]).judge('exec', { x: value }).allowed;

  it('are values, numbers, durations, sizes and unit names', () => {
    const range = (of: 'number' | 'duration' | 'size', min: number | null, max: number | null) =>
      ({ kind: 'range', of, min, max }) as const;
    const cases: [ArgumentBound, ArgResolved[], ArgResolved[]][] = [
      [
        { kind: 'one_of', values: ['a', 8080, true] },
        ['a', 8080, '8080', true, ['a', true]],
        ['b', 80, 'a ', '', [], ['a', 'b']],
      ],
      [range('number', 1, 9), [1, 9, 2.5, '5'], [0, 10, '0x5', '5e0', ' 5', '05', '', NaN, Infinity, true, 'five']],
      [range('number', null, 0), [0, -1e9, '-3'], [1, '1']],
      [range('duration', 60_000, 3_600_000), ['1m', '1h', '90s'], ['59s', '61m', '1d', 60_000, '', '-1m', '1M']],
      [range('size', 2 ** 20, 2 ** 30), ['1M', '1G', '1024K'], ['1023K', '2G', '1T', 2 ** 20, '1m', '1']],
      [
        { kind: 'units', units: ['web-*.service', 'a.b@*.timer', '*.socket'] },
        ['web-1.service', 'web-.service', 'a.b@x.timer', 'ssh.socket'],
        ['web.service', 'web-1.service.x', 'xweb-1.service', 'axb@x.timer', 'web-1_service', ''],
      ],
    ];
    for (const [bound, good, bad] of cases) {
      for (const value of good) assert.equal(fits(bound, value), true, `${JSON.stringify(bound)} ${String(value)}`);
      for (const value of bad) assert.equal(fits(bound, value), false, `${JSON.stringify(bound)} ${String(value)}`);
    }
  });

  it('of a folder see through dots and links, and take no path for granted', async (context) => {
    const home = await temporaryDirectory('fettle-under-');
    context.after(() => home[Symbol.asyncDispose]());
    const at = (...parts: string[]): string => [home.path, ...parts].join('/');
    await mkdir(at('log', 'web'), { recursive: true });
    await mkdir(at('other'));
    await mkdir(at('log2'));
    await symlink(at('other'), at('log', 'out'));
    await symlink(at('log', 'web'), at('in'));
    await symlink(at('nowhere'), at('log', 'dangling'));
    await symlink('loop', at('log', 'loop'));
    await writeFile(at('log', 'a.log'), '');
    const bound = { kind: 'under', folder: at('log') } as const;
    const good = [
      at('log'),
      at('log', 'a.log'),
      at('log', 'web'),
      `${at('log', 'web')}/`,
      at('log', 'new', 'deep.log'),
    ];
    const through = [at('in', 'x.log'), at('log', 'web', '..', 'a.log'), at('other', '..', 'log', 'a.log')];
    for (const path of [...good, ...through]) assert.equal(fits(bound, path), true, path);
    const bad = [at('log2'), at('log', '..', 'other'), at('log', 'out'), at('log', 'out', 'x'), at('log', 'dangling')];
    const odd = [
      at('log', 'loop'),
      at('log', 'new', '..', '..', 'x'),
      at('log', 'a.log', 'x'),
      'log/a.log',
      '',
      '/',
      `${at('log')}\0`,
    ];
    for (const path of [...bad, ...odd]) assert.equal(fits(bound, path), false, path);
    for (const value of [7, true, ['log']]) assert.equal(fits(bound, value), false);
  });

  it('of a folder never fit a path whose real place lies outside', async (context) => {
    const home = await temporaryDirectory('fettle-under-');
    context.after(() => home[Symbol.asyncDispose]());
    await mkdir(join(home.path, 'in', 'a'), { recursive: true });
    await mkdir(join(home.path, 'out'));
    await symlink('../../out', join(home.path, 'in', 'a', 'l'));
    const part = fc.constantFrom('in', 'out', 'a', 'l', '..', '.', '', 'new');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const path = [home.path, ...parts].join('/');
        if (!fits({ kind: 'under', folder: join(home.path, 'in') }, path)) return;
        const real = execRealpath(path);
        assert.ok(real === join(home.path, 'in') || real.startsWith(join(home.path, 'in/')), `${path} is ${real}`);
      }),
      { numRuns: 150 },
    );
  });
});

/** What the system's own program makes of it. */
const execRealpath = (path: string): string =>
  execFileSync('realpath', ['--canonicalize-missing', '--', path], { encoding: 'utf8' }).trimEnd();

describe('never blocks', () => {
  const never = (args: NeverRule['args'] = {}, action = 'exec'): NeverRule => ({ place, action, args });
  const allowed = (rules: readonly NeverRule[], args: Args, folders?: readonly string[]): boolean =>
    createAllowList([allowRule('*')], rules, folders).judge('exec', args).allowed;

  it('win over every allow block', () => {
    assert.equal(allowed([], {}), true);
    assert.equal(allowed([never()], {}), false);
    assert.equal(allowed([never({}, '*')], {}), false);
    assert.equal(allowed([never({}, 'ping')], {}), true);
    const verdict = createAllowList([allowRule('*')], [never(patterns({ x: '.*' }))]).judge('exec', { x: 'swordfish' });
    assert.match(
      verdict.allowed ? '' : verdict.message,
      /^this host never does "exec" with the given x: never block at \/etc\/fettle\/agent\.hcl:7$/,
    );
  });

  it('forbid where all they name fits, one element of a list is enough, and doubt counts against the order', () => {
    const both = [never(patterns({ a: '1', b: '2' }))];
    assert.equal(allowed(both, { a: '1' }), true);
    assert.equal(allowed(both, { a: '1', b: '3' }), true);
    assert.equal(allowed(both, { a: '1', b: ['3', '2'] }), false);
    const low = [never({ port: { kind: 'range', of: 'number', min: null, max: 1023 } })];
    assert.equal(allowed(low, { port: 8080 }), true);
    for (const port of [80, '80', '0x50', 'eighty', true]) assert.equal(allowed(low, { port }), false);
    const etc = [never({ path: { kind: 'under', folder: '/etc' } })];
    assert.equal(allowed(etc, { path: '/var/log/x' }), true);
    for (const path of ['/etc/x', '/var/../etc/x', '//etc//x', 'etc/x', '/no/such/../../etc/x'])
      assert.equal(allowed(etc, { path }), false, path);
  });

  it('forbid a unit under each of its names', async (context) => {
    const home = await temporaryDirectory('fettle-units-');
    context.after(() => home[Symbol.asyncDispose]());
    const [etc, usr] = [join(home.path, 'etc'), join(home.path, 'usr')];
    for (const folder of [etc, usr]) await mkdir(folder);
    for (const unit of ['ssh.service', 'web@.service']) await writeFile(join(usr, unit), '');
    await symlink('/lib/systemd/system/ssh.service', join(etc, 'sshd.service'));
    await symlink('sshd.service', join(etc, 'login.service'));
    await symlink(join(usr, 'web@.service'), join(etc, 'www@.service'));
    const folders = [etc, usr, join(home.path, 'none')];
    const ssh = [never({ unit: { kind: 'units', units: ['ssh.service'] } })];
    for (const unit of ['ssh.service', 'sshd.service', 'login.service', ['x.service', 'login.service']])
      assert.equal(allowed(ssh, { unit }, folders), false);
    assert.equal(allowed(ssh, { unit: 'ssh.socket' }, folders), true);
    const web = [never(patterns({ unit: 'web@one\\.service' }))];
    assert.equal(allowed(web, { unit: 'www@one.service' }, folders), false);
    assert.equal(allowed(web, { unit: 'www@two.service' }, folders), true);
  });
});

describe('caps', () => {
  const past = (action: string, args: Record<string, unknown>, ageMs = 0, atWork = false): BegunAction => ({
    action,
    args,
    ageMs,
    atWork,
  });
  const unit = patterns({ unit: 'web.*' });
  const list = createAllowList([
    { ...allowRule('*'), perHour: 5 },
    { ...allowRule('exec', unit), perHour: 2, concurrent: 1 },
  ]);
  const used = (begun: BegunAction[]): string[] => {
    const verdict = list.judge('exec', { unit: 'web' });
    assert.ok(verdict.allowed);
    return list.caps(verdict.by, begun).map(({ kind, used: count, limit }) => `${kind} ${count}/${limit}`);
  };

  it('count all that their block covers, whichever block had let it in', () => {
    assert.deepEqual(used([]), ['per_hour 0/5', 'per_hour 0/2', 'concurrent 0/1']);
    const begun = [
      past('exec', { unit: 'web' }, 0, true),
      past('exec', { unit: 'db' }, 10),
      past('ping', {}, 10),
      past('exec', { unit: 'web' }, 3_600_000),
    ];
    assert.deepEqual(used(begun), ['per_hour 3/5', 'per_hour 1/2', 'concurrent 1/1']);
  });

  it('count what they cannot judge, such as a secret that is on record by its name only', () => {
    const secret = { template: [{ ref: 'secret.unit' }] };
    assert.deepEqual(used([past('exec', { unit: secret })]), ['per_hour 1/5', 'per_hour 1/2', 'concurrent 0/1']);
  });

  it('are asked of each block that an order fits, and of none without caps', () => {
    const room = list.check('exec', { unit: 'web' });
    const code = (begun: BegunAction[]): string => {
      try {
        room?.(begun);
        return 'room';
      } catch (error) {
        return (error as RefusalError).code;
      }
    };
    assert.equal(code([]), 'room');
    assert.equal(code([past('exec', { unit: 'web' }, 0, true)]), 'busy');
    assert.equal(code([1, 2].map((age) => past('exec', { unit: 'web' }, age))), 'cap_reached');
    assert.equal(code([1, 2, 3, 4, 5].map((age) => past('ping', {}, age))), 'cap_reached');
    assert.equal(createAllowList([allowRule('*')]).check('exec', {}), null);
  });
});

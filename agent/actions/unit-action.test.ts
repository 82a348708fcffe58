import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { script } from '../../test/support/agent-bench.ts';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { eventually, temporaryDirectory } from '../../test/support/processes.ts';
import { RefusalError } from '../refusal.ts';
import type { Args } from '../../workflows/contract.ts';
import type { ActionHost } from './action.ts';
import { ALL_ACTIONS } from './all-actions.ts';
import { namesIn } from './systemctl.ts';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let host: ActionHost;

/** A stand-in for systemctl: notes its arguments one a line, answers `show` from a file, obeys `on-VERB` scripts. Real units: test/actions-host.test.ts. */
const FAKE = (dir: string): string => `#!/bin/sh
printf '%s\\037' "$@" >> ${dir}/calls; echo >> ${dir}/calls
[ "$1" = show ] && exec cat ${dir}/state
[ "$1" = cancel ] && exec sed -i 's/^Job=.*/Job=/' ${dir}/state
verb=$2
[ -e ${dir}/on-$verb ] && . ${dir}/on-$verb
exit 0
`;

const state = async (more: Record<string, string> = {}): Promise<void> => {
  const values = {
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    NRestarts: '2',
    MainPID: '99',
    Result: 'success',
    Job: '',
    ...more,
  };
  const text = Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
  await writeFile(join(home.path, 'state.new'), text);
  await rename(join(home.path, 'state.new'), join(home.path, 'state'));
};
const on = (verb: string, text: string): Promise<void> => writeFile(join(home.path, `on-${verb}`), text);
const calls = (): string[][] =>
  readFileSync(join(home.path, 'calls'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\u001f').slice(0, -1));
const changes = (): string[][] => calls().filter(([verb]) => verb !== 'show');

beforeEach(async () => {
  home = await temporaryDirectory('fettle-systemctl-');
  host = { ...BARE_HOST, systemctl: await script(home.path, 'systemctl', FAKE(home.path)) };
  await state();
});
afterEach(() => home[Symbol.asyncDispose]());

const argsOf = (name: string, unit: unknown) =>
  (name === 'systemd.stop' || name === 'systemd.status' || name === 'systemd.reset-failed'
    ? { unit }
    : { unit, stable_s: 0 }) as Args;
const act = async (
  name: string,
  unit: unknown = 'web.service',
  timeoutMs = 30_000,
  signal = new AbortController().signal,
) => documented(name, await ALL_ACTIONS.get(name)!.prepare(argsOf(name, unit), host).run(actionRun(timeoutMs, signal)));
const refusal = async (name: string, unit = 'web.service'): Promise<string> => {
  try {
    await ALL_ACTIONS.get(name)!.prepare(argsOf(name, unit), host).admit?.();
  } catch (error) {
    assert.ok(error instanceof RefusalError, String(error));
    return `${error.code}: ${error.message}`;
  }
  return 'none';
};

describe('systemd actions', () => {
  for (const verb of ['restart', 'start', 'stop']) {
    it(`${verb} asks systemctl for exactly that, the unit behind "--", with facts before and after`, async () => {
      const stopped = verb === 'stop' ? '; s/ActiveState=active/ActiveState=inactive/' : '';
      await on(verb, `sed -i 's/MainPID=99/MainPID=100/${stopped}' ${home.path}/state`);
      const end = await act(`systemd.${verb}`);
      assert.equal(end.status, 'done');
      assert.deepEqual(changes(), [['--no-ask-password', verb, '--', 'web.service']]);
      const { facts } = end.output;
      assert.deepEqual(
        [facts['unit'], facts['before_main_pid'], facts['after_main_pid'], facts['after_n_restarts']],
        ['web.service', 99, 100, 2],
      );
      assert.deepEqual([facts['before_active_state'], facts['after_result']], ['active', 'success']);
    });
  }

  it('clears the failure of a unit that systemd gave up on before it starts it again', async () => {
    await state({ ActiveState: 'failed', Result: 'start-limit-hit' });
    await on('restart', `sed -i 's/ActiveState=failed/ActiveState=active/' ${home.path}/state`);
    assert.equal((await act('systemd.restart')).status, 'done');
    assert.deepEqual(
      changes().map(([, verb]) => verb),
      ['reset-failed', 'restart'],
    );
  });

  it('counts a start as failed when the unit is failed right after it', async () => {
    await on(
      'start',
      `sed -i 's/ActiveState=active/ActiveState=failed/; s/Result=success/Result=exit-code/' ${home.path}/state`,
    );
    const end = await act('systemd.start');
    assert.equal(
      end.status === 'failed' && end.message,
      'systemctl start was accepted, but the unit is failed (exit-code)',
    );
  });

  it('counts a start as failed when the unit has not stayed up for as long as it was asked to', async () => {
    const deaths: readonly [how: Record<string, string>, said: RegExp][] = [
      [{ ActiveState: 'failed', Result: 'exit-code' }, /failed \(exit-code/],
      [{ ActiveState: 'failed', Result: 'start-limit-hit' }, /systemd has given up on it/],
      [{ SubState: 'auto-restart' }, /died right afterwards .* about to start it again/],
      [{ NRestarts: '3' }, /started it again \(3 times by now\)/],
      [{ InvocationID: 'another' }, /somebody else started the unit again/],
      [{ ActiveState: 'inactive' }, /ended by itself right afterwards/],
    ];
    for (const [how, said] of deaths) {
      await rm(join(home.path, 'calls'), { force: true });
      await state();
      const prepared = ALL_ACTIONS.get('systemd.start')!.prepare({ unit: 'web.service', stable_s: 30 }, host);
      const ending = prepared.run(actionRun());
      await eventually(() => existsSync(join(home.path, 'calls')) && calls().length > 3);
      await state(how);
      const end = await ending;
      assert.match(end.status === 'failed' ? end.message : 'done', said);
    }
  });

  it('takes a oneshot that has done its work for well, and one whose condition does not hold for not started', async () => {
    await state({ Type: 'oneshot', ActiveState: 'inactive', SubState: 'dead' });
    assert.equal((await act('systemd.start')).status, 'done');
    await state({ Type: 'oneshot', ActiveState: 'inactive', SubState: 'dead', ConditionResult: 'no' });
    assert.equal((await act('systemd.start')).status, 'done', 'systemd has forgotten it');
    const skipped = { ConditionResult: 'no', ConditionTimestampMonotonic: '5' };
    await state({ Type: 'oneshot', ActiveState: 'inactive', SubState: 'dead', ...skipped });
    const end = await act('systemd.start');
    assert.match(end.status === 'failed' ? end.message : 'done', /condition of the unit does not hold/);
  });

  it('refuses, before anything is begun, what the unit does not allow', async () => {
    const refused: readonly [name: string, state: Record<string, string>, why: RegExp][] = [
      ['restart', { LoadState: 'not-found', ActiveState: 'inactive' }, /this host has no unit web\.service/],
      ['start', { LoadState: 'masked', ActiveState: 'inactive' }, /is masked/],
      ['start', { LoadState: 'bad-setting', ActiveState: 'inactive' }, /cannot load web\.service/],
      ['start', { CanStart: 'no' }, /cannot be started/],
      ['restart', { RefuseManualStop: 'yes' }, /cannot be stopped/],
      ['reload', { CanReload: 'no' }, /cannot reload .* use systemd\.restart/],
      ['reload', { ActiveState: 'failed', CanReload: 'yes' }, /is failed, and only an active unit can reload/],
      ['stop', { Id: 'fettle-agent.service' }, /is another name of fettle-agent\.service, which is Fettle's own/],
      ['start', { Names: 'web.service reboot.target' }, /another name of reboot\.target, .* node\.reboot/],
      ['start', { Conflicts: 'shutdown.target fettle-agent.service' }, /exclude each other/],
      ['reset-failed', { LoadState: 'not-found', ActiveState: 'inactive' }, /has no unit/],
    ];
    for (const [verb, more, why] of refused) {
      await state(more);
      const said = await refusal(`systemd.${verb}`);
      assert.match(said, why);
      assert.match(said, new RegExp(`^host_state: systemd\\.${verb}: `));
    }
    await state({ LoadState: 'not-found', ActiveState: 'active' });
    assert.equal(await refusal('systemd.stop'), 'none', 'what runs without its file can be stopped');
    host = { ...host, systemctl: '/no/such/systemctl' };
    assert.match(await refusal('systemd.restart'), /systemd does not answer \(ENOENT\)/);
    assert.deepEqual(changes(), []);
  });

  it('refuses by its name alone what is a template, its own, the scope of pid 1, or the end of the host', () => {
    const units: readonly [verb: string, unit: string, why: RegExp][] = [
      ['restart', 'getty@.service', /is a template; name an instance/],
      ['restart', 'fettle-agent.service', /Fettle's own/],
      ['stop', 'fettle-agent-helper.socket', /Fettle's own/],
      ['stop', 'fettle-agent-helper@7-1-0.service', /Fettle's own/],
      ['stop', 'fettle-action-abc.service', /Fettle's own/],
      ['stop', 'init.scope', /pid 1/],
      ['start', 'reboot.target', /node\.reboot/],
      ['restart', 'systemd-poweroff.service', /node\.reboot/],
      ['start', 'rescue.target', /out of service/],
      ['start', 'runlevel6.target', /out of service/],
    ];
    for (const [verb, unit, why] of units)
      assert.throws(() => ALL_ACTIONS.get(`systemd.${verb}`)!.prepare(argsOf(`systemd.${verb}`, unit), host), why);
    for (const unit of ['fettle-agents-dashboard.service', 'getty@tty1.service', 'reboot.service'])
      assert.ok(ALL_ACTIONS.get('systemd.start')!.prepare(argsOf('systemd.start', unit), host));
  });

  it('reads names of units as systemctl writes them', () => {
    const written = 'a.service "run-credentials-systemd\\\\x2dsysusers.service.mount" b.target';
    assert.deepEqual(namesIn(written), ['a.service', 'run-credentials-systemd\\x2dsysusers.service.mount', 'b.target']);
    assert.deepEqual(namesIn(''), []);
  });

  it('clears the failure of one unit, or of every one that failed, but never of its own', async () => {
    await state({ ActiveState: 'failed' });
    await on('reset-failed', `sed -i 's/ActiveState=failed/ActiveState=inactive/' ${home.path}/state`);
    const end = await act('systemd.reset-failed');
    const { facts } = end.status === 'done' ? end.output : { facts: {} as Record<string, unknown> };
    assert.deepEqual([facts['before_failed'], facts['after_failed'], facts['unit']], [1, 0, 'web.service']);
    assert.deepEqual(changes().at(-1), ['--no-ask-password', 'reset-failed', '--', 'web.service']);
    for (const args of [{}, { unit: 'web.service', all: true }, { all: false }])
      assert.throws(() => ALL_ACTIONS.get('systemd.reset-failed')!.prepare(args, host), /either unit, or all = true/);
  });

  it('passes on what systemctl says when it refuses', async () => {
    await on('restart', 'echo "Failed to restart web.service: Unit web.service not found." >&2; exit 5');
    const end = await act('systemd.restart');
    assert.deepEqual(end.status === 'failed' && [end.code, end.output.exitCode], ['exit', 5]);
    assert.match(end.output.tail ?? '', /not found/);
  });

  it('withdraws the job of systemd when its time is over, and ends only when the job has gone', async () => {
    await on('restart', `sed -i 's/^Job=.*/Job=4711/' ${home.path}/state; exec sleep 60`);
    const end = await act('systemd.restart', 'web.service', 300);
    assert.equal(end.status === 'failed' && end.code, 'timeout');
    assert.deepEqual(changes().at(-1), ['cancel', '--no-pager', '--', '4711']);
  });

  it('and in the same way when it is cancelled', async () => {
    const cancel = new AbortController();
    await on('restart', `sed -i 's/^Job=.*/Job=4711/' ${home.path}/state; exec sleep 60`);
    const ending = act('systemd.restart', 'web.service', 30_000, cancel.signal);
    await eventually(() => existsSync(join(home.path, 'calls')) && changes().length > 0);
    cancel.abort();
    const end = await ending;
    assert.equal(end.status === 'failed' && end.code, 'cancelled');
  });

  it('knows whether a job is still at work for a unit', async () => {
    const prepared = ALL_ACTIONS.get('systemd.restart')!.prepare({ unit: 'web.service' }, host);
    assert.equal(await prepared.worksOn(), false);
    await state({ Job: '7' });
    assert.equal(await prepared.worksOn(), true);
  });

  it('status reads and changes nothing; a unit that is not there is a failure', async () => {
    assert.equal((await act('systemd.status')).status, 'done');
    await state({ LoadState: 'not-found', ActiveState: 'inactive' });
    const end = await act('systemd.status');
    assert.equal(end.status === 'failed' && end.message, 'this host has no unit web.service');
    assert.deepEqual(changes(), []);
  });

  it('rehearsed, says what would be run and runs none of it', async () => {
    await state({ ActiveState: 'failed' });
    const prepared = ALL_ACTIONS.get('systemd.restart')!.prepare({ unit: 'web.service', stable_s: 3 }, host);
    const output = await prepared.rehearse(actionRun(1000, new AbortController().signal));
    const line = (verb: string): string =>
      `would run ${JSON.stringify([host.systemctl, '--no-ask-password', verb, '--', 'web.service'])}`;
    assert.equal(
      output.tail,
      `${line('reset-failed')}\n${line('restart')}\nwould fail unless web.service then stays active for 3 s`,
    );
    assert.deepEqual(changes(), []);
  });

  it('takes full unit names and nothing else', async () => {
    const bad = [
      '',
      'web',
      '-web.service',
      '--force',
      '*.service',
      'web?.service',
      'a b.service',
      'web.service\n',
      '../web.service',
      'web.service web.service',
      'web.servicex',
      'ü.service',
      `${'x'.repeat(300)}.service`,
      'we\u0000b.service',
      7,
      true,
      ['web.service'],
      null,
    ];
    for (const unit of bad) {
      for (const verb of ['restart', 'start', 'stop', 'reload', 'reset-failed', 'status']) {
        assert.throws(
          () => ALL_ACTIONS.get(`systemd.${verb}`)!.prepare({ unit } as never, host),
          (error) => error instanceof RefusalError && error.code === 'args_invalid',
          String(unit),
        );
      }
    }
    for (const unit of [
      'web.service',
      'getty@tty1.service',
      'dev-disk-by\\x2dlabel.swap',
      'a:b_c.timer',
      'user-1000.slice',
    ]) {
      assert.equal((await act('systemd.status', unit)).status, 'done', unit);
    }
    assert.throws(
      () => ALL_ACTIONS.get('systemd.stop')!.prepare({ unit: 'web.service', force: true }, host),
      /does not take "force"; it takes "unit"/,
    );
  });
});

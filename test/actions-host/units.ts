/** What systemd.* does to real units: such as die, hang, hit their start limit, or must not be touched. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { GuestActions } from '../support/guest-actions.ts';

const service = (text: string, unit = ''): string => `[Unit]\n${unit}\n[Service]\n${text}\n`;
const UNITS: Readonly<Record<string, string>> = {
  'web.service': service('ExecStart=/bin/sleep infinity\nExecReload=/bin/true'),
  'dies.service': service('ExecStart=/bin/sh -c "echo cannot bind to port 80 >&2; sleep 0.4; exit 3"'),
  'dies-again.service': service('ExecStart=/bin/sh -c "sleep 0.2; exit 3"\nRestart=always\nRestartSec=60'),
  'flaps.service': service(
    'ExecStart=/bin/false\nRestart=always\nRestartSec=10ms',
    'StartLimitIntervalSec=60\nStartLimitBurst=3',
  ),
  'hangs.service': service('Type=notify\nExecStart=/bin/sleep infinity\nTimeoutStartSec=300'),
  'ends.service': service('ExecStart=/bin/true'),
  'once.service': service('Type=oneshot\nExecStart=/bin/true'),
  'never.service': service('ExecStart=/bin/sleep infinity', 'ConditionPathExists=/no/such/file'),
  'bad.service': service('ExecStart=relative/path'),
  'bad-reload.service': service('ExecStart=/bin/sleep infinity\nExecReload=/bin/false'),
  'base.service': service('ExecStart=/bin/sleep infinity'),
  'above.service': service('ExecStart=/bin/sleep infinity', 'BindsTo=base.service\nAfter=base.service'),
  'top.service': service(
    'ExecStart=/bin/sleep infinity',
    'Requires=above.service\nAfter=above.service\nWants=never.service',
  ),
  'fettle-agent.service': service('ExecStart=/bin/sleep infinity', 'Requires=store.service\nAfter=store.service'),
  'store.service': service('ExecStart=/bin/sleep infinity'),
  'template@.service': service('ExecStart=/bin/sleep infinity'),
};

export const unitActions = (on: () => GuestActions): void =>
  void describe('systemd.*', () => {
    const act: GuestActions['act'] = (...call) => on().act(...call);
    const unitIs = async (unit: string): Promise<string> =>
      (await on().host.run(['systemctl', 'is-active', unit])).stdout.trim();
    const failure = async (action: string, unit: string, more = {}): Promise<string> => {
      const end = await act(action, { unit }, more);
      return end.status === 'done' ? 'done' : `${end.status} ${end.code}: ${end.message}`;
    };

    before(async () => {
      const { host } = on();
      for (const [name, text] of Object.entries(UNITS)) await host.write(`/etc/systemd/system/${name}`, text);
      await host.sh('systemctl', 'daemon-reload');
      await host.sh('systemctl', 'mask', '--runtime', 'masked.service');
      await host.sh('systemctl', 'start', 'web.service', 'top.service', 'fettle-agent.service', 'bad-reload.service');
    });

    it('restart gives a unit another main process and another invocation', async () => {
      const { facts } = await on().done('systemd.restart', { unit: 'web.service' });
      assert.equal(facts['after_active_state'], 'active');
      assert.notEqual(facts['after_main_pid'], facts['before_main_pid']);
      assert.notEqual(facts['after_invocation_id'], facts['before_invocation_id']);
    });

    it('stop, start, reload and status do what they say', async () => {
      assert.equal((await on().done('systemd.stop', { unit: 'web.service' })).facts['after_active_state'], 'inactive');
      assert.match(await failure('systemd.reload', 'web.service'), /refused host_state: .* only an active unit/);
      await on().done('systemd.start', { unit: 'web.service', stable_s: 0 });
      const reloaded = await on().done('systemd.reload', { unit: 'web.service', stable_s: 0 });
      assert.equal(reloaded.facts['after_main_pid'], reloaded.facts['before_main_pid']);
      const { facts } = await on().done('systemd.status', { unit: 'web.service' });
      assert.deepEqual(
        [facts['active_state'], facts['load_state'], facts['can_reload'], facts['type']],
        ['active', 'loaded', 'yes', 'simple'],
      );
    });

    it('a unit that dies a moment after its start has failed, with what it said last', async () => {
      const end = await act('systemd.start', { unit: 'dies.service' });
      assert.ok(end.status === 'failed', JSON.stringify(end));
      assert.match(end.message, /the unit is failed \(exit-code, status 3\)/);
      assert.match(end.output.tail ?? '', /cannot bind to port 80/);
      assert.equal(end.output.facts['after_active_state'], 'failed');
      assert.match(await failure('systemd.start', 'dies-again.service'), /systemd is about to start it again/);
    });

    it('a unit that hits its start limit has failed, says so, and is started anew when it is asked for again', async () => {
      assert.match(
        await failure('systemd.start', 'flaps.service'),
        /failed exit: .*(?:died|given up|started it again|is failed)/,
      );
      await on().host.waitFor(['systemctl', 'is-failed', 'flaps.service']);
      const again = await act('systemd.restart', { unit: 'flaps.service', stable_s: 5 });
      assert.ok(again.status === 'failed', JSON.stringify(again));
      assert.match(again.message, /died|given up|started it again|is failed/);
      await on().host.waitFor(['systemctl', 'is-failed', 'flaps.service']);
      const { tail } = await on().done('systemd.restart', { unit: 'flaps.service' }, { rehearse: true });
      assert.match(tail ?? '', /"reset-failed".*\nwould run .*"restart"/);
    });

    it('a unit that hangs in its start is given up when the time is over, and no job of it is left', async () => {
      const end = await act('systemd.start', { unit: 'hangs.service' }, { timeoutMs: 1500 });
      assert.equal(end.status === 'failed' && end.code, 'timeout', JSON.stringify(end));
      assert.doesNotMatch(await on().host.sh('systemctl', 'list-jobs', '--no-legend'), /hangs/);
      await on().host.run(['systemctl', 'kill', '--signal=KILL', 'hangs.service']);
    });

    it('what ends by itself is well only when it is meant to', async () => {
      await on().done('systemd.start', { unit: 'once.service' });
      assert.match(await failure('systemd.start', 'ends.service'), /ended by itself right afterwards/);
      assert.match(await failure('systemd.start', 'never.service'), /condition of the unit does not hold/);
    });

    it('a reload that fails is a failure though the unit runs on', async () => {
      assert.match(await failure('systemd.reload', 'bad-reload.service'), /failed exit: /);
      assert.equal(await unitIs('bad-reload.service'), 'active');
    });

    it('refuses what is not there, masked, broken, a template, or cannot reload', async () => {
      const refused: readonly (readonly [action: string, unit: string, why: RegExp])[] = [
        ['systemd.restart', 'nothing.service', /host_state: .*has no unit nothing\.service/],
        ['systemd.start', 'masked.service', /host_state: .*is masked/],
        ['systemd.start', 'bad.service', /host_state: .*cannot load bad\.service/],
        ['systemd.start', 'template@.service', /args_invalid: .*is a template/],
        ['systemd.reload', 'base.service', /host_state: .*cannot reload/],
        ['systemd.reset-failed', 'nothing.service', /host_state: .*has no unit/],
      ];
      for (const [action, unit, why] of refused) assert.match(await failure(action, unit), why);
    });

    it('names what would go down with a unit, and refuses when that is Fettle itself', async () => {
      const { tail } = await on().done('systemd.stop', { unit: 'base.service' }, { rehearse: true });
      assert.match(tail ?? '', /would also stop: (?:above\.service top\.service|top\.service above\.service)/);
      for (const unit of ['store.service', 'sysinit.target', 'system.slice', 'fettle-agent.service'])
        assert.match(await failure('systemd.stop', unit), /refused (?:host_state|args_invalid): /, unit);
      assert.match(await failure('systemd.start', 'ctrl-alt-del.target'), /refused/);
      assert.equal(await unitIs('fettle-agent.service'), 'active');
      assert.equal(await unitIs('store.service'), 'active');
    });

    it('reset-failed clears one failure, or all of them', async () => {
      await on().host.run(['systemctl', 'start', 'dies.service']);
      await on().host.waitFor(['systemctl', 'is-failed', 'dies.service']);
      const one = await on().done('systemd.reset-failed', { unit: 'dies.service' });
      assert.deepEqual([one.facts['before_active_state'], one.facts['after_active_state']], ['failed', 'inactive']);
      await on().host.run(['systemctl', 'start', 'dies.service']);
      await on().host.waitFor(['systemctl', 'is-failed', 'dies.service']);
      const { facts, tail } = await on().done('systemd.reset-failed', { all: true });
      assert.ok(Number(facts['before_failed']) >= 1);
      assert.equal(facts['after_failed'], 0);
      assert.match(tail ?? '', /dies\.service +failed +exit-code/);
    });
  });

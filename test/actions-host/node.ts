/** What node.*, process.* and logs.tail see of a real host, and do to it. A real reboot: the tests of remedies. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { GuestActions } from '../support/guest-actions.ts';

const WORKERS = `[Service]
ExecStart=/bin/sh -c 'echo the first line; echo the password=hunter2 line >&2; sleep 600 & sleep 601 & exec sleep 602'
`;

export const nodeActions = (on: () => GuestActions): void =>
  void describe('a whole host', () => {
    before(async () => {
      await on().host.write('/etc/systemd/system/workers.service', WORKERS);
      await on().host.write('/etc/systemd/system/fettle-coordinator.service', '[Service]\nExecStart=/bin/sleep 603\n');
      await on().host.sh('systemctl', 'daemon-reload');
      await on().host.sh('systemctl', 'start', 'workers.service', 'fettle-coordinator.service');
    });

    it('node.facts counts failed units and persons, and measures disks', async () => {
      const { facts, tail } = await on().done('node.facts', { top: 2, path: '/var/lib' });
      assert.ok(Number(facts['failed_units']) >= 0 && Number(facts['persons']) >= 0, JSON.stringify(facts));
      assert.match(String(facts['system_state']), /running|degraded|starting/);
      assert.equal(facts['boot_id'], await on().host.bootId());
      assert.ok(Number(facts['path_free_percent']) > 0);
      assert.match(tail ?? '', /MOUNT/);
    });

    it('node.reboot refuses while a person is logged in, and not for a service', async () => {
      const rehearse = () => on().act('node.reboot', {}, { rehearse: true });
      const empty = await rehearse();
      assert.equal(empty.status, 'done', JSON.stringify(empty));
      const asUser = ['-p', 'PAMName=login', '-p', 'User=root', '--setenv=XDG_SESSION_CLASS=user'];
      await on().host.sh('systemd-run', '--unit=login-of-root', ...asUser, 'sleep', '600');
      await on().host.waitFor(async () => (await rehearse()).status === 'refused');
      const refused = await rehearse();
      assert.match(
        refused.status === 'refused' ? refused.message : '',
        /logged in: 1 person \(root.*\); force_with_users = true/,
      );
      const forced = await on().done('node.reboot', { force_with_users: true }, { rehearse: true });
      assert.match(forced.tail ?? '', /"reboot"\] and wait for another boot id than .*\nlogged in: 1 person/);
      await on().host.sh('systemctl', 'stop', 'login-of-root.service');
      await on().host.waitFor(async () => (await rehearse()).status === 'done');
    });

    it('process.list and process.kill find the processes of a unit by its control group', async () => {
      let tail: string | null = null;
      await on().host.waitFor(async () => {
        const listed = await on().done('process.list', { unit: 'workers.service' });
        tail = listed.tail;
        return listed.facts['matched'] === 3 && !(tail ?? '').includes('dash');
      });
      assert.match(tail ?? '', /workers\.service +\/\S*sleep/);
      const many = await on().act('process.kill', { unit: 'workers.service' });
      assert.match(many.status === 'refused' ? many.message : '', /3 processes match and max is 1/);
      const end = await on().done('process.kill', { unit: 'workers.service', max: 3 });
      // Once the main process has gone, systemd ends the others of the unit: they need no signal.
      assert.ok(Number(end.facts['ended']) >= 1, JSON.stringify(end.facts));
      assert.equal(end.facts['after_running'], 0);
      const after = await on().done('process.list', { unit: 'workers.service' });
      assert.equal(after.facts['matched'], 0);
    });

    it('process.kill never signals pid 1 or a unit of Fettle', async () => {
      for (const unit of ['init.scope', 'fettle-coordinator.service']) {
        const end = await on().act('process.kill', { unit, max: 100 });
        assert.match(end.status === 'refused' ? end.message : JSON.stringify(end), /never signalled/, unit);
      }
    });

    it('process.list shows a user without rights what others call themselves, marked as such', async () => {
      const exe = (await on().host.sh('readlink', '-f', '/bin/sleep')).trim();
      const end = await on().act('process.list', { exe }, { user: 'nobody' });
      assert.ok(end.status === 'done' && Number(end.output.facts['matched']) > 0, JSON.stringify(end));
      assert.match(end.output.tail ?? '', /~\S*sleep/);
    });

    it('logs.tail reads what a unit wrote, without what looks like a secret', async () => {
      const { tail, facts } = await on().done('logs.tail', { unit: 'workers.service', contains: 'line' });
      assert.match(tail ?? '', /sh\[\d+\]: the first line\n.*the password=\[secret\] line\n/);
      assert.deepEqual([facts['matched'], facts['complete']], [2, true]);
      const all = await on().done('logs.tail', { lines: 5 });
      assert.deepEqual([all.facts['matched'], all.facts['complete']], [5, false]);
    });

    it('logs.tail says when it may not read the journal', async () => {
      const end = await on().act('logs.tail', {}, { user: 'nobody' });
      assert.match(end.status === 'failed' ? end.message : JSON.stringify(end), /systemd-journal/);
    });
  });

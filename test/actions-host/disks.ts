/** What disk.clean takes from a real Debian, and what diagnostics.collect finds on one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CleanRule } from '../../config/agent-rules.ts';
import type { GuestActions } from '../support/guest-actions.ts';

const SPOOL: CleanRule = {
  place: { file: '/etc/fettle/agent.hcl', line: 1, column: 1 },
  name: 'spool',
  directory: '/var/spool/app',
  pattern: '.*\\.job',
  olderThanMs: 3_600_000,
  keep: 1,
};

export const diskActions = (on: () => GuestActions): void =>
  void describe('its disks', () => {
    it('disk.clean shrinks the journal, the files in use too, and journald goes on', async () => {
      // Lines of 40 kB: journald takes so many a second and no more.
      const fill = 'head -c 24000000 /dev/urandom | base64 -w 40000 | systemd-cat --identifier=flood';
      await on().host.sh('sh', '-c', fill);
      await on().host.sh('journalctl', '--sync');
      const would = await on().done('disk.clean', { what: 'journal', keep_size: '1M' }, { rehearse: true });
      assert.match(would.tail ?? '', /^would run \["\/usr\/bin\/journalctl","--rotate","--vacuum-size=1M"\]$/);
      const { facts } = await on().done('disk.clean', { what: 'journal', keep_size: '1M' });
      const [before, after] = [Number(facts['before_bytes']), Number(facts['after_bytes'])];
      assert.ok(before > 16_000_000 && after < before / 2, JSON.stringify(facts));
      await on().host.sh('logger', 'written after the vacuum');
      await on().host.waitFor(async () => (await on().host.journal()).includes('written after the vacuum'));
    });

    it('disk.clean empties the cache of packages', async () => {
      await on().host.write('/var/cache/apt/archives/nothing_1_all.deb', 'x'.repeat(100_000));
      const { facts } = await on().done('disk.clean', { what: 'apt' });
      assert.deepEqual([facts['before_files'], facts['after_files']], [1, 0], JSON.stringify(facts));
      await assert.rejects(on().host.sh('test', '-e', '/var/cache/apt/archives/nothing_1_all.deb'));
    });

    it('disk.clean takes old files of a clean block, and none of another mount', async () => {
      const { host } = on();
      const make =
        'mkdir -p mnt && touch -d "2 days ago" a.job b.job && touch -d "3 days ago" c.job && touch -d "5 days ago" d.log';
      await host.sh('sh', '-c', `mkdir -p ${SPOOL.directory} && cd ${SPOOL.directory} && ${make}`);
      await host.sh('mount', '--bind', SPOOL.directory, `${SPOOL.directory}/mnt`);
      try {
        const { facts } = await on().done('disk.clean', { what: 'spool' }, { clean: [SPOOL] });
        assert.deepEqual([facts['deleted_files'], facts['kept'], facts['skipped_folders']], [2, 1, 1]);
        const left = await host.sh('ls', SPOOL.directory);
        assert.match(left, /^[ab]\.job\nd\.log\nmnt$/);
      } finally {
        await host.sh('umount', `${SPOOL.directory}/mnt`);
      }
    });

    it('diagnostics.collect keeps stacks, journal and state of a unit where root alone reads them', async () => {
      const { host } = on();
      await host.write(
        '/etc/systemd/system/stuck.service',
        '[Service]\nEnvironment=TOKEN=hush\nExecStart=/bin/sh -c "echo hello; exec sleep 600"\n',
      );
      await host.sh('systemctl', 'daemon-reload');
      await host.sh('systemctl', 'start', 'stuck.service');
      await host.waitFor(async () => (await host.journal('stuck.service')).includes('hello'));
      const args = { unit: 'stuck.service', stack: true };
      const { facts, tail } = await on().done('diagnostics.collect', args, { diagnosticsDir: '/var/lib/bundles' });
      assert.equal((await host.sh('stat', '-c', '%a %U', String(facts['path']))).trim(), '600 root');
      const unpacked = (file: string): Promise<string> => host.sh('tar', '-xzOf', String(facts['path']), file);
      assert.match(await unpacked('unit/stack-kernel.txt'), /hrtimer_nanosleep|do_nanosleep|nanosleep/, tail ?? '');
      assert.match(await unpacked('unit/journal.txt'), /hello/);
      assert.match(await unpacked('unit/status.txt'), /Active: active \(running\)/);
      assert.match(await unpacked('unit/properties.txt'), /^ActiveState=active$/m);
      assert.match(await unpacked('host/processes.txt'), /sleep/);
      await assert.rejects(host.sh('sh', '-c', `tar -xzOf ${String(facts['path'])} | grep -a hush`));
      await host.sh('systemctl', 'stop', 'stuck.service');
    });
  });

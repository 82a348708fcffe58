import assert from 'node:assert/strict';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { script } from '../../test/support/agent-bench.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { Args } from '../../workflows/contract.ts';
import { memoryFacts, pressureFacts } from './kernel-facts.ts';
import { diskOf, hiddenMounts, localMounts } from './mounted-disks.ts';
import { nodeFacts } from './node-facts.ts';

const facts = async (args: Args, host = BARE_HOST) =>
  documented('node.facts', await nodeFacts.prepare(args, host).run(actionRun()));

describe('node.facts', () => {
  it('reads the load, the memory, the disks and the busiest processes of this very machine', async () => {
    const end = await facts({ top: 3 });
    assert.ok(end.status === 'done', JSON.stringify(end));
    const { facts: found, tail } = end.output;
    assert.equal(found['cpus'], availableParallelism());
    assert.ok(Math.abs(Number(found['memory_total_mb']) - totalmem() / 1024 / 1024) <= 1);
    for (const name of ['load_1', 'uptime_s', 'processes', 'memory_available_percent', 'fullest_free_percent'])
      assert.ok(Number(found[name]) >= 0, name);
    assert.ok(Object.keys(found).length <= 64 && Buffer.byteLength(tail ?? '') <= 4096);
    const tables = (tail ?? '').trim().split('\n\n');
    assert.deepEqual(
      tables.map((table) => table.split('\n')[0]!.trim().split(/ +/)[0]),
      ['MOUNT', 'PID', 'PID'],
    );
    assert.ok(tables.slice(1).every((table) => table.split('\n').length <= 4));
  });

  it('measures the file system of one path by itself, and has failed when there is none', async () => {
    const end = await facts({ top: 0, path: '/' });
    assert.ok(end.status === 'done');
    const { facts: found } = end.output;
    assert.deepEqual([found['path'], found['path_mount']], ['/', '/']);
    assert.ok(Number(found['path_total_bytes']) > 0 && Number(found['path_free_percent']) <= 100);
    const missing = await facts({ top: 0, path: '/no/such/path' });
    assert.match(missing.status === 'failed' ? missing.message : '', /\/no\/such\/path \(ENOENT\)/);
  });

  it('says how many units have failed and how many persons are logged in where there is somebody to ask', async () => {
    await using home = await temporaryDirectory('fettle-facts-');
    const systemctl = await script(
      home.path,
      'systemctl',
      '#!/bin/sh\necho SystemState=degraded\necho NFailedUnits=3\n',
    );
    const loginctl = await script(home.path, 'loginctl', '#!/bin/sh\nexit 0\n');
    const end = await facts({ top: 0 }, { ...BARE_HOST, systemctl, loginctl, utmp: join(home.path, 'none') });
    const { failed_units: failed, system_state: state, persons } = end.output.facts;
    assert.deepEqual([failed, state, persons], [3, 'degraded', 0]);
    const alone = (await facts({ top: 0 }, { ...BARE_HOST, utmp: join(home.path, 'none') })).output.facts;
    assert.deepEqual([alone['failed_units'], alone['persons']], [undefined, undefined]);
  });
});

it('reads memory, and pressure where the kernel has it', () => {
  const text =
    'MemTotal:        1048576 kB\nMemFree: 1 kB\nMemAvailable:     262144 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n';
  assert.deepEqual(memoryFacts(text), {
    memory_total_mb: 1024,
    memory_available_mb: 256,
    memory_available_percent: 25,
    swap_total_mb: 0,
    swap_free_mb: 0,
  });
  assert.deepEqual(memoryFacts(''), {});
  const pressure = 'some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=1\n';
  assert.deepEqual(pressureFacts('io', pressure), { pressure_io_some_percent: 1.5, pressure_io_full_percent: 0.25 });
  assert.deepEqual(pressureFacts('cpu', ''), {});
});

it('counts each local file system once, and none that a far server keeps waiting', () => {
  const mounts = localMounts(
    [
      '22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw',
      '23 22 0:5 / /proc rw - proc proc rw',
      '24 22 254:1 /srv /var/lib/a\\040b rw - ext4 /dev/vda1 rw',
      '25 22 254:2 / /var rw shared:9 master:1 - xfs /dev/vdb rw',
      '26 22 0:40 / /mnt/far rw - nfs4 far:/x rw',
      '27 22 0:41 / /run rw - tmpfs tmpfs rw',
      '28 22 0:41 /systemd/inaccessible/dir /home ro - tmpfs tmpfs rw',
      'damaged line',
      '',
    ].join('\n'),
  );
  assert.deepEqual(
    mounts.map(({ mount, type }) => [mount, type]),
    [
      ['/', 'ext4'],
      ['/run', 'tmpfs'],
      ['/var', 'xfs'],
    ],
  );
  const disks = mounts.map((mount) => ({
    ...mount,
    totalBytes: 1,
    freeBytes: 1,
    freePercent: 1,
    freeInodesPercent: null,
  }));
  const of = (path: string) => diskOf(disks, path)?.mount;
  assert.deepEqual([of('/'), of('/variable'), of('/var'), of('/var/lib')], ['/', '/', '/var', '/var']);
});

it('knows the folders that its own unit hides from it', () => {
  const lines =
    '28 22 0:41 /systemd/inaccessible/dir /home ro - tmpfs tmpfs rw\n29 22 0:42 /host/inaccessible/dir /root ro - tmpfs tmpfs rw\n27 22 0:41 / /run rw - tmpfs tmpfs rw\n';
  assert.deepEqual(hiddenMounts(lines), ['/home', '/root']);
  assert.deepEqual(hiddenMounts(''), []);
});

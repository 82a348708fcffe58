import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readProcesses, unitsIn } from './process-table.ts';
import { textTable } from './text-table.ts';

it('reads of itself what the kernel says elsewhere', async () => {
  const own = (await readProcesses()).get(process.pid);
  assert.ok(own !== undefined);
  assert.equal(own.parent, process.ppid);
  assert.equal(own.kernelThread, false);
  assert.ok(Math.abs(own.rssBytes - process.memoryUsage.rss()) < 64 * 1024 * 1024);
  assert.ok(Math.abs(own.ageS - process.uptime()) < 2);
});

it("finds the system's unit in a control group, of either kind, and none that a user named", () => {
  const cases: readonly (readonly [cgroup: string, units: readonly string[]])[] = [
    ['0::/system.slice/web.service', ['system.slice', 'web.service']],
    ['0::/system.slice/web.service/worker', ['system.slice', 'web.service']],
    [
      '0::/system.slice/system-getty.slice/getty@tty1.service',
      ['system.slice', 'system-getty.slice', 'getty@tty1.service'],
    ],
    [
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/ssh.service',
      ['user.slice', 'user-1000.slice', 'user@1000.service'],
    ],
    ['12:cpu:/other\n1:name=systemd:/system.slice/web.service\n0::/', ['system.slice', 'web.service']],
    ['0::/init.scope', ['init.scope']],
    ['0::/lxc.payload.a/system.slice/web.service', ['system.slice', 'web.service']],
    ['0::/system.slice/_cpu.service', ['system.slice', 'cpu.service']],
    ['0::/', []],
    ['', []],
  ];
  for (const [cgroup, units] of cases) assert.deepEqual(unitsIn(cgroup), units, cgroup);
});

it('cuts a table to the size it may have, from the end, and says how much is missing', () => {
  const rows = Array.from({ length: 200 }, (_, index) => [index, `name-${index}`]);
  const text = textTable(['N', 'NAME'], rows, 300);
  assert.ok(Buffer.byteLength(text) <= 301);
  const lines = text.trimEnd().split('\n');
  assert.deepEqual([lines[0], lines[1]], ['  N  NAME', '  0  name-0']);
  assert.equal(lines.at(-1), `... and ${200 - (lines.length - 2)} more`);
  assert.equal(textTable(['A', 'B'], [['x\u001b[2J', 'y']]), 'A      B\nx\ufffd[2J  y\n');
  assert.equal(textTable(['A'], []), 'A\n');
});

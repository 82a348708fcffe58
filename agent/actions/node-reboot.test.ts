import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { script } from '../../test/support/agent-bench.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { Begun } from '../ledger-records.ts';
import { RefusalError } from '../refusal.ts';
import type { ActionHost } from './action.ts';
import { nodeReboot } from './node-reboot.ts';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let host: ActionHost;

const system = (state: string): Promise<void> =>
  writeFile(join(home.path, 'system'), `SystemState=${state}\nNFailedUnits=2\n`);
/** The sessions that logind knows: `Name=...` and so on, one file each. */
const session = (id: string, more: Record<string, string>): Promise<void> =>
  writeFile(
    join(home.path, `session-${id}`),
    Object.entries({ Name: 'anna', Class: 'user', State: 'active', TTY: 'pts/0', RemoteHost: '', ...more })
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
const rebooted = (): boolean => existsSync(join(home.path, 'rebooted'));

beforeEach(async () => {
  home = await temporaryDirectory('fettle-reboot-');
  const systemctl = `#!/bin/sh\ncd ${home.path}\n[ "$1" = show ] && exec cat system\n: > rebooted\n`;
  const loginctl = `#!/bin/sh
cd ${home.path}
[ "$1" = show-session ] && { for id; do :; done; exec cat "session-$id"; }
for file in session-*; do [ -e "$file" ] && echo "\${file#session-} 0 anna seat0"; done
exit 0
`;
  host = {
    ...BARE_HOST,
    facts: { ...BARE_HOST.facts, bootId: 'boot-2' },
    systemctl: await script(home.path, 'systemctl', systemctl),
    loginctl: await script(home.path, 'loginctl', loginctl),
    utmp: join(home.path, 'utmp'),
  };
  await system('running');
});
afterEach(() => home[Symbol.asyncDispose]());

async function refusal(args = {}): Promise<string> {
  try {
    await nodeReboot.prepare(args, host).admit?.();
  } catch (error) {
    assert.ok(error instanceof RefusalError && error.code === 'host_state', String(error));
    return error.message;
  }
  return 'none';
}

/** One record as glibc writes it on this machine. */
function utmp(type: number, pid: number, user: string, line: string): Buffer {
  const record = Buffer.alloc(['x64', 'ia32', 'arm'].includes(process.arch) ? 384 : 400);
  record.writeInt16LE(type, 0);
  record.writeInt32LE(pid, 4);
  record.write(line, 8);
  record.write(user, 44);
  return record;
}

describe('node.reboot', () => {
  it('refuses while a person is logged in, and says who, unless it is forced', async () => {
    assert.equal(await refusal(), 'none');
    await session('4', {});
    assert.match(await refusal(), /logged in: 1 person \(anna on pts\/0\); force_with_users = true/);
    assert.equal(await refusal({ force_with_users: true }), 'none');
  });

  it('does not take a greeter, a job of cron or a session that ends for a person', async () => {
    await session('1', { Class: 'greeter' });
    await session('2', { Class: 'background' });
    await session('3', { Class: 'manager' });
    await session('4', { State: 'closing' });
    assert.equal(await refusal(), 'none');
    await session('5', { Class: 'user-early', TTY: '', RemoteHost: '10.0.0.9' });
    assert.match(await refusal(), /anna on 10\.0\.0\.9/);
  });

  it('believes utmp as well, but no record whose process is gone', async () => {
    const gone = 0x3fffff;
    await writeFile(host.utmp, Buffer.concat([utmp(2, 0, 'reboot', '~'), utmp(7, gone, 'old', 'pts/9')]));
    assert.equal(await refusal(), 'none');
    await writeFile(
      host.utmp,
      Buffer.concat([utmp(2, 0, 'reboot', '~'), utmp(7, process.pid, 'ro\u001b[2Jot', 'pts/1')]),
    );
    assert.match(await refusal(), /1 person \(ro\?\[2Jot on pts\/1\)/);
    await writeFile(host.utmp, Buffer.alloc(77));
    assert.equal(await refusal(), 'none', 'a damaged end is passed over');
  });

  it('refuses when nobody can tell who is logged in, when systemd does not answer, and when the host goes down', async () => {
    host = { ...host, loginctl: '/bin/false' };
    assert.match(await refusal(), /cannot be told whether a person is logged in/);
    await system('stopping');
    assert.match(await refusal({ force_with_users: true }), /going down already/);
    host = { ...host, systemctl: '/bin/false' };
    assert.match(await refusal({ force_with_users: true }), /systemd does not answer/);
  });

  it('rehearsed, says what would be run and who is logged in, and reboots nothing', async () => {
    await session('4', {});
    const output = await nodeReboot.prepare({ force_with_users: true }, host).rehearse(actionRun());
    const command = JSON.stringify([host.systemctl, '--no-ask-password', 'reboot']);
    assert.equal(
      output.tail,
      `would run ${command} and wait for another boot id than boot-2\nlogged in: 1 person (anna on pts/0)`,
    );
    assert.equal(rebooted(), false);
  });

  it('has failed when the boot id is the same at the end of its time', async () => {
    const end = documented('node.reboot', await nodeReboot.prepare({}, host).run(actionRun(300)));
    assert.ok(rebooted());
    assert.deepEqual(end.status === 'failed' && [end.code, end.message], [
      'timeout',
      'the host has the same boot id after 300 ms: it did not go down',
    ]);
  });

  it('has failed when systemd does not take the order', async () => {
    const systemctl = `#!/bin/sh\n[ "$1" = show ] && exec cat ${home.path}/system\necho "Operation inhibited" >&2; exit 1\n`;
    host = { ...host, systemctl: await script(home.path, 'inhibited', systemctl) };
    const end = await nodeReboot.prepare({}, host).run(actionRun());
    assert.equal(end.status === 'failed' && end.code, 'exit');
    assert.match(end.status === 'failed' ? (end.output.tail ?? '') : '', /inhibited/);
  });

  it('is at work while the host goes down, whatever became of its process', async () => {
    const { worksOn } = nodeReboot.prepare({}, host);
    assert.equal(await worksOn(), false);
    await system('stopping');
    assert.equal(await worksOn(), true);
  });

  it('is done when the host has another boot id and has started, and says how long it was away', async () => {
    const begun = { bootId: 'boot-1', at: Date.now() - 30_000, deadline: Date.now() + 60_000 } as Begun;
    for (const state of ['initializing', 'starting']) {
      await system(state);
      assert.equal(await nodeReboot.afterBoot!(begun, host), null, state);
    }
    await system('degraded');
    const end = await nodeReboot.afterBoot!(begun, host);
    assert.ok(end?.status === 'done', JSON.stringify(end));
    documented('node.reboot', end);
    const { down_ms: down, ...facts } = end.output.facts;
    assert.deepEqual(facts, {
      boot_id_before: 'boot-1',
      boot_id_after: 'boot-2',
      system_state: 'degraded',
      failed_units: 2,
    });
    assert.ok(Number(down) >= 30_000);
  });

  it('has failed when the host came up for maintenance only, or is not up by the end of its time', async () => {
    const begun = { bootId: 'boot-1', at: Date.now() - 30_000, deadline: Date.now() - 1 } as Begun;
    await system('starting');
    const slow = await nodeReboot.afterBoot!(begun, host);
    assert.equal(slow?.status === 'failed' && slow.code, 'timeout');
    await system('maintenance');
    const broken = await nodeReboot.afterBoot!({ ...begun, deadline: Date.now() + 60_000 }, host);
    assert.match(
      broken?.status === 'failed' ? broken.message : '',
      /has rebooted, but systemd says of it: maintenance/,
    );
  });
});

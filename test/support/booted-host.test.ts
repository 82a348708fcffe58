import assert from 'node:assert/strict';
import { after, before, test, describe } from 'node:test';
import { bootHost, hostsLeftOut, type BootedHost } from './booted-host.ts';
import { sweep } from './booted-host-leavings.ts';
import { eventually, startProcess } from './processes.ts';

const leftOut = hostsLeftOut();

describe('a booted host', { skip: leftOut ?? false }, () => {
  let host: BootedHost;
  before(async () => {
    host = await bootHost({ name: 'web-1', disks: { '/var/lib/small': 4 << 20 }, privateNetwork: true });
  });
  after(() => host[Symbol.asyncDispose]());

  test('runs systemd with a machine id, a name and units of its own', async () => {
    assert.equal((await host.read('/etc/machine-id')).trim(), host.machineId);
    assert.equal((await host.sh('hostname')).trim(), 'web-1');
    await host.write('/etc/systemd/system/hello.service', '[Service]\nExecStart=/bin/echo hello there\n');
    await host.sh('systemctl', 'start', 'hello.service');
    await host.waitFor(async () => (await host.journal('hello.service')).includes('hello there'));
  });

  test('a transient unit that outlives its time is ended by systemd', async () => {
    const { code, stderr } = await host.run(['systemd-run', '--wait', '-p', 'RuntimeMaxSec=1', 'sleep', '60']);
    assert.notEqual(code, 0);
    assert.match(stderr, /result: timeout/);
  });

  test('a disk of its own runs full', async () => {
    const { code, stderr } = await host.run(['dd', 'if=/dev/zero', 'of=/var/lib/small/fill', 'bs=1M', 'count=8']);
    assert.notEqual(code, 0);
    assert.match(stderr, /No space left/);
    await host.sh('rm', '/var/lib/small/fill');
  });

  test('a power cut and a boot keep the disk and change the boot id', async () => {
    const before_ = await host.bootId();
    await host.sh('sh', '-c', 'echo kept > /var/lib/kept; echo kept > /var/lib/small/kept');
    await host.powerCut();
    assert.equal(await host.read('/var/lib/kept'), 'kept\n');
    await host.boot();
    assert.notEqual(await host.bootId(), before_);
    assert.equal(await host.read('/var/lib/small/kept'), 'kept\n');
    assert.match(await host.journal('hello.service'), /hello there/);
  });

  test('a reboot from within comes back under another boot id', async () => {
    const before_ = await host.bootId();
    await host.run(['systemctl', 'reboot']);
    await host.rebooted(before_);
    assert.equal(await host.read('/var/lib/kept'), 'kept\n');
  });

  test('its link can be cut and mended', async () => {
    const gateway = host.network?.gateway ?? '';
    const reach = ['bash', '-c', `exec 3<>/dev/tcp/${gateway}/9`];
    // Nothing listens: a refusal is an answer, silence is not.
    assert.match((await host.run(reach)).stderr, /refused/);
    await host.network?.cut();
    assert.doesNotMatch((await host.run(['timeout', '1', ...reach])).stderr, /refused/);
    await host.network?.mend();
    await host.waitFor(async () => (await host.run(reach)).stderr.includes('refused'));
  });
});

test('a host whose test is killed leaves nothing behind', { skip: leftOut ?? false }, async () => {
  const script = `
    import { bootHost } from ${JSON.stringify(new URL('./booted-host.ts', import.meta.url).href)};
    const host = await bootHost({ name: 'orphan' });
    process.stdout.write('up ' + (await host.bootId()) + '\\n');
    setInterval(() => {}, 1000);`;
  const child = startProcess([process.execPath, '--input-type=module', '-e', script]);
  await child.waitForLine('up ');
  await child.kill();
  const left = await sweep();
  assert.deepEqual(left, [`fettle-host-${child.pid}-1`]);
  await eventually(async () => (await sweep()).length === 0, { what: 'nothing left to sweep' });
});

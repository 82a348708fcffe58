import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { script } from '../../test/support/agent-bench.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { Args } from '../../workflows/contract.ts';
import { everySecret, withoutSecretBytes } from '../secret-values.ts';
import { RefusalError } from '../refusal.ts';
import { type ActionHost, PROGRAMS } from './action.ts';
import { diagnosticsCollect } from './diagnostics-collect.ts';
import { storeBundle } from './diagnostics-store.ts';
import { tarOf } from './tar.ts';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let host: ActionHost;
let main: ChildProcess;

beforeEach(async () => {
  home = await temporaryDirectory('fettle-diagnostics-');
  main = spawn('/bin/sleep', ['600'], { stdio: 'ignore' });
  await once(main, 'spawn');
  const { ps, df, ss, dmesg, tail } = PROGRAMS;
  host = {
    ...BARE_HOST,
    ps,
    df,
    ss,
    dmesg,
    tail,
    euStack: '/no/such/program',
    systemctl: await script(home.path, 'systemctl', `#!/bin/sh\necho MainPID=${main.pid}\necho "asked $*"\n`),
    journalctl: await script(home.path, 'journalctl', '#!/bin/sh\necho "token hush-hush-7 of $*"\n'),
    gdb: await script(home.path, 'gdb', '#!/bin/sh\necho "gdb $*"\n'),
    diagnosticsDir: join(home.path, 'kept/diagnostics'),
  };
});
afterEach(async () => {
  main.kill('SIGKILL');
  await home[Symbol.asyncDispose]();
});

const collect = async (args: Args, more: Partial<ActionHost> = {}, run = actionRun()) =>
  documented('diagnostics.collect', await diagnosticsCollect.prepare(args, { ...host, ...more }).run(run));
const unpacked = (path: unknown, file: string): string =>
  execFileSync('tar', ['-xzOf', String(path), file], { encoding: 'utf8' });

describe('diagnostics.collect', () => {
  it('keeps what it found about the host and a unit in one file for root alone, and tells its digest', async () => {
    const { status, output } = await collect({ unit: 'web.service', stack: true });
    assert.equal(status, 'done', JSON.stringify(output));
    const { path, sha256, main_pid: pid, parts } = output.facts;
    const listed = execFileSync('tar', ['-tvzf', String(path)], { encoding: 'utf8' });
    for (const name of [
      'index.txt',
      'unit/stack-kernel.txt',
      'unit/status.txt',
      'host/processes.txt',
      'host/dmesg.txt',
    ])
      assert.match(listed, new RegExp(`^-rw------- root/root .* ${name}$`, 'm'));
    assert.equal(Number(parts) + 1, listed.trim().split('\n').length);
    assert.equal(pid, main.pid);
    assert.match(unpacked(path, 'unit/stack-kernel.txt'), /==> \/proc\/\d+\/task\/\d+\/stack <==/);
    assert.match(unpacked(path, 'unit/stack-program.txt'), new RegExp(`gdb -nx -batch -p ${main.pid} `));
    assert.match(unpacked(path, 'unit/main-process.txt'), /^Name:\tsleep$/m);
    assert.match(unpacked(path, 'host/processes.txt'), /PID .* COMMAND\n/);
    assert.equal(unpacked(path, 'index.txt'), output.tail);
    assert.equal((await lstat(String(path))).mode & 0o777, 0o600);
    assert.equal((await lstat(host.diagnosticsDir)).mode & 0o777, 0o700);
    assert.equal(execFileSync('sha256sum', [String(path)], { encoding: 'utf8' }).split(' ')[0], sha256);
    assert.equal(Buffer.from(String(sha256), 'hex').toString('base64url'), output.digest);
    assert.equal((await lstat(String(path))).size, output.bytes);
    main.kill(0);
  });

  it('holds no secret of the host, whole or line by line', async () => {
    const secretsDir = join(home.path, 'secrets');
    await mkdir(secretsDir);
    await writeFile(join(secretsDir, 'token'), 'hush-hush-7\n');
    const { output } = await collect({}, { secretsDir });
    assert.match(unpacked(output.facts['path'], 'host/journal.txt'), /^token \[secret\] of --no-pager/);
    await writeFile(join(secretsDir, 'key'), '-----BEGIN KEY-----\nMIIabcdefghijklmnop\n-----END KEY-----\n');
    const log = Buffer.from('line 1: MIIabcdefghijklmnop\nübrig');
    assert.equal(withoutSecretBytes(log, await everySecret(secretsDir)).toString(), 'line 1: [secret]\nübrig');
  });

  it('ends in time on a host where programs hang, with what the others said', async () => {
    const hangs = await script(home.path, 'hangs', '#!/bin/sh\ntrap "" TERM\necho begun\nexec sleep 600\n');
    const { status, output } = await collect({}, { df: hangs, ss: '/no/such/program' }, actionRun(2000));
    assert.equal(status, 'done');
    assert.match(output.tail ?? '', /^host\/disks.txt: 6 bytes, timeout$/m);
    assert.match(output.tail ?? '', /^host\/sockets.txt: 0 bytes, ENOENT$/m);
    assert.match(output.tail ?? '', /^host\/processes.txt: \d+ bytes, ok$/m);
    assert.equal(output.facts['parts_incomplete'], 3);
  });

  it('finds the main process without systemd when systemd does not answer', async () => {
    await mkdir(join(home.path, 'cgroup/system.slice/web.service'), { recursive: true });
    await writeFile(join(home.path, 'cgroup/system.slice/web.service/cgroup.procs'), `${main.pid}\n`);
    const { output } = await collect(
      { unit: 'web.service' },
      { systemctl: '/bin/false', controlGroups: join(home.path, 'cgroup') },
    );
    assert.equal(output.facts['main_pid'], main.pid);
  });

  it('sends SIGQUIT only when it is told to, to the main process alone', async () => {
    const kept = await collect({ unit: 'web.service' });
    assert.deepEqual([kept.output.facts['after_quit_signal'], main.signalCode], [undefined, null]);
    const ended = once(main, 'exit');
    const quit = await collect({ unit: 'web.service', quit_signal: true });
    assert.deepEqual([quit.output.facts['after_quit_signal'], (await ended)[1]], ['ended', 'SIGQUIT']);
  });

  it('rehearsed, says what it would run and where it would keep it, and keeps nothing', async () => {
    const prepared = diagnosticsCollect.prepare({ unit: 'web.service', quit_signal: true }, host);
    const { tail, facts } = await prepared.rehearse(actionRun());
    assert.match(tail ?? '', new RegExp(`^would send SIGQUIT to process ${main.pid}\nwould run `));
    assert.equal(facts['directory'], host.diagnosticsDir);
    await assert.rejects(readdir(host.diagnosticsDir), /ENOENT/);
    assert.equal(main.signalCode, null);
  });

  it('refuses what makes no sense, and signals to itself', () => {
    const refused = (args: Args): string => {
      try {
        diagnosticsCollect.prepare(args, host);
      } catch (error) {
        assert.ok(error instanceof RefusalError && error.code === 'args_invalid', String(error));
        return error.message;
      }
      throw new Error('was not refused');
    };
    assert.match(refused({ stack: true }), /stack and quit_signal need unit/);
    assert.match(refused({ unit: 'fettle-agent.service', quit_signal: true }), /is never sent a signal/);
    for (const unit of ['../../etc', '-a.service', 'a b.service']) refused({ unit });
  });

  it('keeps nothing when it is called off, and nothing through a link', async () => {
    const end = await collect({}, {}, actionRun(10_000, AbortSignal.abort()));
    assert.equal(end.status === 'failed' && end.code, 'cancelled');
    await symlink(home.path, join(home.path, 'way'));
    const linked = await collect({}, { diagnosticsDir: join(home.path, 'way') });
    assert.match(linked.status === 'failed' ? linked.message : '', /is no folder of the user that collects/);
  });
});

describe('the store of bundles', () => {
  it('keeps the newest within its bounds, the one just written in any case, and nothing half written', async () => {
    const folder = join(home.path, 'store');
    const keep = (minute: number, bytes: number) =>
      storeBundle(folder, 'web.service', {
        bundle: Buffer.alloc(bytes, 'x'),
        at: new Date(Date.UTC(2026, 0, 1, 0, minute)),
        bounds: { bundles: 3, bytes: 1000 },
      });
    for (const minute of [1, 2, 3]) await keep(minute, 100);
    await writeFile(join(folder, 'fettle-dead.tar.gz.partial'), '');
    await writeFile(join(folder, 'notes.txt'), 'of a person');
    assert.equal((await keep(4, 100)).pruned, 1);
    const names = async (): Promise<string[]> =>
      (await readdir(folder)).map((name) => name.replace(/-[0-9a-f]{8}\./, '.')).toSorted();
    assert.deepEqual(await names(), [
      ...[2, 3, 4].map((minute) => `fettle-20260101T000${minute}00000Z-web.service.tar.gz`),
      'notes.txt',
    ]);
    assert.equal((await keep(5, 5000)).pruned, 3);
    assert.deepEqual(await names(), ['fettle-20260101T000500000Z-web.service.tar.gz', 'notes.txt']);
  });

  it(
    'gives up older bundles for the one of now when the disk is full',
    { skip: process.getuid?.() === 0 ? false : 'mounting needs root' },
    async () => {
      const folder = join(home.path, 'full');
      await mkdir(folder);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder]);
      try {
        const keep = (minute: number, bytes: number) =>
          storeBundle(folder, 'host', {
            bundle: Buffer.alloc(bytes, 'x'),
            at: new Date(Date.UTC(2026, 0, 1, 0, minute)),
          });
        await keep(1, 40_000);
        const { path } = await keep(2, 50_000);
        assert.equal((await readFile(path)).length, 50_000);
        assert.equal((await readdir(folder)).length, 1);
        await assert.rejects(keep(3, 100_000), { code: 'ENOSPC' });
      } finally {
        execFileSync('umount', [folder]);
      }
    },
  );

  it('takes no name that would lead out of an archive', () => {
    for (const name of ['/etc/passwd', '../a', 'a b', '', 'x'.repeat(101)])
      assert.throws(() => tarOf([{ name, content: Buffer.alloc(0) }], new Date(0)), /cannot be the name/);
  });
});

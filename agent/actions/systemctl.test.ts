import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { script } from '../../test/support/agent-bench.ts';
import { actionRun, BARE_HOST } from '../../test/support/action-host.ts';
import { eventually, temporaryDirectory } from '../../test/support/processes.ts';
import { RefusalError } from '../refusal.ts';
import type { ActionHost } from './action.ts';
import { ALL_ACTIONS } from './all-actions.ts';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let host: ActionHost;

/** A stand-in for systemctl: notes its arguments one a line, answers `show` from a file, obeys `on-VERB` scripts. */
const FAKE = (dir: string): string => `#!/bin/sh
printf '%s\\037' "$@" >> ${dir}/calls; echo >> ${dir}/calls
[ "$1" = show ] && exec cat ${dir}/state
[ "$1" = cancel ] && exec sed -i 's/^Job=.*/Job=/' ${dir}/state
verb=$2
[ -e ${dir}/on-$verb ] && . ${dir}/on-$verb
exit 0
`;

const state = (more: Record<string, string> = {}): Promise<void> => {
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
  return writeFile(
    join(home.path, 'state'),
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
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

const act = (name: string, unit: unknown = 'web.service', timeoutMs = 30_000, signal = new AbortController().signal) =>
  ALL_ACTIONS.get(name)!
    .prepare({ unit } as never, host)
    .run(actionRun(timeoutMs, signal));

describe('systemd actions', () => {
  for (const verb of ['restart', 'start', 'stop']) {
    it(`${verb} asks systemctl for exactly that, the unit behind "--", with facts before and after`, async () => {
      await on(verb, `sed -i 's/MainPID=99/MainPID=100/' ${home.path}/state`);
      const end = await act(`systemd.${verb}`);
      assert.equal(end.status, 'done');
      assert.deepEqual(changes(), [['--no-ask-password', verb, '--', 'web.service']]);
      const { facts } = end.output;
      assert.deepEqual(
        [facts['unit'], facts['before_main_pid'], facts['main_pid'], facts['n_restarts']],
        ['web.service', 99, 100, 2],
      );
      assert.deepEqual([facts['active_state'], facts['sub_state'], facts['result']], ['active', 'running', 'success']);
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
    assert.deepEqual(changes().at(-1), ['cancel', '--', '4711']);
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
    const prepared = ALL_ACTIONS.get('systemd.restart')!.prepare({ unit: 'web.service' }, host);
    const output = await prepared.rehearse(actionRun(1000, new AbortController().signal));
    const line = (verb: string): string =>
      `would run ${JSON.stringify([host.systemctl, '--no-ask-password', verb, '--', 'web.service'])}`;
    assert.equal(output.tail, `${line('reset-failed')}\n${line('restart')}`);
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
      for (const verb of ['restart', 'start', 'stop', 'status']) {
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

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { eventually, temporaryDirectory } from '../../test/support/processes.ts';
import type { Args } from '../../workflows/contract.ts';
import { readProcess } from '../procfs.ts';
import { RefusalError } from '../refusal.ts';
import { processKill } from './process-kill.ts';
import { processList } from './process-list.ts';
import { criteriaOf, select } from './process-selection.ts';
import { runsFile } from './process-table.ts';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
/** An executable of its own, so that nothing else on the machine matches. */
let exe: string;
const children: ChildProcess[] = [];

before(async () => {
  home = await temporaryDirectory('fettle-processes-');
  exe = join(home.path, 'worker');
  await copyFile('/bin/sleep', exe);
});
after(() => home[Symbol.asyncDispose]());
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function start(argv: readonly string[] = [exe, '600'], runs = exe): Promise<number> {
  const [program, ...args] = argv;
  const child = spawn(program!, args, { stdio: 'ignore' });
  children.push(child);
  await eventually(() => runsFile(child.pid!, runs) === true, { everyMs: 10 });
  return child.pid!;
}
const stubborn = (): Promise<number> => start(['/bin/sh', '-c', `trap "" TERM; exec ${exe} 600`]);
const runs = (pid: number): boolean => readProcess(pid) !== null;

const list = async (args: Args) =>
  documented('process.list', await processList.prepare(args, BARE_HOST).run(actionRun())).output;
const kill = async (args: Args, signal?: AbortSignal) =>
  documented(
    'process.kill',
    await processKill.prepare({ min_age_s: 0, ...args }, BARE_HOST).run(actionRun(30_000, signal)),
  );
async function refusal(args: Args): Promise<string> {
  try {
    await processKill.prepare(args, BARE_HOST).admit?.();
  } catch (error) {
    assert.ok(error instanceof RefusalError, String(error));
    return `${error.code}: ${error.message}`;
  }
  return 'none';
}

describe('process.kill', () => {
  it('ends the one process of an executable, says how, and touches no other', async () => {
    const [victim, bystander] = [await start(), await start(['/bin/sleep', '600'], realpathSync('/bin/sleep'))];
    const end = await kill({ exe });
    assert.ok(end.status === 'done', JSON.stringify(end));
    const { facts, tail } = end.output;
    assert.deepEqual(
      [facts['before_matched'], facts['ended'], facts['killed'], facts['after_running'], facts['signal']],
      [1, 1, 0, 0, 'TERM'],
    );
    assert.match(tail ?? '', new RegExp(`${victim} .* ${exe} +ended`));
    assert.deepEqual([runs(victim), runs(bystander)], [false, true]);
  });

  it('sends KILL to what does not listen, after the grace', async () => {
    const victim = await stubborn();
    const end = await kill({ exe, grace_s: 1 });
    assert.deepEqual(end.status === 'done' && [end.output.facts['ended'], end.output.facts['killed']], [0, 1]);
    assert.equal(runs(victim), false);
  });

  it('only signals, and lets live, where then_kill is false', async () => {
    const victim = await stubborn();
    const end = await kill({ exe, grace_s: 0, then_kill: false });
    assert.equal(end.status === 'done' && end.output.facts['after_running'], 1);
    assert.equal(runs(victim), true);
  });

  it('signals none when more match than max, and says how many', async () => {
    const pids = [await start(), await start(), await start()];
    assert.match(await refusal({ exe, min_age_s: 0, max: 2 }), /^host_state: .* 3 processes match and max is 2; none/);
    const end = await kill({ exe, max: 2 });
    assert.match(end.status === 'failed' ? end.message : '', /the host has changed since/);
    assert.deepEqual(pids.map(runs), [true, true, true]);
    assert.equal((await kill({ exe, max: 3 })).status, 'done');
    assert.deepEqual(pids.map(runs), [false, false, false]);
  });

  it('leaves alone what is too young, holds too little memory or uses too little of a CPU', async () => {
    await start();
    for (const narrower of [{ min_age_s: 3600 }, { min_rss_mb: 4096 }, { min_cpu_percent: 50 }]) {
      const end = await kill({ exe, ...narrower });
      assert.equal(end.status === 'done' && end.output.facts['before_matched'], 0, JSON.stringify(narrower));
    }
  });

  it('finds the one that eats a CPU among those that do not', async () => {
    const busy = join(home.path, 'busy');
    await copyFile('/bin/dash', busy);
    const [idle, runaway] = [
      await start([busy, '-c', `kill -STOP $$; :`], busy),
      await start([busy, '-c', 'while :; do :; done'], busy),
    ];
    const end = await kill({ exe: busy, min_cpu_percent: 10 });
    assert.ok(end.status === 'done', JSON.stringify(end));
    assert.deepEqual([runs(idle), runs(runaway)], [true, false]);
  });

  it('never signals itself, those it comes from, kernel threads or pid 1', async () => {
    const all = await select(criteriaOf({}));
    const spared = (pid: number): unknown => all.find(({ mark }) => mark.pid === pid)?.spared;
    assert.deepEqual([spared(process.pid), spared(process.ppid)], ['Fettle itself', 'Fettle itself']);
    assert.equal(spared(1), 'pid 1');
    for (const { kernelThread, spared: why } of all) if (kernelThread) assert.ok(why !== null);
  });

  it('knows a process by its executable, not by what it calls itself or by a link to it', async () => {
    const link = join(home.path, 'link');
    await copyFile('/bin/sleep', link);
    const pid = await start(['/bin/bash', '-c', `exec -a ${exe} /bin/sleep 600`], realpathSync('/bin/sleep'));
    const end = await kill({ exe });
    assert.equal(end.status === 'done' && end.output.facts['before_matched'], 0);
    assert.equal(runs(pid), true);
  });

  it('still knows it when its file was replaced by a new version', async () => {
    const old = join(home.path, 'upgraded');
    await copyFile('/bin/sleep', old);
    const pid = await start([old, '600'], old);
    await rm(old);
    await copyFile('/bin/sleep', old);
    assert.equal((await kill({ exe: old })).status, 'done');
    assert.equal(runs(pid), false);
  });

  it('rehearsed, names the pids, and signals none', async () => {
    const victim = await start();
    const output = await processKill.prepare({ exe, min_age_s: 0 }, BARE_HOST).rehearse(actionRun());
    assert.match(
      output.tail ?? '',
      new RegExp(`^would send TERM to pid ${victim}, and KILL to what still runs 10 s later`),
    );
    assert.equal(runs(victim), true);
  });

  it('ends early when it is cancelled, and says what still runs', async () => {
    const victim = await stubborn();
    const cancel = new AbortController();
    const ending = kill({ exe, grace_s: 300 }, cancel.signal);
    setTimeout(() => cancel.abort(), 300);
    const end = await ending;
    assert.deepEqual(end.status === 'failed' && [end.code, end.output.facts['after_running']], ['cancelled', 1]);
    assert.equal(runs(victim), true);
  });

  it('takes a unit, or an executable with a minimum age, and only safe values', () => {
    const bad: readonly (readonly [args: Args, why: RegExp])[] = [
      [{}, /takes unit, or exe and min_age_s/],
      [{ exe: '/bin/sleep' }, /min_age_s too/],
      [{ min_age_s: 5 }, /takes unit/],
      [{ exe: 'sleep', min_age_s: 5 }, /"exe"/],
      [{ exe: '/bin/../bin/sleep', min_age_s: 5 }, /"exe"/],
      [{ exe: '/bin//sleep', min_age_s: 5 }, /"exe"/],
      [{ exe: '/bin/sle\u0000ep', min_age_s: 5 }, /"exe"/],
      [{ unit: 'web' }, /"unit"/],
      [{ unit: 'web.service', signal: 'STOP' }, /"signal"/],
      [{ unit: 'web.service', max: 0 }, /"max"/],
      [{ unit: 'web.service', max: 101 }, /"max"/],
      [{ unit: 'web.service', pid: 1 }, /does not take "pid"/],
    ];
    for (const [args, why] of bad)
      assert.throws(
        () => processKill.prepare(args, BARE_HOST),
        (error) => error instanceof RefusalError && error.code === 'args_invalid' && why.test(error.message),
        JSON.stringify(args),
      );
  });
});

describe('process.list', () => {
  it('shows what fits, the greatest first, and sums it up', async () => {
    const pids = [await start(), await start()];
    const { facts, tail } = await list({ exe, sort_by: 'age' });
    assert.deepEqual([facts['matched'], facts['shown'], facts['exe']], [2, 2, exe]);
    const lines = (tail ?? '').trim().split('\n');
    assert.match(lines[0]!, /^ *PID +AGE +CPU% +RSS MiB +UNIT +PROGRAM$/);
    assert.deepEqual(
      lines
        .slice(1)
        .map((line) => Number(line.trim().split(/\s+/)[0]))
        .toSorted((a, b) => a - b),
      pids.toSorted((a, b) => a - b),
    );
  });

  it('shows no more than it is asked for, and never arguments, which may hold secrets', async () => {
    await start([exe, '601']);
    await start([exe, '602']);
    const { facts, tail } = await list({ exe, limit: 1 });
    assert.deepEqual([facts['matched'], facts['shown']], [2, 1]);
    assert.doesNotMatch(tail ?? '', /60[12]/);
  });

  it('lists the whole host without arguments, within the size of a receipt', async () => {
    const { facts, tail } = await list({ limit: 50, sort_by: 'memory' });
    assert.ok(Number(facts['matched']) > 0);
    assert.ok(Buffer.byteLength(tail ?? '') <= 4096);
  });
});

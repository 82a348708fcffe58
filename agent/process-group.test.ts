import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { script } from '../test/support/agent-bench.ts';
import { eventually, temporaryDirectory } from '../test/support/processes.ts';
import { CLEAN_ENVIRONMENT } from './actions/action.ts';
import { runProcess } from './process-group.ts';
import { isRunning, type ProcessMark, readProcess, survivors } from './procfs.ts';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeEach(async () => {
  home = await temporaryDirectory('fettle-group-');
});
afterEach(() => home[Symbol.asyncDispose]());

let keys = 0;
async function run(
  text: string,
  options: { timeoutMs?: number; signal?: AbortSignal; onSpawn?: (mark: ProcessMark) => void } = {},
) {
  const attemptKey = `group-test-${process.pid}-${(keys += 1)}`;
  const program = await script(home.path, `${keys}.sh`, `#!/bin/sh\n${text}\n`);
  const end = await runProcess({
    argv: [program],
    environment: CLEAN_ENVIRONMENT,
    workingDirectory: home.path,
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    attemptKey,
    secrets: [],
    onSpawn: () => undefined,
    ...options,
  });
  assert.deepEqual(survivors(attemptKey, null).length, 0);
  return end;
}
const pidIn = (name: string): number => Number(readFileSync(join(home.path, name), 'utf8'));

describe('a program in a group of its own', () => {
  it('takes its children with it when its time is over', async () => {
    const end = await run('sleep 600 & echo $! > child; sleep 600', { timeoutMs: 300 });
    assert.equal(end.how, 'timeout');
    assert.equal(readProcess(pidIn('child')), null);
  });

  it('is killed when it does not listen', async () => {
    const end = await run('trap "" TERM; echo $$ > leader; while :; do sleep 0.1; done', { timeoutMs: 300 });
    assert.deepEqual([end.how, end.exitSignal], ['timeout', 'SIGKILL']);
  });

  it('may clean up after itself when asked to end', async () => {
    const end = await run('trap "echo tidy; exit 0" TERM; echo ready; while :; do sleep 0.05; done', {
      timeoutMs: 500,
    });
    assert.equal(end.how, 'timeout');
    assert.match(end.output.tail, /tidy\n$/);
  });

  it('leaves nothing of its group behind when it ends by itself', async () => {
    const end = await run('sleep 600 & echo $! > child; exit 0');
    assert.deepEqual([end.how, end.exitCode], ['exit', 0]);
    assert.equal(readProcess(pidIn('child')), null);
  });

  it('ends early when it is withdrawn, and not at all begun counts the same', async () => {
    const cancel = new AbortController();
    const ending = run('echo > ready; sleep 600', { signal: cancel.signal });
    await eventually(() => existsSync(join(home.path, 'ready')));
    cancel.abort();
    assert.equal((await ending).how, 'cancelled');
    assert.equal((await run('sleep 600', { signal: cancel.signal })).how, 'cancelled');
  });

  it('is known by number and start time from its first moment', async () => {
    let mark: ProcessMark | undefined;
    await run('sleep 0.1', { onSpawn: (seen) => (mark = seen) });
    assert.ok(mark !== undefined && mark.startTime > 0);
    assert.equal(isRunning(mark), false);
    assert.equal(isRunning({ pid: process.pid, startTime: 1 }), false);
  });

  it('that writes without end costs no memory to speak of', async () => {
    const end = await run('yes 0123456789 | head -c 50000000', {});
    assert.equal(end.output.bytes, 50_000_000);
    assert.ok(Buffer.byteLength(end.output.tail) <= 4096);
  });
});

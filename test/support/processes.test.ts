import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { eventually, runProcess, startProcess, temporaryDirectory } from './processes.ts';

const node = process.execPath;

test('a program that ends while it is waited for says how it ended and quotes its last output', async () => {
  await using child = startProcess([node, '-e', 'console.log("cannot bind"); process.exit(7)'], { name: 'greeter' });
  await assert.rejects(child.waitForLine('ready'), /greeter: ended with code 7 while waiting for .*\n.*\ncannot bind/s);
});

test('a program that ignores SIGTERM is killed after its grace time', async () => {
  const script = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("deaf")';
  await using child = startProcess([node, '-e', script]);
  await child.waitForLine('deaf');
  assert.deepEqual(await child.stop(100), { code: null, signal: 'SIGKILL' });
});

test('a program does not outlive the one that started it', async () => {
  const module = JSON.stringify(new URL('./processes.ts', import.meta.url).href);
  const script = `
    const { startProcess } = await import(${module});
    const child = startProcess([process.execPath, '-e', 'setInterval(() => {}, 1000); console.log("up")']);
    await child.waitForLine('up');
    console.log('child ' + child.pid);
    setInterval(() => {}, 1000);`;
  await using parent = startProcess([node, '--input-type=module', '-e', script]);
  const pid = Number((await parent.waitForLine(/^child \d+$/)).slice('child '.length));
  await parent.kill();
  await eventually(() => !existsSync(`/proc/${pid}`), { what: `end of process ${pid}` });
});

test('a run program gives its code and its two streams apart', async () => {
  const result = await runProcess([node, '-e', 'console.log("a"); console.error("b"); process.exitCode = 3']);
  assert.deepEqual(result, { code: 3, stdout: 'a', stderr: 'b' });
});

test('a condition that never holds is named, with what was last seen', async () => {
  const never = eventually(() => Promise.reject(new Error('still closed')), {
    what: 'the door to open',
    timeoutMs: 60,
  });
  await assert.rejects(never, /the door to open.*still closed/s);
});

test('a temporary directory is gone afterwards', async () => {
  let where: string;
  {
    await using directory = await temporaryDirectory();
    where = directory.path;
    assert.ok(existsSync(where));
  }
  assert.equal(existsSync(where), false);
});

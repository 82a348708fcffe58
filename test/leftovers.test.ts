import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { watchLeftovers } from './leftovers.ts';

test('a process that outlives a test run is named and ended', async () => {
  const leftovers = watchLeftovers(`self-test-${process.pid}`);
  const child = spawn('sleep', ['300'], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin', ...leftovers.env },
  });
  const gone = new Promise((resolve) => {
    child.on('close', resolve);
  });
  const lines = await leftovers.end();
  assert.deepEqual(lines, [`process ${child.pid}: sleep 300`]);
  await gone;
  assert.equal(existsSync(`/proc/${child.pid}`), false);
});

import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { eventually, temporaryDirectory } from '../test/support/processes.ts';
import { followApiKey } from './api-key.ts';

test('a token is followed as its file changes; a file that is gone or empty leaves the last one in use', async () => {
  await using folder = await temporaryDirectory();
  const file = path.join(folder.path, 'temporal.token');
  await writeFile(file, 'first\n');
  const heard: string[] = [];
  const key = await followApiKey(file, (next) => heard.push(next), 10);
  assert.ok(key);
  try {
    assert.equal(key.current(), 'first');
    await writeFile(file, 'second\n');
    await eventually(() => key.current() === 'second', { what: 'the second token' });
    await writeFile(file, '');
    await rm(file);
    await writeFile(file, 'third');
    await eventually(() => key.current() === 'third', { what: 'the third token' });
    assert.deepEqual(heard, ['second', 'third']);
  } finally {
    key.stop();
  }
  assert.equal(await followApiKey(null), null);
  await assert.rejects(followApiKey(path.join(folder.path, 'none')), /ENOENT/);
});

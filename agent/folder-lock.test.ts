import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../test/support/processes.ts';
import { hostClock } from './boot-clock.ts';
import { withLock } from './folder-lock.ts';
import { ownProcess } from './procfs.ts';

async function folder(context: TestContext): Promise<string> {
  const made = await temporaryDirectory('fettle-lock-');
  context.after(() => made[Symbol.asyncDispose]());
  return made.path;
}

describe('the lock of a folder', () => {
  it('lets one in after the other, also after one that failed', async (context) => {
    const dir = await folder(context);
    let inside = 0;
    const work = (fails: boolean) =>
      withLock(dir, async () => {
        assert.equal((inside += 1), 1);
        await readdir(dir);
        inside -= 1;
        if (fails) throw new Error('failed');
      });
    const all = await Promise.allSettled([work(false), work(true), work(false), work(true), work(false)]);
    assert.deepEqual(
      all.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await readdir(dir), []);
  });

  const boot = hostClock().instant().boot;
  const dead = { pid: 4_000_000, startTime: 1 };
  const left: [what: string, content: string][] = [
    ['a process that is gone', JSON.stringify({ id: 'a1', boot, owner: dead })],
    ['this very process id in another boot', JSON.stringify({ id: 'a1', boot: 'other', owner: ownProcess() })],
    ['another process under this id', JSON.stringify({ id: 'a1', boot, owner: { ...ownProcess(), startTime: 1 } })],
    ['a host that lost power while it was written', ''],
  ];
  for (const [what, content] of left)
    it(`is taken from ${what}, by one of many`, async (context) => {
      const dir = await folder(context);
      await writeFile(join(dir, 'lock'), content);
      // One who was about to break it died too.
      await writeFile(join(dir, 'lock.a1'), JSON.stringify({ id: 'a2', boot, owner: dead }));
      let done = 0;
      await Promise.all([1, 2, 3].map(() => withLock(dir, async () => void (done += 1))));
      assert.equal(done, 3);
      assert.deepEqual(
        (await readdir(dir)).filter((name) => name !== 'lock.a1'),
        [],
      );
    });
});

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ApiFailure } from '../service.ts';
import { atOnce } from './at-once.ts';

it('lets so many read at once, keeps a few in line, and sends the rest away', async () => {
  const read = atOnce(2);
  let now = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const work = async (): Promise<void> => {
    now += 1;
    most = Math.max(most, now);
    await new Promise<void>((resolve) => void ends.push(resolve));
    now -= 1;
  };
  const all = Array.from({ length: 23 }, () => read(work));
  const [last = Promise.resolve()] = all.splice(22);
  await assert.rejects(last, (error: unknown) => error instanceof ApiFailure && error.code === 'busy');
  const done = Promise.all(all);
  while (ends.length > 0) {
    ends.shift()?.();
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await done;
  assert.equal(most, 2);
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createActionSlots } from './action-slots.ts';
import { RefusalError } from './refusal.ts';

const never = new AbortController().signal;
const soon = (): number => Date.now() + 10_000;
const busy = (error: unknown): boolean => error instanceof RefusalError && error.code === 'busy';

describe('the cap on actions at once', () => {
  it('holds whatever comes at once, and gives each slot on in the order of asking', async () => {
    const seen: number[] = [];
    const slots = createActionSlots(2, { onChange: (used) => seen.push(used) });
    const order: number[] = [];
    const work = async (name: number): Promise<void> => {
      const release = await slots.take(soon(), never);
      order.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      release();
      release();
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(work));
    assert.deepEqual([order, slots.used(), Math.max(...seen)], [[1, 2, 3, 4, 5, 6], 0, 2]);
  });

  it('refuses as busy when none came free in time, or the order was withdrawn, and keeps its count', async () => {
    const slots = createActionSlots(1);
    const release = await slots.take(soon(), never);
    await assert.rejects(slots.take(Date.now(), never), busy);
    const withdrawn = new AbortController();
    const waiting = slots.take(soon(), withdrawn.signal);
    withdrawn.abort();
    await assert.rejects(waiting, busy);
    await assert.rejects(slots.take(soon(), withdrawn.signal), busy);
    release();
    assert.equal(slots.used(), 0);
  });

  it('lets only so many wait', async () => {
    const slots = createActionSlots(1);
    await slots.take(soon(), never);
    const end = new AbortController();
    const waiting = Array.from({ length: 32 }, () => slots.take(soon(), end.signal));
    await assert.rejects(slots.take(soon(), never), busy);
    end.abort();
    for (const one of waiting) await assert.rejects(one, busy);
  });
});

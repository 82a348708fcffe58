import assert from 'node:assert/strict';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { defaultPayloadConverter } from '@temporalio/common';
import { firstOf, mapSome, timeOf } from './history.ts';

it('reads the first value of a list of payloads, also when it was compressed on its way', () => {
  const value = { domain: 'main', leases: [1, 2] };
  const plain = defaultPayloadConverter.toPayload(value);
  const text = (word: string): Uint8Array => Buffer.from(word);
  const packed = {
    metadata: { encoding: text('binary/gzip'), inner: text('json/plain') },
    data: gzipSync(plain.data ?? new Uint8Array()),
  };
  assert.deepEqual(firstOf({ payloads: [plain] }), value);
  assert.deepEqual(firstOf({ payloads: [packed] }), value);
  assert.equal(firstOf({ payloads: [] }), undefined);
  assert.equal(firstOf(null), undefined);
});

it('keeps what the server says below a millisecond', () => {
  assert.equal(timeOf({ seconds: '1700000000', nanos: 1_500_000 }), 1_700_000_000_001.5);
});

it('maps some at a time, and keeps their order', async () => {
  let under = 0;
  let most = 0;
  const doubled = await mapSome([3, 1, 2, 5, 4], 2, async (item) => {
    most = Math.max(most, (under += 1));
    await new Promise((resolve) => setTimeout(resolve, item));
    under -= 1;
    return item * 2;
  });
  assert.deepEqual([doubled, most], [[6, 2, 4, 10, 8], 2]);
});

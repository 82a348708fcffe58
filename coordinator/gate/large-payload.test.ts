import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { largePayloadCodec, readPayload } from './large-payload.ts';

const payloadOf = (value: unknown) => defaultPayloadConverter.toPayload(value);

describe('payloads of the gate', () => {
  it('stay as they are when they are small', async () => {
    const small = payloadOf({ words: ['web'] });
    assert.deepEqual(await largePayloadCodec.encode([small]), [small]);
    assert.deepEqual(readPayload(small), { words: ['web'] });
  });

  it('are compressed when they are large, and read back the same', async () => {
    const value = { leases: Array.from({ length: 20_000 }, (_, n) => [1, n, 'web-1.eu-central-1']) };
    const [sent] = await largePayloadCodec.encode([payloadOf(value)]);
    assert.ok((sent?.data?.length ?? 0) < 100_000, `${sent?.data?.length} bytes`);
    const [back] = await largePayloadCodec.decode([sent ?? {}]);
    assert.deepEqual(defaultPayloadConverter.fromPayload(back ?? {}), value);
    assert.deepEqual(readPayload(sent ?? {}), value);
  });
});

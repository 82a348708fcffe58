/**
 * The gate's state goes into its next run, and a server takes no more than 2 MiB there: what is large is compressed on its way, so that
 * ten thousand leases with their faults stay far below. Small payloads stay as they are, for people and programs to read.
 */
import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip } from 'node:zlib';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';

const LARGE_BYTES = 256 * 1024;
const ENCODING = 'binary/gzip';

const compress = promisify(gzip);
const decompress = promisify(gunzip);
const text = (value: Uint8Array | null | undefined): string => Buffer.from(value ?? []).toString();

const isCompressed = ({ metadata }: Payload): boolean => text(metadata?.['encoding']) === ENCODING;

export const largePayloadCodec: PayloadCodec = {
  encode: (payloads) =>
    Promise.all(
      payloads.map(async (payload) => {
        const { data, metadata } = payload;
        if (data === undefined || data === null || data.length < LARGE_BYTES) return payload;
        const encoding = Buffer.from(ENCODING);
        const kept = { ...metadata, encoding, inner: metadata?.['encoding'] ?? Buffer.from('json/plain') };
        return { metadata: kept, data: await compress(data, { level: 1 }) };
      }),
    ),
  decode: (payloads) =>
    Promise.all(
      payloads.map(async (payload) =>
        isCompressed(payload) ? restored(payload, await decompress(payload.data ?? new Uint8Array())) : payload,
      ),
    ),
};

const restored = ({ metadata }: Payload, data: Uint8Array): Payload => {
  const { inner, ...rest } = metadata ?? {};
  return { metadata: { ...rest, encoding: inner ?? Buffer.from('json/plain') }, data };
};

/** A payload as histories hold it, compressed or not. @throws when it does not decode */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what was written
export const readPayload = <T>(payload: Payload): T =>
  defaultPayloadConverter.fromPayload<T>(
    isCompressed(payload) ? restored(payload, gunzipSync(payload.data ?? new Uint8Array())) : payload,
  );

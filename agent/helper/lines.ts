import type { Readable } from 'node:stream';
import { MAX_LINE_BYTES } from './messages.ts';

/** The JSON objects of a stream, one a line. @throws Error at a line that is too long or no JSON. */
export async function* jsonLines(stream: Readable): AsyncGenerator<unknown, void, undefined> {
  let held = Buffer.alloc(0);
  for await (const chunk of stream) {
    held = Buffer.concat([held, chunk as Buffer]);
    for (let end = held.indexOf(10); end !== -1; end = held.indexOf(10)) {
      yield JSON.parse(held.subarray(0, end).toString('utf8'));
      held = held.subarray(end + 1);
    }
    if (held.length > MAX_LINE_BYTES) throw new Error(`a line is longer than ${MAX_LINE_BYTES} bytes`);
  }
}

import type { ApiEvent } from '../../workflows/api.ts';
import { failureAnswer } from './failure.ts';

/** So often a comment shows that the stream lives, milliseconds. Clients give up after three times that. */
const HEARTBEAT_MS = 15_000;

export type EventResponseOptions = {
  /** Begins the story anew at each call; ends when the execution has closed or the signal aborts. */
  readonly events: (signal: AbortSignal) => AsyncIterable<ApiEvent>;
  /** Aborts when the connection has to end: the stream then ends without its last word, and the client comes again. */
  readonly closing: AbortSignal;
  /** `Last-Event-ID` of a client that comes again: what it has already is left out. */
  readonly lastEventId: string | null;
  readonly onError: (error: unknown) => void;
};

/**
 * Server-sent events: `id` counts from 1, `data` is an `ApiEvent`; `event: end` says that the execution has closed, `event: failure`
 * carries an error body. Nothing is asked for before the first read, so an answer nobody reads costs nothing.
 */
export function eventResponse(options: EventResponseOptions): Response {
  const gone = new AbortController();
  const signal = AbortSignal.any([options.closing, gone.signal]);
  const encoder = new TextEncoder();
  const text = frames(options, signal);
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const next = await text.next();
        if (next.done === true) controller.close();
        else controller.enqueue(encoder.encode(next.value));
      },
      cancel: () => gone.abort(),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      // A stream may outlive what its connection was judged by, so no request follows on it.
      connection: 'close',
    },
  });
}

async function* frames(options: EventResponseOptions, signal: AbortSignal): AsyncGenerator<string> {
  const skip = /^\d{1,9}$/.test(options.lastEventId ?? '') ? Number(options.lastEventId) : 0;
  const iterator = options.events(signal)[Symbol.asyncIterator]();
  yield ': hello\n\n';
  try {
    let pending = iterator.next();
    for (let id = 1; ;) {
      const next = await soonest(pending, signal);
      if (next === 'aborted') return;
      if (next === 'quiet') {
        yield ': still here\n\n';
        continue;
      }
      if (next.done === true) {
        if (!signal.aborted) yield 'event: end\ndata: {}\n\n';
        return;
      }
      pending = iterator.next();
      if (id > skip) yield `id: ${id}\ndata: ${JSON.stringify(next.value)}\n\n`;
      id += 1;
    }
  } catch (error) {
    if (signal.aborted) return;
    options.onError(error);
    yield `event: failure\ndata: ${JSON.stringify(failureAnswer(error).body)}\n\n`;
  } finally {
    // Not waited for: an iterator that hangs must not hold the connection.
    iterator.return?.()?.then(undefined, () => undefined);
  }
}

/** The next event, or word that none came for a while, or that the stream has to end. */
async function soonest<T>(pending: Promise<T>, signal: AbortSignal): Promise<T | 'quiet' | 'aborted'> {
  const { promise, resolve } = Promise.withResolvers<'quiet' | 'aborted'>();
  const aborted = (): void => resolve('aborted');
  const timer = setTimeout(() => resolve('quiet'), HEARTBEAT_MS);
  signal.addEventListener('abort', aborted, { once: true });
  if (signal.aborted) aborted();
  try {
    return await Promise.race([pending, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
    // What was waited for may fail after the stream has ended.
    pending.then(undefined, () => undefined);
  }
}

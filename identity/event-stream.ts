/** Server-sent events, as much of the format as one JSON API needs (WHATWG HTML, 9.2). */
export type StreamEvent = { readonly event: string; readonly data: string; readonly id: string | null };

const MAX_EVENT_CHARS = 256 * 1024;

/** Splits a byte stream into events; comments and heartbeats are skipped. @throws when one event is larger than 256 K characters */
export async function* readEventStream(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true }).replaceAll('\r', '');
    for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
      const event = parseEvent(rest.slice(0, end));
      rest = rest.slice(end + 2);
      if (event !== null) yield event;
    }
    if (rest.length > MAX_EVENT_CHARS) throw new Error('an event is too large');
  }
}

function parseEvent(text: string): StreamEvent | null {
  let event = 'message';
  let id: string | null = null;
  const data: string[] = [];
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    if (field === 'id') id = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join('\n'), id };
}

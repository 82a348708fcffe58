import { HttpFailure } from './failure.ts';
import { findJsonMistake } from './json-mistake.ts';

export const MAX_BODY_BYTES = 64 * 1024;
const MAX_DEPTH = 32;

/**
 * The JSON of a request's body, bounded however its length is told.
 * @throws HttpFailure 413, 415, or 400 with the line and column of the mistake
 */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    const said = type === undefined ? 'no content-type' : `content-type ${JSON.stringify(type.slice(0, 100))}`;
    throw new HttpFailure(415, 'unsupported_media_type', `the body has ${said}; send application/json`, {
      headers: { connection: 'close' },
    });
  }
  const encoding = request.headers.get('content-encoding');
  if (encoding !== null && encoding !== 'identity') {
    throw new HttpFailure(415, 'unsupported_media_type', 'send the body without content-encoding', {
      headers: { connection: 'close' },
    });
  }
  return parseJson(await readText(request));
}

async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new HttpFailure(400, 'bad_json', 'the body is not UTF-8');
  }
}

const tooLarge = (): HttpFailure =>
  new HttpFailure(413, 'body_too_large', `the body is larger than ${MAX_BODY_BYTES} bytes`, {
    headers: { connection: 'close' },
  });

/** @throws HttpFailure 400 `bad_json` */
export function parseJson(text: string): unknown {
  if (text.trim() === '') throw new HttpFailure(400, 'bad_json', 'the body is empty; send a JSON object');
  const deep = tooDeepAt(text);
  if (deep !== null) throw badJson(text, deep, `nested deeper than ${MAX_DEPTH}`);
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new HttpFailure(400, 'bad_json', 'the body may not hold a key "__proto__"');
      return value;
    });
  } catch (error) {
    if (error instanceof HttpFailure) throw error;
    const mistake = findJsonMistake(text);
    throw badJson(
      text,
      mistake?.offset ?? text.length,
      mistake === null ? 'cannot be read' : `expected ${mistake.expected}`,
    );
  }
}

function badJson(text: string, offset: number, why: string): HttpFailure {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  const column = offset - before.lastIndexOf('\n');
  return new HttpFailure(400, 'bad_json', `the body is not JSON at line ${line}, column ${column}: ${why}`, {
    details: { line, column },
  });
}

/** Offset of the first bracket beyond the permitted depth, looked for before anything recursive sees the text. */
function tooDeepAt(text: string): number | null {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (quoted && char === '\\') index += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (char === '{' || char === '[')) {
      depth += 1;
      if (depth > MAX_DEPTH) return index;
    } else if (!quoted && (char === '}' || char === ']')) depth -= 1;
  }
  return null;
}

import { createHash } from 'node:crypto';

const TAIL_BYTES = 4096;
const HEAD_BYTES = 2048;

/** What is kept of a program's output: both ends, a digest and the length of all of it. Secret values never get in. */
export type OutputSummary = {
  /** Absent when the tail holds all. */
  readonly head?: string;
  readonly tail: string;
  readonly digest: string;
  readonly bytes: number;
};

/** Several streams written as they come, one summary. Each stream is cleaned of secrets by itself, across chunk borders. */
export function createOutputTail(secrets: readonly string[]) {
  const hash = createHash('sha256');
  let bytes = 0;
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  const keep = (chunk: Buffer): void => {
    hash.update(chunk);
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
    bytes += chunk.length;
    tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
  };
  const redactors: { flush: () => void }[] = [];
  return {
    stream(): (chunk: Buffer) => void {
      const redactor = createRedactor(secrets, keep);
      redactors.push(redactor);
      return (chunk) => redactor.write(chunk);
    },
    /** Call once, when all streams have ended. */
    finish(): OutputSummary {
      for (const redactor of redactors) redactor.flush();
      const ends = { tail: readableEnd(tail), digest: hash.digest('base64url'), bytes };
      return bytes > TAIL_BYTES ? { head: readableBeginning(head), ...ends } : ends;
    },
  };
}

const REPLACEMENT = Buffer.from('[secret]');

/** Holds back as many bytes as could be the beginning of a secret, so that none slips through in two halves. */
function createRedactor(secrets: readonly string[], emit: (chunk: Buffer) => void) {
  const needles = secrets.filter((secret) => secret !== '').map((secret) => Buffer.from(secret));
  const longest = Math.max(1, ...needles.map((needle) => needle.length));
  let held = Buffer.alloc(0);
  const drain = (keepBack: number): void => {
    let from = 0;
    for (let match = firstMatch(held, needles, from); match !== null; match = firstMatch(held, needles, from)) {
      if (match.at > from) emit(held.subarray(from, match.at));
      emit(REPLACEMENT);
      from = match.at + match.length;
    }
    const until = Math.max(from, held.length - keepBack);
    if (until > from) emit(held.subarray(from, until));
    held = Buffer.from(held.subarray(until));
  };
  return {
    write(chunk: Buffer): void {
      held = Buffer.concat([held, chunk]);
      drain(longest - 1);
    },
    flush: () => drain(0),
  };
}

/** The earliest match, the longest of those that begin there. */
function firstMatch(text: Buffer, needles: readonly Buffer[], from: number): { at: number; length: number } | null {
  let best: { at: number; length: number } | null = null;
  for (const needle of needles) {
    const at = text.indexOf(needle, from);
    if (at === -1) continue;
    if (best === null || at < best.at || (at === best.at && needle.length > best.length))
      best = { at, length: needle.length };
  }
  return best;
}

/** At most 4 KiB of valid UTF-8 without control characters that could move a terminal's cursor. */
function readableEnd(tail: Buffer): string {
  let start = 0;
  while (start < 3 && start < tail.length && (tail[start]! & 0xc0) === 0x80) start += 1;
  return endWithin(readable(tail.subarray(start)), TAIL_BYTES);
}

/** At most 2 KiB of the same. A character that was cut in two is left out. */
function readableBeginning(head: Buffer): string {
  const whole = new TextDecoder().decode(head, { stream: true });
  return beginningWithin(readable(Buffer.from(whole)), HEAD_BYTES);
}

function readable(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // eslint-disable-next-line no-control-regex
  return text.replaceAll('\r\n', '\n').replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}

/** The longest beginning of `text` that takes at most `limit` bytes; never half a character. */
export function beginningWithin(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let end = limit;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString('utf8');
}

/** The longest end of `text` that takes at most `limit` bytes; never half a character. */
export function endWithin(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let start = bytes.length - limit;
  while (start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start).toString('utf8');
}

/** The end of an audit file as a writer finds it: the last line that is good, and what stands behind it. */
import type { FileHandle } from 'node:fs/promises';
import { sha256 } from '../digest.ts';
import { readLine, type Head } from './chain.ts';

/** No line is longer; so much of the end is looked at. */
const LOOKED_AT = 1024 * 1024;

export type Tail = {
  /** Null: there is no good line in what was looked at. */
  readonly head: Head | null;
  readonly size: number;
  /** Bytes behind the last line break that are no line: a write that a crash cut off. */
  readonly torn: { readonly bytes: number; readonly sha256: string } | null;
  /** Whole lines at the end that are no good: they were not written by us. */
  readonly damaged: number;
  readonly endsInBreak: boolean;
};

export async function readTail(handle: FileHandle): Promise<Tail> {
  const { size } = await handle.stat();
  if (size === 0) return { head: null, size, torn: null, damaged: 0, endsInBreak: true };
  const length = Math.min(size, LOOKED_AT);
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, size - length);
  const text = bytes.subarray(0, bytesRead);
  const broken = text.lastIndexOf(0x0a);
  const rest = text.subarray(broken + 1);
  const last = readLine(rest.toString('utf8'));
  const endsInBreak = rest.length === 0;
  if (last.good) return { head: { seq: last.line.seq, hash: last.hash }, size, torn: null, damaged: 0, endsInBreak };
  const torn = endsInBreak ? null : { bytes: rest.length, sha256: sha256(rest.toString('utf8')) };
  return { ...lastGood(text.subarray(0, Math.max(broken, 0)).toString('utf8')), size, torn, endsInBreak };
}

function lastGood(text: string): { head: Head | null; damaged: number } {
  const lines = text.split('\n');
  let damaged = 0;
  for (const line of lines.toReversed()) {
    const read = readLine(line);
    if (read.good) return { head: { seq: read.line.seq, hash: read.hash }, damaged };
    // What a crash cut off earlier has its own marker behind it, so the search does not get this far.
    if (line !== '') damaged += 1;
  }
  return { head: null, damaged };
}

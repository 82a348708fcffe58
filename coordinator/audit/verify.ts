/** Checks audit files: that each line is what its hash says, and that none is missing, moved or added. Reads line by line. */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { sha256 } from '../digest.ts';
import { NOTHING, readLine, type AuditLine, type Head } from './chain.ts';

/** Longer is no audit line, and is not held in memory. */
const MAX_LINE = 1024 * 1024;

export type BreakCode =
  /** Its text is not what its hash was made of. */
  | 'changed'
  /** Numbers are left out before it. */
  | 'missing'
  /** Its number came before: moved, repeated or put in. */
  | 'out_of_order'
  /** It is good in itself and follows another line than the one before it: one of the two was replaced. */
  | 'not_linked'
  /** No audit line at all. */
  | 'not_a_line'
  /** Files that are good, but not as far as the place that was given. */
  | 'ends_early';

export type ChainBreak = {
  readonly file: string;
  readonly line: number;
  readonly code: BreakCode;
  readonly message: string;
};
/** Something that the writer itself noticed and wrote down. */
export type Marker = { readonly file: string; readonly line: number; readonly at: string; readonly marker: string };

export type Verdict = {
  readonly whole: boolean;
  readonly files: readonly string[];
  readonly lines: number;
  readonly first: { readonly seq: number; readonly at: string } | null;
  readonly last: ({ readonly at: string } & Head) | null;
  /** The first line is not the chain's first: what was before it is in files that were not given. */
  readonly begins_midway: boolean;
  /** The last file ends in part of a line: a write that was cut off, or one that is under way. */
  readonly unfinished: { readonly file: string; readonly line: number; readonly bytes: number } | null;
  readonly markers: readonly Marker[];
  readonly broken: ChainBreak | null;
};

/**
 * Checks these files as one chain, in the order of their first lines. With `expected`, that place must be in it.
 * @throws what the file system says about a file that cannot be read
 */
export async function verifyAudit(files: readonly string[], expected: Head | null = null): Promise<Verdict> {
  const check = new Check(expected);
  const ordered = await inOrder(files);
  for (const [index, file] of ordered.entries()) {
    await check.file(file, index === ordered.length - 1);
    if (check.broken !== null) break;
  }
  return check.verdict(ordered);
}

async function inOrder(files: readonly string[]): Promise<string[]> {
  const starts = await Promise.all(files.map(async (file) => ({ file, seq: await firstNumber(file) })));
  return starts.toSorted((a, b) => a.seq - b.seq).map(({ file }) => file);
}

/** Of the first good line; a file without one comes last, where it is complained about. */
async function firstNumber(file: string): Promise<number> {
  for await (const { text } of linesOf(file)) {
    const read = readLine(text);
    if (read.good) return read.line.seq;
  }
  return Infinity;
}

class Check {
  readonly #expected: Head | null;
  #head: Head | null = null;
  #first: Verdict['first'] = null;
  #lastAt = '';
  #lines = 0;
  #seen: boolean;
  /** A fragment that only a marker behind it explains. */
  #torn: { readonly file: string; readonly line: number; readonly text: string } | null = null;
  #unfinished: Verdict['unfinished'] = null;
  readonly #markers: Marker[] = [];
  broken: ChainBreak | null = null;

  constructor(expected: Head | null) {
    this.#expected = expected;
    this.#seen = expected === null;
  }

  async file(file: string, isLast: boolean): Promise<void> {
    for await (const { text, line, whole } of linesOf(file)) {
      const read = readLine(text);
      if (read.good) this.#take(file, line, read.line, read.hash);
      else if (!whole && isLast) this.#unfinished = { file, line, bytes: Buffer.byteLength(text) };
      else if (read.code === 'not_a_line' && this.#torn === null) this.#torn = { file, line, text };
      else this.#fail(file, line, read.code, read.message);
      if (this.broken !== null) return;
    }
  }

  #take(file: string, line: number, read: AuditLine, hash: string): void {
    if (this.#torn !== null && !explains(read, this.#torn.text)) {
      const why = 'it is no audit line, and no line behind it says that a write was cut off here';
      return this.#fail(this.#torn.file, this.#torn.line, 'not_a_line', why);
    }
    this.#torn = null;
    const before = this.#head ?? (read.seq === 1 ? NOTHING : null);
    if (before !== null) {
      const next = before.seq + 1;
      if (read.seq > next) return this.#fail(file, line, 'missing', `${numbers(next, read.seq - 1)} missing before it`);
      if (read.seq < next)
        return this.#fail(
          file,
          line,
          'out_of_order',
          `it is number ${read.seq}, and ${next} was due: moved, repeated or put in`,
        );
      if (read.prev !== before.hash)
        return this.#fail(
          file,
          line,
          'not_linked',
          `it follows another line than the one before it: one of the two was replaced`,
        );
    }
    this.#first ??= { seq: read.seq, at: read.at };
    this.#head = { seq: read.seq, hash };
    this.#lastAt = read.at;
    this.#lines += 1;
    if (this.#expected?.seq === read.seq && this.#expected.hash === hash) this.#seen = true;
    if (read.kind === 'marker') this.#markers.push({ file, line, at: read.at, marker: String(read['marker']) });
  }

  #fail(file: string, line: number, code: BreakCode, message: string): void {
    this.broken = { file, line, code, message };
  }

  verdict(files: readonly string[]): Verdict {
    if (this.broken === null && this.#torn !== null)
      this.#fail(this.#torn.file, this.#torn.line, 'not_a_line', 'it is no audit line');
    const file = files.at(-1) ?? '';
    if (this.broken === null && !this.#seen)
      this.#fail(
        file,
        this.#lines,
        'ends_early',
        `line number ${this.#expected?.seq} with the hash that was given is not in these files`,
      );
    return {
      whole: this.broken === null,
      files,
      lines: this.#lines,
      first: this.#first,
      last: this.#head === null ? null : { ...this.#head, at: this.#lastAt },
      begins_midway: this.#first !== null && this.#first.seq !== 1,
      unfinished: this.#unfinished,
      markers: this.#markers,
      broken: this.broken,
    };
  }
}

const explains = (line: AuditLine, torn: string): boolean =>
  line.kind === 'marker' && line['marker'] === 'torn_line' && line['sha256'] === sha256(torn);

const numbers = (from: number, to: number): string =>
  from === to ? `number ${from} is` : `numbers ${from} to ${to} are`;

/** Lines without their breaks; `whole`: it ended in one. Compressed files (`.gz`) are read as they are. */
async function* linesOf(file: string): AsyncGenerator<{ text: string; line: number; whole: boolean }> {
  const bytes = createReadStream(file);
  const source = file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  bytes.on('error', (error) => source.destroy(error));
  let rest = Buffer.alloc(0);
  let line = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      let from = 0;
      for (let at = rest.indexOf(0x0a); at !== -1; at = rest.indexOf(0x0a, from)) {
        line += 1;
        yield { text: rest.subarray(from, at).toString('utf8'), line, whole: true };
        from = at + 1;
      }
      rest = rest.subarray(from);
      // Cut here it is no line, whatever follows.
      if (rest.length > MAX_LINE) rest = rest.subarray(0, MAX_LINE);
    }
  } finally {
    bytes.destroy();
  }
  if (rest.length > 0) yield { text: rest.toString('utf8'), line: line + 1, whole: false };
}

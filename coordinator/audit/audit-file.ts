/**
 * The file that audit lines are appended to: opened with O_APPEND, flushed to disk once for each group of lines, and looked at before each
 * group, so that a file that was moved away (logrotate), cut or written by somebody else is noticed. Whatever was noticed is a line of its own.
 */
import { access, constants, mkdir, open, rename, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { NOTHING, readLine, writeLine, type AuditFields, type Head } from './chain.ts';
import { readHead, writeHead } from './head-file.ts';
import { readTail, type Tail } from './tail.ts';

export type AuditFileOptions = {
  readonly file: string;
  /** Where the chain's place is kept. */
  readonly headFile: string;
  /** Beyond so many bytes a new file is begun; the old one is kept as `FILE.<number of its first line>`. Null: never. */
  readonly maxBytes: number | null;
  /** What the first line after each start says of the writer. */
  readonly writer: Readonly<Record<string, unknown>>;
  /** The chain's place could not be kept: the lines themselves are on disk. */
  readonly onHeadProblem: (error: unknown) => void;
};

/** What is to be written, and when it happened. */
export type Stamped = { readonly at: number; readonly fields: AuditFields };

type Opened = { readonly handle: FileHandle; readonly ino: number; size: number };

export class AuditFile {
  readonly #options: AuditFileOptions;
  #opened: Opened | null = null;
  /** Null until the first time that the file could be opened. */
  #head: Head | null = null;
  /** Hashes of lines of a failed write, which may stand in the file all the same; null for a line of our own making. */
  #doubtful: readonly { readonly hash: string; readonly record: boolean }[] = [];
  #rotated = false;

  constructor(options: AuditFileOptions) {
    this.#options = options;
  }

  head(): Head {
    return this.#head ?? NOTHING;
  }

  /**
   * Appends these and waits for the disk.
   * @throws what the file system says; how many of them are in the file is then uncertain, so the next call must begin with the same ones
   */
  async append(records: readonly Stamped[]): Promise<void> {
    const kept = await this.#ready();
    await this.#write(records.slice(kept));
    await this.#rotateIfLarge();
  }

  async close(): Promise<void> {
    const { handle } = this.#opened ?? {};
    this.#opened = null;
    await handle?.close();
  }

  /** Opens what has to be opened, and writes down what was noticed. @returns how many doubtful lines are in the file. */
  async #ready(): Promise<number> {
    const noticed = await this.#notice();
    if (noticed === null) return 0;
    await this.close();
    const { file, headFile, writer } = this.#options;
    // One level only: where more is missing, the path is a mistake.
    await mkdir(path.dirname(file), { mode: 0o750 }).catch(() => undefined);
    const handle = await open(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o640);
    try {
      const tail = await readTail(handle);
      const found = this.#doubtful.slice(0, this.#doubtful.findIndex(({ hash }) => hash === tail.head?.hash) + 1);
      const begins = this.#head === null;
      const known = this.#head ?? (await readHead(headFile));
      const place = placeOf(known, tail, found.length > 0 || begins);
      this.#head = place.head;
      this.#rotated = false;
      this.#doubtful = [];
      const { ino } = await handle.stat();
      this.#opened = { handle, ino, size: tail.size };
      if (!tail.endsInBreak) await this.#put('\n');
      const markers = markersOf(tail, place.missing);
      if (noticed !== 'open') markers.push({ kind: 'marker', marker: noticed });
      if (begins) markers.push({ kind: 'opened', ...writer });
      const at = Date.now();
      await this.#write(markers.map((fields) => ({ at, fields })));
      return found.filter(({ record }) => record).length;
    } catch (error) {
      this.#opened = null;
      await handle.close();
      throw error;
    }
  }

  /** Null: the file is as it was left. */
  async #notice(): Promise<'open' | 'rotated' | 'file_moved' | 'file_changed' | null> {
    const opened = this.#opened;
    if (opened === null) return this.#rotated ? 'rotated' : 'open';
    const now = await stat(this.#options.file).catch(() => null);
    if (now === null || now.ino !== opened.ino) return 'file_moved';
    return now.size === opened.size ? null : 'file_changed';
  }

  async #write(records: readonly Stamped[]): Promise<void> {
    if (records.length === 0) return;
    let head = this.head();
    const lines = records.map(({ at, fields }) => {
      const line = writeLine(head, at, fields);
      head = line.head;
      return line;
    });
    try {
      await this.#put(lines.map(({ text }) => `${text}\n`).join(''));
      await this.#opened?.handle.datasync();
    } catch (error) {
      const own = new Set(['marker', 'opened']);
      this.#doubtful = lines.map((line, i) => ({
        hash: line.head.hash,
        record: !own.has(records[i]?.fields.kind ?? ''),
      }));
      await this.close().catch(() => undefined);
      throw error;
    }
    this.#head = head;
    await writeHead(this.#options.headFile, head).catch(this.#options.onHeadProblem);
  }

  async #put(text: string): Promise<void> {
    const opened = this.#opened;
    if (opened === null) throw new Error('the audit file is not open');
    let rest = Buffer.from(text);
    while (rest.length > 0) {
      const { bytesWritten } = await opened.handle.write(rest);
      opened.size += bytesWritten;
      rest = rest.subarray(bytesWritten);
    }
  }

  async #rotateIfLarge(): Promise<void> {
    const { file, maxBytes } = this.#options;
    const opened = this.#opened;
    if (maxBytes === null || opened === null || opened.size <= maxBytes) return;
    await rename(file, await freeName(file, await firstNumber(opened.handle)));
    this.#rotated = true;
    await this.close();
  }
}

/**
 * From where the chain goes on, and how many of its lines are missing from the file. What is further than what we know of is believed only
 * when it may be our own: at the start (a crash before the place was kept), and after a write that seemed to fail.
 */
function placeOf(known: Head | null, tail: Tail, mayBeOurs: boolean): { head: Head; missing: number } {
  if (tail.head === null) return { head: known ?? NOTHING, missing: 0 };
  if (known === null || (mayBeOurs && tail.head.seq >= known.seq)) return { head: tail.head, missing: 0 };
  return { head: known, missing: Math.max(0, known.seq - tail.head.seq) };
}

function markersOf(tail: Tail, missing: number): AuditFields[] {
  return [
    ...(tail.torn === null ? [] : [{ kind: 'marker', marker: 'torn_line', ...tail.torn }]),
    ...(tail.damaged === 0 ? [] : [{ kind: 'marker', marker: 'damaged_lines', lines: tail.damaged }]),
    ...(missing === 0 ? [] : [{ kind: 'marker', marker: 'lines_missing', lines: missing }]),
  ];
}

async function firstNumber(handle: FileHandle): Promise<number> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
  const [first = ''] = buffer.subarray(0, bytesRead).toString('utf8').split('\n');
  const read = readLine(first);
  return read.good ? read.line.seq : 0;
}

async function freeName(file: string, first: number): Promise<string> {
  for (let turn = 0; ; turn += 1) {
    const name = `${file}.${String(first).padStart(12, '0')}${turn === 0 ? '' : `-${turn}`}`;
    const taken = await access(name).then(
      () => true,
      () => false,
    );
    if (!taken) return name;
  }
}

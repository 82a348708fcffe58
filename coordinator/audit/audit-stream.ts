/**
 * Takes audit lines from all sides and brings them to the file in groups: while one group is being flushed the next one gathers, so that the
 * disk's time is shared. Nobody waits for it unless the operator asked for that (`required`).
 */
import type { Logger } from 'pino';
import { errorMessage } from '../../identity/error-message.ts';
import { AuditFile, type Stamped } from './audit-file.ts';
import type { AuditFields, Head } from './chain.ts';

const GROUP = 500;
/** So many lines wait for a disk that does not take them; further ones are counted, and the count is written down. */
const MAX_WAITING = 20_000;
const AGAIN_MS = 1_000;

/** The line is not on disk; where the operator wants it there first, the decision may not be given out. */
export class AuditUnavailableError extends Error {
  override readonly name = 'AuditUnavailableError';
}

export type AuditStreamOptions = {
  readonly file: string;
  readonly headFile: string;
  readonly maxBytes: number | null;
  readonly writer: Readonly<Record<string, unknown>>;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** How many lines have not reached the file and wait, or 0: for the metric. */
  readonly onProblem?: (problem: string | null) => void;
};

export type AuditStream = {
  /** Settles when the line is on disk; rejects when it could not be written now (it stays in line, and is tried again). */
  readonly write: (fields: AuditFields) => Promise<void>;
  /** Why lines cannot be written now; null: they can. */
  readonly problem: () => string | null;
  readonly head: () => Head;
  /** Writes what waits, and lets go of the file. */
  readonly close: () => Promise<void>;
};

type Waiting = Stamped & {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

/** Begins with a line that says so. @throws when the file cannot be written at all: an operator must mend that first. */
export async function openAuditStream(options: AuditStreamOptions): Promise<AuditStream> {
  const { log, ...where } = options;
  const onHeadProblem = (error: unknown): void =>
    log.error({ error, file: where.headFile }, 'cannot keep the place of the audit chain');
  const stream = new Stream(new AuditFile({ ...where, onHeadProblem }), options);
  await stream.begin();
  return {
    write: (fields) => stream.write(fields),
    problem: () => stream.problem,
    head: () => stream.head(),
    close: () => stream.close(),
  };
}

class Stream {
  readonly #file: AuditFile;
  readonly #options: AuditStreamOptions;
  #waiting: Waiting[] = [];
  #lost = 0;
  #pump: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  problem: string | null = null;

  constructor(file: AuditFile, options: AuditStreamOptions) {
    this.#file = file;
    this.#options = options;
  }

  head(): Head {
    return this.#file.head();
  }

  async begin(): Promise<void> {
    try {
      await this.#file.append([]);
    } catch (cause) {
      throw new AuditUnavailableError(
        `the audit file ${this.#options.file} cannot be written: ${errorMessage(cause)}; mend that, or take the audit block out`,
        { cause },
      );
    }
  }

  write(fields: AuditFields): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost += 1;
      return Promise.reject(
        new AuditUnavailableError(`the audit file takes no lines: ${this.problem ?? 'too many wait'}`),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ at: Date.now(), fields, resolve, reject });
    // While the disk refuses, only the timer tries: what comes meanwhile is told at once that it is not written.
    if (this.problem !== null) reject(new AuditUnavailableError(`the audit file takes no lines: ${this.problem}`));
    else void this.#run();
    return promise;
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting.length > 0 || this.#pump !== null) await this.#run();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#file.close();
  }

  #run(): Promise<void> {
    this.#pump ??= this.#drain().finally(() => {
      this.#pump = null;
      // What came as the last group ended.
      if (this.#waiting.length > 0 && this.problem === null) void this.#run();
    });
    return this.#pump;
  }

  async #drain(): Promise<void> {
    // What is written in the same turn shares a group.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#lost > 0) {
      const group = this.#waiting.slice(0, GROUP);
      const lost = this.#lost;
      const records: Stamped[] = [...group];
      if (lost > 0) records.push({ at: Date.now(), fields: { kind: 'marker', marker: 'lines_lost', lines: lost } });
      try {
        await this.#file.append(records);
      } catch (error) {
        return this.#failed(error, group);
      }
      this.#waiting.splice(0, group.length);
      this.#lost -= lost;
      this.#tell(null);
      for (const one of group) one.resolve();
    }
  }

  #failed(error: unknown, group: readonly Waiting[]): void {
    const why = errorMessage(error);
    if (this.problem === null)
      this.#options.log.error(
        { error, file: this.#options.file },
        'audit lines cannot be written; they are kept and tried again',
      );
    this.#tell(why);
    const failure = new AuditUnavailableError(`the audit line could not be written: ${why}`, { cause: error });
    for (const one of group) one.reject(failure);
    this.#timer = setTimeout(() => void this.#run(), AGAIN_MS);
    this.#timer.unref();
  }

  #tell(problem: string | null): void {
    if (problem === this.problem) return;
    if (problem === null) this.#options.log.info({ file: this.#options.file }, 'audit lines are written again');
    this.problem = problem;
    this.#options.onProblem?.(problem);
  }
}

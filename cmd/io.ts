/** Everything a command may touch of the process it runs in; main.ts makes the real one, tests make their own. */
export type Io = {
  readonly stdout: TextSink;
  /** Progress, warnings and errors. */
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What starts this program again: the run time, its flags and the program. */
  readonly self: readonly string[];
  /** Standard output is a terminal. */
  readonly isTty: boolean;
  /** Width of the terminal in columns; null when output is not a terminal and lines may be as long as they are. */
  readonly columns: number | null;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Calls back on each SIGHUP until the returned function is called. */
  readonly onHangup: (listener: () => void) => () => void;
};

export type TextSink = { readonly write: (text: string) => void };

/** Colour only on a terminal, and not with NO_COLOR (https://no-color.org: any value that is not empty). */
export function wantsColour(io: Pick<Io, 'isTty' | 'env'>): boolean {
  return io.isTty && (io.env['NO_COLOR'] ?? '') === '' && io.env['TERM'] !== 'dumb';
}

/** One line to standard error. */
export function note(io: Pick<Io, 'stderr'>, line: string): void {
  io.stderr.write(`${line}\n`);
}

/** One line to standard output. */
export function say(io: Pick<Io, 'stdout'>, line: string): void {
  io.stdout.write(`${line}\n`);
}

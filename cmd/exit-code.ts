/** What a command's exit code says; stable, documented in docs/command-line.md. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  invalidConfig: 3,
  notAuthorised: 4,
  /** The execution ended, but not by healing. */
  unsuccessful: 5,
  refused: 6,
  noDecision: 7,
  waitTimedOut: 124,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command: what is wrong in one line, the exit code, and what to type next. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exit: ExitCode;
  /** A command line, or advice that no command can replace. */
  readonly next: string;
  constructor(exit: ExitCode, message: string, next: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.exit = exit;
    this.next = next;
  }
}

/** Order in which several results of one command are reported: the first of these that occurred wins. */
const GRAVITY: readonly ExitCode[] = [
  EXIT.interrupted,
  EXIT.notAuthorised,
  EXIT.failed,
  EXIT.usage,
  EXIT.invalidConfig,
  EXIT.noDecision,
  EXIT.unsuccessful,
  EXIT.waitTimedOut,
  EXIT.refused,
];

/** The exit code of a command that did several things. */
export function gravest(codes: readonly ExitCode[]): ExitCode {
  return GRAVITY.find((code) => codes.includes(code)) ?? EXIT.ok;
}

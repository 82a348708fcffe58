/** One thing that `fettle doctor` looked at. */
export type Finding = {
  /** What it belongs to: `config`, `identity`, `temporal`, `queue`, `source`, `coordinator`, `gate`, `files`. */
  readonly area: string;
  readonly state: 'ok' | 'warn' | 'fail';
  /** What was found. */
  readonly found: string;
  /** What to do about it; null when there is nothing to do. */
  readonly next: string | null;
};

export const ok = (area: string, found: string): Finding => ({ area, state: 'ok', found, next: null });
export const warn = (area: string, found: string, next: string): Finding => ({ area, state: 'warn', found, next });
export const fail = (area: string, found: string, next: string): Finding => ({ area, state: 'fail', found, next });

/** The words of whatever was thrown, with those of its cause when they say more. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause =
    error.cause instanceof Error && !error.message.includes(error.cause.message) ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const WHOLE = /^(?:[0-9]+(?:ms|s|m|h|d))+$/;
const PART = /([0-9]+)(ms|s|m|h|d)/g;

/** Longer spans are mistakes: no limit or wait of this system outlives a year. */
export const MAX_DURATION_MS = 366 * 86_400_000;

export class DurationError extends Error {
  override readonly name = 'DurationError';
}

/**
 * `"500ms"`, `"10s"`, `"2m"`, `"1h30m"`, `"7d"` → milliseconds, 0 to 366 days.
 * @throws DurationError saying what is wrong and what to write
 */
export function parseDuration(text: string): number {
  const refuse = (why: string): never => {
    throw new DurationError(
      `${JSON.stringify(text.slice(0, 60))} ${why}; write e.g. "500ms", "10s", "2m", "1h30m" or "7d"`,
    );
  };
  if (text.length > 40 || !WHOLE.test(text)) return refuse('is not a duration');
  const seen: string[] = [];
  let total = 0;
  for (const [, digits = '', unit = ''] of text.matchAll(PART)) {
    if (seen.includes(unit)) return refuse(`names the unit ${unit} twice`);
    seen.push(unit);
    total += Number(digits) * (UNIT_MS[unit] ?? 0);
  }
  if (total > MAX_DURATION_MS) return refuse('is longer than 366 days');
  return total;
}

/** The shortest of our own spellings: 90_000 → `1m30s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  let rest = milliseconds;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = UNIT_MS[unit] ?? 1;
    const whole = Math.floor(rest / size);
    if (whole > 0) text += `${whole}${unit}`;
    rest -= whole * size;
  }
  return text;
}

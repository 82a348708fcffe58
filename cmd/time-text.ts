import { parseDuration } from '../config/duration.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `45s`, `4m`, `3h12m`, `2d5h`: at most two units, rounded down. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < SECOND) return `${Math.floor(ms)}ms`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return twoUnits(ms, MINUTE, 'm', SECOND, 's');
  return ms < DAY ? twoUnits(ms, HOUR, 'h', MINUTE, 'm') : twoUnits(ms, DAY, 'd', HOUR, 'h');
}

function twoUnits(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${largeName}${rest === 0 ? '' : `${rest}${smallName}`}`;
}

/** `12:03:07Z 4m ago`; another day than now's is named. Text that is no time is given back as it is. */
export function formatTime(time: string | number | null, now: number): string {
  if (time === null) return '-';
  const at = typeof time === 'number' ? time : Date.parse(time);
  if (Number.isNaN(at) || Math.abs(at) > 8.64e15) return String(time);
  const age = now - at;
  return `${formatClock(at, now)} ${age < 0 ? `in ${coarse(-age)}` : `${coarse(age)} ago`}`;
}

/** `12:03:07Z`, with its date when that is not today's. */
export function formatClock(at: number, now: number): string {
  const text = new Date(at).toISOString();
  const clock = `${text.slice(11, 19)}Z`;
  return text.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? clock : `${text.slice(0, 10)} ${clock}`;
}

/** One unit is enough for an age. */
const coarse = (ms: number): string => {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`;
  return ms < 2 * DAY ? `${Math.floor(ms / HOUR)}h` : `${Math.floor(ms / DAY)}d`;
};

/** Milliseconds since 1970 of a time with a zone; null when it is none. */
export function parseTime(text: string): number | null {
  const zoned = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  const at = zoned ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) || Math.abs(at) >= 8.64e15 ? null : at;
}

/** Milliseconds of `90s`, `5m`, `1h30m`, `7d`; null when it is no duration or not more than zero. */
export function parseDurationText(text: string): number | null {
  try {
    const ms = parseDuration(text);
    return ms > 0 ? ms : null;
  } catch {
    return null;
  }
}

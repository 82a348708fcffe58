import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import type { ArgumentBound } from '../config/agent-rules.ts';
import { parseDuration } from '../config/duration.ts';
import { parseSize } from '../config/size.ts';
import type { Scalar } from '../workflows/contract.ts';
import { wholeValue } from './whole-value.ts';

/** Whether a value lies within a bound; null when that cannot be told, which nobody may take for a yes. */
export type Fit = (value: Scalar) => boolean | null;

/** @throws SyntaxError when the pattern is no regular expression. */
export function fitOf(bound: ArgumentBound): Fit {
  if (bound.kind === 'pattern') return textFit(wholeValue(bound.pattern));
  if (bound.kind === 'units') return textFit(wholeValue(bound.units.map(globSource).join('|')));
  if (bound.kind === 'range') return rangeFit(bound);
  if (bound.kind === 'under') return underFit(bound.folder);
  const values = new Set(bound.values.map(String));
  return (value) => values.has(String(value));
}

const textFit =
  (pattern: RegExp): Fit =>
  (value) =>
    pattern.test(String(value));

/** `.` and `\` of a unit's name mean themselves. */
const globSource = (glob: string): string =>
  glob
    .split('*')
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`))
    .join('.*');

const NUMBER = /^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?$/;

function rangeFit({ of, min, max }: Extract<ArgumentBound, { kind: 'range' }>): Fit {
  const read = { number: numberOf, duration: durationOf, size: sizeOf }[of];
  return (value) => {
    const amount = read(value);
    return amount === null ? null : (min === null || amount >= min) && (max === null || amount <= max);
  };
}

const numberOf = (value: Scalar): number | null =>
  (typeof value === 'number' && Number.isFinite(value)) || (typeof value === 'string' && NUMBER.test(value))
    ? Number(value)
    : null;
const durationOf = (value: Scalar): number | null => reading(value, parseDuration);
const sizeOf = (value: Scalar): number | null => reading(value, parseSize);

function reading(value: Scalar, parse: (text: string) => number): number | null {
  try {
    return typeof value === 'string' ? parse(value) : null;
  } catch {
    return null;
  }
}

/** As things stand on the disk now: an action that opens the path must itself not follow links that appear later. */
function underFit(folder: string): Fit {
  return (value) => {
    if (typeof value !== 'string' || !isAbsolute(value) || value.includes('\0')) return null;
    const [real, root] = [realPath(value), realPath(folder)];
    if (real === null || root === null) return null;
    return isUnder(real, root);
  };
}

/** Whether it looks as if it were in the folder, links or not. For rules that forbid. */
export const seemsUnder = (value: Scalar, folder: string): boolean =>
  typeof value === 'string' && isUnder(normalize(value), normalize(folder));

const isUnder = (path: string, folder: string): boolean => {
  const inside = folder.endsWith('/') ? folder : `${folder}/`;
  return path === folder || path.startsWith(inside);
};

/** The path without links or dots; what does not exist yet stands for itself, unless it holds `..`. Null: cannot be told. */
function realPath(path: string): string | null {
  const missing: string[] = [];
  for (let existing = path.replace(/(?<=.)\/+$/, ''); ; existing = dirname(existing)) {
    try {
      return join(realpathSync(existing), ...missing);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || existing === '/') return null;
      if (isDangling(existing)) return null;
      const last = basename(existing);
      if (last === '..' || last === '.') return null;
      missing.unshift(last);
    }
  }
}

/** A link to nothing: what would be made through it lies elsewhere. */
const isDangling = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

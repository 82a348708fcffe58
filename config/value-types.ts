/** The plain types of values: each reads one HCL value and says what to write instead when it is none of its own. */
import { didYouMean } from './did-you-mean.ts';
import { parseDuration } from './duration.ts';
import type { ValueType } from './schema.ts';
import { wrong, wrongKind, literal, parsed, refuse } from './value-reading.ts';

export const bool: ValueType<boolean> = {
  name: 'bool',
  read: (value, reader) =>
    value.kind === 'bool' ? value.value : wrongKind(value, reader, 'true or false, without quotes'),
};

/** Any text but the empty one. */
export const text: ValueType<string> = parsed('string', 'a string in quotes', (given) =>
  given === '' ? refuse(given, 'is empty; write some text, or leave the attribute out') : given,
);

/** Any text, the empty one too. */
export const anyText: ValueType<string> = parsed('string', 'a string in quotes', (given) => given);

export const number: ValueType<number> = {
  name: 'number',
  read: (value, reader) =>
    value.kind === 'number' ? value.value : wrongKind(value, reader, 'a number without quotes'),
};

export const integer = (min: number, max: number): ValueType<number> => ({
  name: `whole number, ${min}-${max}`,
  read: (value, reader) => {
    if (value.kind !== 'number') return wrongKind(value, reader, `a whole number without quotes, ${min} to ${max}`);
    if (Number.isInteger(value.value) && value.value >= min && value.value <= max) return value.value;
    return wrong(value, reader, `${value.value} is out of range; write a whole number from ${min} to ${max}`);
  },
});

/** In milliseconds; more than nothing unless `zero`. */
export const duration = (options: { zero?: boolean; minMs?: number; maxMs?: number } = {}): ValueType<number> =>
  parsed('duration', 'a duration in quotes, e.g. "10s"', (given) => {
    const ms = parseDuration(given);
    if (ms === 0 && options.zero !== true)
      return refuse(given, 'is no time at all; write a longer duration, e.g. "1s"');
    if (options.minMs !== undefined && ms < options.minMs)
      return refuse(given, `is too short; write at least "${options.minMs}ms"`);
    if (options.maxMs !== undefined && ms > options.maxMs)
      return refuse(given, `is too long; write at most "${options.maxMs / 1000}s"`);
    return ms;
  });

const UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };
/** In bytes; written as systemd writes it. */
export const byteSize: ValueType<number> = parsed('size', 'a size in quotes, e.g. "512M"', (given) => {
  const [, digits = '', unit = ''] = /^([1-9][0-9]{0,8})([KMG])$/.exec(given) ?? [];
  return unit === '' ? refuse(given, 'is no size; write e.g. "512M" or "2G"') : Number(digits) * UNITS[unit]!;
});

export const oneOf = <const T extends string>(...words: readonly T[]): ValueType<T> =>
  parsed(words.map((word) => `"${word}"`).join(' | '), `one of ${words.join(', ')}`, (given) => {
    const word = words.find((candidate) => candidate === given);
    return word ?? refuse(given, `is not known${didYouMean(given, words)}`);
  });

/** Source of a regular expression; whoever uses it anchors it to the whole value. */
export const regex: ValueType<string> = parsed('regular expression', 'a regular expression in quotes', (given) => {
  if (given.length > 1000) return refuse(given, 'is longer than 1000 characters; write a shorter one');
  try {
    // The flag u refuses what is valid by accident only; with it, and without it, a pattern means the same.
    void new RegExp(`^(?:${given})$`, 'u');
    return given;
  } catch (error) {
    const why = (error as Error).message.replace(/^Invalid regular expression: \/.*\/u?: /s, '');
    return refuse(given, `is no regular expression (${why}); mend it, and write \\\\ for each backslash`);
  }
});

export const scalar: ValueType<string | number | boolean> = {
  name: 'string, number or bool',
  read: (value, reader) => {
    if (value.kind === 'number' || value.kind === 'bool') return value.value;
    return literal(value, reader, 'a string in quotes, a number, true or false');
  },
};

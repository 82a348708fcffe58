/** What an `allow` or `never` block says about one argument of an action. */
import { parseDuration } from './duration.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Reader, ValueType } from './schema.ts';
import { parseSize } from './size.ts';
import { absolutePath } from './value-addresses.ts';
import { listOf, objectOf } from './value-collections.ts';
import { name } from './value-names.ts';
import { literal, wrong, wrongKind } from './value-reading.ts';
import { regex, scalar } from './value-types.ts';

export type ArgumentBound =
  /** Regular expression that the whole value must match. */
  | { readonly kind: 'pattern'; readonly pattern: string }
  | { readonly kind: 'one_of'; readonly values: readonly (string | number | boolean)[] }
  /** Both ends belong to it. Durations in milliseconds, sizes in bytes. */
  | {
      readonly kind: 'range';
      readonly of: 'number' | 'duration' | 'size';
      readonly min: number | null;
      readonly max: number | null;
    }
  /** Names of systemd units; `*` stands for any characters. */
  | { readonly kind: 'units'; readonly units: readonly string[] }
  /** Paths in this folder, after `..` and symbolic links were resolved. */
  | { readonly kind: 'under'; readonly folder: string };

const unitGlob = name(
  'unit name',
  /^[A-Za-z0-9:_.\\@*][A-Za-z0-9:_.\\@*-]{0,239}\.(?:service|socket|timer|target|mount|automount|swap|path|slice|scope|device|\*)$/,
  'a full unit name with its suffix; * stands for any characters, e.g. "web-*.service"',
);

type Limit = { readonly of: 'number' | 'duration' | 'size'; readonly value: number };

const limit: ValueType<Limit> = {
  name: 'number, duration or size',
  read(value, reader) {
    if (value.kind === 'number') return { of: 'number', value: value.value };
    const text = literal(value, reader, 'a number, a duration such as "10m" or a size such as "500M"');
    if (text === undefined) return undefined;
    try {
      return /[KMGT]$/.test(text)
        ? { of: 'size', value: parseSize(text) }
        : { of: 'duration', value: parseDuration(text) };
    } catch (error) {
      return wrong(value, reader, (error as Error).message);
    }
  },
};

type Written = {
  readonly pattern?: string;
  readonly one_of?: readonly (string | number | boolean)[];
  readonly units?: readonly string[];
  readonly under?: string;
  readonly min?: Limit;
  readonly max?: Limit;
};
const members = objectOf<Written>({
  pattern: { type: regex, required: false },
  one_of: { type: listOf(scalar, { min: 1, max: 1000 }), required: false },
  units: { type: listOf(unitGlob, { min: 1, max: 1000 }), required: false },
  under: { type: absolutePath, required: false },
  min: { type: limit, required: false },
  max: { type: limit, required: false },
});

/** A regular expression in quotes, or `{ one_of = [...] }`, `{ min, max }`, `{ units = [...] }`, `{ under = "/folder" }`. */
export const argumentBound: ValueType<ArgumentBound> = {
  name: 'regular expression or bound',
  read(value, reader) {
    if (value.kind === 'object') return readObject(value, reader);
    if (value.kind !== 'string')
      return wrongKind(value, reader, 'a regular expression in quotes, or a bound: { one_of = [...] }');
    const pattern = regex.read(value, reader);
    return pattern === undefined ? undefined : { kind: 'pattern', pattern };
  },
};

function readObject(value: HclValue, reader: Reader): ArgumentBound | undefined {
  const written = members.read(value, reader);
  if (written === undefined) return undefined;
  const { min, max, ...others } = written;
  const kinds = [...Object.keys(others), ...(min === undefined && max === undefined ? [] : ['min and max'])];
  if (kinds.length !== 1) {
    const said = kinds.length === 0 ? 'says nothing' : `says ${kinds.join(' and ')}`;
    return wrong(value, reader, `${said}; write one of pattern, one_of, units, under, or min and max`);
  }
  if (others.pattern !== undefined) return { kind: 'pattern', pattern: others.pattern };
  if (others.one_of !== undefined) return { kind: 'one_of', values: others.one_of };
  if (others.units !== undefined) return { kind: 'units', units: others.units };
  if (others.under !== undefined) return { kind: 'under', folder: others.under };
  return readRange(value, reader, min, max);
}

function readRange(
  value: HclValue,
  reader: Reader,
  min: Limit | undefined,
  max: Limit | undefined,
): ArgumentBound | undefined {
  if (min !== undefined && max !== undefined) {
    if (min.of !== max.of) return wrong(value, reader, `min is a ${min.of} and max a ${max.of}; write both alike`);
    if (min.value > max.value) return wrong(value, reader, 'min is above max, so nothing fits; exchange the two');
  }
  return { kind: 'range', of: (min ?? max)!.of, min: min?.value ?? null, max: max?.value ?? null };
}

/** Lists and objects of other types. */
import { didYouMean } from './did-you-mean.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Reader, ValueType } from './schema.ts';
import { wrong, wrongKind } from './value-reading.ts';

function readInner<T>(type: ValueType<T>, value: HclValue, reader: Reader): T | undefined {
  return value.kind === 'null' ? wrong(value, reader, 'null is no value here; take it away') : type.read(value, reader);
}

export function listOf<T>(type: ValueType<T>, options: { min?: number; max?: number } = {}): ValueType<readonly T[]> {
  const { min = 0, max = 1000 } = options;
  return {
    name: `list of ${type.name}`,
    read: (value, reader) => {
      if (value.kind !== 'list')
        return wrongKind(value, reader, `a list: [${value.kind === 'string' ? '"..."' : '...'}]`);
      if (value.items.length < min) return wrong(value, reader, 'is an empty list; write at least one');
      if (value.items.length > max)
        return wrong(value, reader, `has ${value.items.length} items; write at most ${max}`);
      const items = value.items.map((item, index) =>
        readInner(type, item, { ...reader, path: `${reader.path}[${index}]` }),
      );
      const good = items.filter((item) => item !== undefined);
      return good.length === items.length ? good : undefined;
    },
  };
}

/** One, or a list of them. */
export const oneOrMore = <T>(type: ValueType<T>): ValueType<readonly T[]> => ({
  name: `${type.name}, or list of them`,
  read: (value, reader) => {
    if (value.kind === 'list') return listOf(type, { min: 1 }).read(value, reader);
    const single = type.read(value, reader);
    return single === undefined ? undefined : [single];
  },
});

/** An object with free keys. Its record has no prototype, so `__proto__` is a key like any other. */
export function mapOf<T>(key: ValueType<string>, type: ValueType<T>): ValueType<Readonly<Record<string, T>>> {
  return {
    name: `{ ${key.name} = ${type.name} }`,
    read: (value, reader) => {
      if (value.kind !== 'object') return wrongKind(value, reader, 'an object: { name = value }');
      const record = Object.create(null) as Record<string, T>;
      let good = true;
      for (const member of value.members.values()) {
        const inner = { ...reader, path: `${reader.path}.${member.key}` };
        const keyValue = {
          kind: 'string',
          place: member.keyPlace,
          parts: [member.key],
          partPlaces: [member.keyPlace],
        } as const;
        const read = readInner(type, member.value, inner);
        if (key.read(keyValue, inner) === undefined || read === undefined) good = false;
        else record[member.key] = read;
      }
      return good ? record : undefined;
    },
  };
}

type Members = Readonly<Record<string, { readonly type: ValueType<unknown>; readonly required: boolean }>>;

/** An object with fixed keys, e.g. `{ attempts = 2, wait = "10s" }`; those left out are absent from the result. */
export function objectOf<T extends Readonly<Record<string, unknown>>>(members: {
  readonly [K in keyof T]-?: { readonly type: ValueType<NonNullable<T[K]>>; readonly required: boolean };
}): ValueType<T> {
  const known = members as Members;
  return {
    name: `{ ${Object.entries(known)
      .map(([key, { type }]) => `${key} = ${type.name}`)
      .join(', ')} }`,
    read: (value, reader) => {
      if (value.kind !== 'object')
        return wrongKind(value, reader, `an object: { ${Object.keys(known).join(' = ..., ')} = ... }`);
      const record: Record<string, unknown> = {};
      let good = true;
      for (const member of value.members.values()) {
        const inner = { ...reader, path: `${reader.path}.${member.key}` };
        const spec = Object.hasOwn(known, member.key) ? known[member.key] : undefined;
        const read =
          spec === undefined
            ? wrong(
                value,
                inner,
                `unknown key ${member.key}${didYouMean(member.key, Object.keys(known))}`,
                member.keyPlace,
              )
            : readInner(spec.type, member.value, inner);
        if (read === undefined) good = false;
        else record[member.key] = read;
      }
      for (const [key, spec] of Object.entries(known)) {
        if (spec.required && !value.members.has(key))
          good = wrong(value, { ...reader, path: `${reader.path}.${key}` }, `is missing; write ${key} = ...`) ?? false;
      }
      return good ? (record as T) : undefined;
    },
  };
}

/** What every value type is made of: reading a literal, and saying what to write instead. */
import type { HclString, HclValue } from './hcl/decode.ts';
import { literalOf } from './hcl/templates.ts';
import type { Place } from './problem.ts';
import type { Reader, ValueType } from './schema.ts';

const KINDS = {
  string: 'a string',
  number: 'a number',
  bool: 'true or false',
  null: 'null',
  list: 'a list',
  object: 'an object',
};

export function wrong(value: HclValue, reader: Reader, message: string, place: Place = value.place): undefined {
  reader.problems.error(place, reader.path, message);
  return undefined;
}

export const wrongKind = (value: HclValue, reader: Reader, write: string): undefined =>
  wrong(value, reader, `is ${KINDS[value.kind]}; write ${write}`);

/** A string without any template in it. */
export function literal(value: HclValue, reader: Reader, write = 'a string in quotes'): string | undefined {
  if (value.kind !== 'string') return wrongKind(value, reader, write);
  const text = literalOf(value.parts);
  if (text !== null) return text;
  const at = value.parts.findIndex((part) => typeof part !== 'string');
  const part = value.parts[at];
  const shown = typeof part === 'object' ? part.ref : '';
  return wrong(value, reader, `\${${shown}} cannot stand here; write plain text`, value.partPlaces[at]);
}

/** From a function that returns or throws an Error whose message says what to write. */
export function parsed<T>(name: string, write: string, parse: (text: string, value: HclString) => T): ValueType<T> {
  return {
    name,
    read: (value, reader) => {
      const text = literal(value, reader, write);
      if (text === undefined || value.kind !== 'string') return undefined;
      try {
        return parse(text, value);
      } catch (error) {
        return wrong(value, reader, (error as Error).message);
      }
    },
  };
}

export const refuse = (text: string, message: string): never => {
  throw new Error(`${JSON.stringify(shown(text))} ${message}`);
};

/** Bounded, and without what looks like a password before a host. */
function shown(text: string): string {
  const bounded = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  return bounded.replaceAll(/[^\s/]*:[^\s/]*@/g, '...@');
}

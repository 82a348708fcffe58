/** Text and arguments in which `${...}` references may stand. */
import type { HclString } from './hcl/decode.ts';
import { textOf, referenceRoot, type ReferenceRoot } from './hcl/templates.ts';
import type { Reader, ValueType } from './schema.ts';
import { listOf } from './value-collections.ts';
import { wrongKind } from './value-reading.ts';
import type { ArgValue, Text } from './workflow.ts';

/** Text in which references with these roots may stand. */
export const template = (roots: readonly ReferenceRoot[]): ValueType<Text> => ({
  name: roots.length === 0 ? 'string' : `string with ${roots.map((root) => `\${${root}.*}`).join(' ')}`,
  read: (value, reader) => {
    if (value.kind !== 'string') return wrongKind(value, reader, 'a string in quotes');
    return checkRoots(value, roots, reader) ? textOf(value.parts) : undefined;
  },
});

function checkRoots(value: HclString, roots: readonly ReferenceRoot[], reader: Reader): boolean {
  let good = true;
  for (const [index, part] of value.parts.entries()) {
    if (typeof part === 'string' || roots.includes(referenceRoot(part.ref))) continue;
    const allowed =
      roots.length === 0
        ? 'write plain text'
        : `here only ${roots.map((root) => `\${${root}.NAME}`).join(', ')} are known`;
    reader.problems.error(
      value.partPlaces[index] ?? value.place,
      reader.path,
      `\${${part.ref}} is not defined here; ${allowed}`,
    );
    good = false;
  }
  return good;
}

/** A value of an argument: string (with references), number, bool, or a list of such. */
export const argument = (roots: readonly ReferenceRoot[]): ValueType<ArgValue> => ({
  name: 'string, number, bool or list',
  read: (value, reader): ArgValue | undefined => {
    if (value.kind === 'string') return template(roots).read(value, reader);
    if (value.kind === 'number' || value.kind === 'bool') return value.value;
    if (value.kind === 'list') return listOf(argument(roots)).read(value, reader);
    return wrongKind(value, reader, 'a string, number, true, false or a list of them');
  },
});

/** `input` blocks of a workflow, and whether a literal value fits one. */
import { block, optional, withDefault, type Section } from './schema.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Problems } from './problems.ts';
import { listOf } from './value-collections.ts';
import { inputName } from './value-names.ts';
import { anyText, bool, number, oneOf, regex, scalar } from './value-types.ts';
import type { ValueType } from './schema.ts';
import type { ArgValue, InputConfig, Template } from './workflow.ts';

type Literal = NonNullable<InputConfig['default']>;

/** A scalar or a flat list of them. */
const literal: ValueType<Literal> = {
  name: 'string, number, bool or list',
  read: (value: HclValue, reader) =>
    value.kind === 'list' ? listOf(scalar).read(value, reader) : scalar.read(value, reader),
};

export const inputBlock = block({
  doc: 'An argument that a request may or must give; steps use it as `${input.NAME}`. What no input declares is refused.',
  labels: [{ name: 'name', doc: 'Its name.', type: inputName }],
  attributes: {
    type: withDefault(
      oneOf('string', 'number', 'bool', 'list'),
      'What it is; a list holds strings, numbers and bools.',
      'string',
      '"string"',
    ),
    description: withDefault(anyText, 'For people.', '', '""'),
    pattern: optional(regex, 'Regular expression that the whole of a string, or each string of a list, must match.'),
    min: optional(number, 'Least number; of a string the least count of characters, of a list that of its items.'),
    max: optional(number, 'Greatest number, or count, likewise.'),
    values: optional(listOf(scalar, { min: 1 }), 'The only values allowed (for a list: the only items).'),
    default: optional(literal, 'Taken when a request does not give it.'),
    required: optional(bool, 'Whether a request must give it. Default: `true` when there is no `default`.'),
  },
});

export function inputOf(section: Section<typeof inputBlock>, problems: Problems): InputConfig | null {
  if (section.values === null) return null;
  const { type, description, pattern, min, max, values, default: fallback, required } = section.values;
  const [name = ''] = section.labels;
  const input = {
    name,
    type,
    description,
    pattern,
    min,
    max,
    values,
    default: fallback,
    required: required ?? fallback === null,
  };
  const before = problems.errors;
  const complain = (key: string, message: string): void =>
    problems.error(section.given.get(key)?.place ?? section.place, `${section.path}.${key}`, message);
  if (pattern !== null && type !== 'string' && type !== 'list')
    complain('pattern', `fits strings only, and this input is a ${type}; take it away`);
  for (const key of ['min', 'max'] as const)
    if (section.values[key] !== null && type === 'bool')
      complain(key, 'bounds nothing, as this input is a bool; take it away');
  if (min !== null && max !== null && min > max) complain('max', `is less than min (${min}); write a larger number`);
  if (fallback !== null && required === true)
    complain('required', 'can never matter, as there is a default; take one of the two away');
  // Each of the values must itself be possible; for a list they are its items.
  const unlisted = { ...input, values: null };
  const misfit = values?.map((value) =>
    type === 'list' ? itemProblem(unlisted, value) : inputProblem(unlisted, value),
  );
  const bad = misfit?.find((problem) => problem !== null);
  if (bad !== undefined && bad !== null) complain('values', bad);
  const problem = fallback === null ? null : inputProblem(input, fallback);
  if (problem !== null) complain('default', problem);
  return problems.errors > before ? null : input;
}

/** Why a value of a trigger or default does not fit an input, or null. References there are to labels, and so are text. */
export function inputProblem(input: InputConfig, value: ArgValue): string | null {
  const { name, type } = input;
  if (isTemplate(value))
    return type === 'string' ? null : `is text, and the input ${name} is a ${type}; write a ${type}`;
  if (type === 'list') return listProblem(input, value);
  if (typeof value === 'object') return `is a list, and the input ${name} is a ${type}; write one ${type}`;
  const given = typeof value === 'boolean' ? 'bool' : typeof value;
  if (given !== type) return `is a ${given}, and the input ${name} is a ${type}; write a ${type}`;
  const wrong = itemProblem(input, value);
  if (wrong !== null || typeof value === 'boolean') return wrong;
  return typeof value === 'string'
    ? boundsProblem(input, Array.from(value).length, ' characters')
    : boundsProblem(input, value, '');
}

const isTemplate = (value: ArgValue): value is Template => typeof value === 'object' && 'template' in value;

function listProblem(input: InputConfig, value: ArgValue): string | null {
  if (!Array.isArray(value)) return `is no list, and the input ${input.name} is one; write [ ... ]`;
  const items = value as readonly ArgValue[];
  const wrong = items.map((item) => itemProblem(input, item)).find((problem) => problem !== null);
  return wrong ?? boundsProblem(input, items.length, ' items');
}

/** One value, or one item of a list, against `values` and `pattern`. */
function itemProblem({ name, pattern, values }: InputConfig, value: ArgValue): string | null {
  if (typeof value === 'object') return isTemplate(value) ? null : 'is a list in a list; write a flat one';
  if (values !== null && !values.includes(value)) {
    const known = values.map((one) => JSON.stringify(one)).join(', ');
    return `${JSON.stringify(value)} is not among the values of ${name}; write one of ${known}`;
  }
  if (typeof value === 'string' && pattern !== null && !new RegExp(`^(?:${pattern})$`, 'u').test(value))
    return `${JSON.stringify(value)} does not match the pattern of ${name}; write what fits ${pattern}`;
  return null;
}

function boundsProblem({ name, min, max }: InputConfig, size: number, unit: string): string | null {
  if (min !== null && size < min) return `is ${size}${unit}, less than the least of ${name}; write ${min} or more`;
  if (max !== null && size > max) return `is ${size}${unit}, more than the greatest of ${name}; write ${max} or less`;
  return null;
}

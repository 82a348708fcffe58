/** A request's arguments against the workflow's declared inputs. Nothing undeclared passes; what is missing takes its default. */
import type { Args, ArgResolved, InputDefinition, Scalar } from '../workflows/contract.ts';

export type ArgumentProblem = { readonly argument: string; readonly message: string };

const MAX_STRING = 4_096;
const MAX_LIST = 256;

export function checkArguments(
  inputs: readonly InputDefinition[],
  given: Readonly<Record<string, unknown>>,
): { readonly args: Args } | { readonly problems: readonly ArgumentProblem[] } {
  const problems: ArgumentProblem[] = [];
  const declared = inputs.map((input) => input.name);
  for (const name of Object.keys(given)) {
    if (!declared.includes(name)) {
      const list = declared.length === 0 ? 'it takes none' : `it takes ${declared.join(', ')}`;
      problems.push({ argument: name, message: `the workflow has no input "${name}"; ${list}` });
    }
  }
  const args: Record<string, ArgResolved> = {};
  for (const input of inputs) {
    const value = Object.hasOwn(given, input.name) ? given[input.name] : (input.default ?? undefined);
    if (value === undefined || value === null) {
      if (input.required) problems.push({ argument: input.name, message: `missing; give a ${input.type}` });
      continue;
    }
    const wrong = problemOf(input, value);
    if (wrong === null) args[input.name] = value as ArgResolved;
    else problems.push({ argument: input.name, message: wrong });
  }
  return problems.length > 0 ? { problems } : { args };
}

/** What is wrong with a value, or null. */
function problemOf(input: InputDefinition, value: unknown): string | null {
  if (input.type === 'list') {
    if (!Array.isArray(value)) return 'must be a list';
    if (value.length > MAX_LIST) return `holds ${value.length} elements; at most ${MAX_LIST}`;
    for (const [index, item] of value.entries()) {
      const wrong = scalarProblem(input, item);
      if (wrong !== null) return `element ${index + 1} ${wrong}`;
    }
    return sizeProblem(input, value.length, 'elements');
  }
  return scalarProblem(input, value);
}

function scalarProblem(input: InputDefinition, value: unknown): string | null {
  const wanted = input.type === 'bool' ? 'boolean' : input.type === 'list' ? null : input.type;
  const kind = typeof value;
  if (wanted !== null && kind !== wanted) return `must be a ${input.type}, not ${kind}`;
  if (kind !== 'string' && kind !== 'number' && kind !== 'boolean') return 'must be text, a number or true/false';
  if (input.values !== null && !input.values.includes(value as Scalar)) {
    return `must be one of ${input.values.map((allowed) => JSON.stringify(allowed)).join(', ')}`;
  }
  if (typeof value === 'string') return stringProblem(input, value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return 'must be a finite number';
    return input.type === 'number' ? sizeProblem(input, value, '') : null;
  }
  return null;
}

function stringProblem(input: InputDefinition, value: string): string | null {
  if (value.length > MAX_STRING) return `is ${value.length} characters long; at most ${MAX_STRING}`;
  if (!value.isWellFormed() || value.includes('\0')) return 'holds characters that no argument may hold';
  if (input.pattern !== null && !new RegExp(`^(?:${input.pattern})$`, 'u').test(value))
    return `must match ${input.pattern}`;
  return input.type === 'string' ? sizeProblem(input, Array.from(value).length, 'characters') : null;
}

function sizeProblem(input: InputDefinition, size: number, unit: string): string | null {
  const shown = unit === '' ? '' : ` ${unit}`;
  if (input.min !== null && size < input.min) return `is ${size}${shown}; at least ${input.min}`;
  if (input.max !== null && size > input.max) return `is ${size}${shown}; at most ${input.max}`;
  return null;
}

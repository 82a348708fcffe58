/** What a caller gives for a command, checked against its definition, and put where the definition has room for it. */
import { isAbsolute } from 'node:path';
import type { CommandDefinition, ProgramCommand } from '../../config/commands.ts';
import type { Scalar } from '../../workflows/contract.ts';
import { RefusalError } from '../refusal.ts';
import { wholeValue } from '../whole-value.ts';
import type { UnitLimits } from './action.ts';

export const refuse = (message: string): RefusalError => new RefusalError('args_invalid', `exec: ${message}`);

/** What the transient unit of a command holds it to. */
export const limitsOf = ({ memoryMax, tasksMax, protectSystem, writable }: CommandDefinition): UnitLimits => ({
  memoryMax,
  tasksMax,
  protectSystem,
  writable,
});

export type Inputs = ReadonlyMap<string, { readonly value: string; readonly pattern: string }>;

/** Exactly the declared inputs, each matching its pattern as a whole. Messages never hold a value. */
export function checkInputs(definition: CommandDefinition, given: Readonly<Record<string, Scalar>>): Inputs {
  const declared = new Set(definition.inputs.map((input) => input.name));
  for (const name of Object.keys(given)) {
    if (declared.has(name)) continue;
    const takes = declared.size === 0 ? 'no inputs' : [...declared].join(', ');
    throw refuse(
      `command ${definition.name} does not declare the input ${JSON.stringify(name.slice(0, 64))}; it takes ${takes}`,
    );
  }
  return new Map(
    definition.inputs.map(({ name, pattern }) => {
      const at = `input ${name} of command ${definition.name}`;
      if (!Object.hasOwn(given, name)) throw refuse(`${at} is missing`);
      const value = String(given[name]);
      if (value.includes('\0') || !value.isWellFormed()) throw refuse(`${at} holds what is no text`);
      if (!wholeValue(pattern).test(value)) throw refuse(`${at} does not match its pattern ${pattern}`);
      return [name, { value, pattern }];
    }),
  );
}

export const SLOT = /\{([A-Za-z_][A-Za-z0-9_-]*)\}/g;

/** Fills the slots of each argument as text: never split, never expanded again. The program itself has no slots. */
export function fillArgv(definition: ProgramCommand, inputs: Inputs): string[] {
  const [program, ...rest] = definition.argv;
  if (program === undefined || !isAbsolute(program) || program.search(SLOT) !== -1) {
    throw refuse(`command ${definition.name} does not begin with an absolute path; mend ${definition.place.file}`);
  }
  let operandsOnly = false;
  return [
    program,
    ...rest.map((argument) => {
      if (argument === '--') operandsOnly = true;
      return fillArgument(definition, argument, inputs, operandsOnly);
    }),
  ];
}

function fillArgument(definition: CommandDefinition, argument: string, inputs: Inputs, operandsOnly: boolean): string {
  const filled = argument.replaceAll(SLOT, (_slot, name: string) => {
    const input = inputs.get(name);
    if (input === undefined) throw refuse(`command ${definition.name} has the slot {${name}} but no such input`);
    return input.value;
  });
  if (filled.startsWith('-') && !argument.startsWith('-') && !operandsOnly) refuseOption(definition, argument, inputs);
  return filled;
}

/**
 * A value that would stand where an option may stand and begins with a dash could be taken for one. Only an input whose
 * pattern itself begins with a dash is meant to hold options; behind `--` there are none.
 */
function refuseOption(definition: CommandDefinition, argument: string, inputs: Inputs): void {
  const first = [...argument.matchAll(SLOT)].map(([, name]) => name!).find((name) => inputs.get(name)!.value !== '');
  if (first !== undefined && WANTS_DASH.test(inputs.get(first)!.pattern)) return;
  throw refuse(
    `input ${first ?? ''} of command ${definition.name} begins with "-" and would be read as an option; ` +
      `write "--" before {${first ?? ''}} in ${definition.place.file}, or begin the input's pattern with "-"`,
  );
}

/** `-`, `^-`, `(-`, `^(?:-`. */
const WANTS_DASH = /^\^?(?:\((?:\?:)?)*-/;

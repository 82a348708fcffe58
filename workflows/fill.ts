/** Fills `${...}` references of a plan's texts from its arguments and target. `secret.*` stays: only the host knows secrets. */
import type { Args, ArgResolved, ArgValue, Plan, Scalar, Target, Template } from './contract.ts';

export class FillError extends Error {
  override readonly name = 'FillError';
}

type Part = string | { readonly ref: string };

const isTemplate = (value: ArgValue): value is Template => typeof value === 'object' && 'template' in value;

const isList = (value: ArgValue): value is readonly ArgValue[] => Array.isArray(value);

/** An argument with all but its secrets filled in. A template that is one reference alone keeps the referenced value's type. */
export function fillArg(value: ArgValue, plan: Plan): ArgValue {
  if (isList(value)) return value.map((item) => fillArg(item, plan));
  if (!isTemplate(value)) return value;
  const parts = value.template;
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && typeof only !== 'string' && !isSecret(only))
    return lookUp(only.ref, plan);
  const template = parts.map((part) => (typeof part === 'string' || isSecret(part) ? part : asText(part.ref, plan)));
  const texts = template.filter((part) => typeof part === 'string');
  return texts.length === template.length ? texts.join('') : { template };
}

export const fillArgs = (args: Readonly<Record<string, ArgValue>>, plan: Plan): Record<string, ArgValue> =>
  Object.fromEntries(Object.entries(args).map(([name, value]) => [name, fillArg(value, plan)]));

/** What a reference stands for outside an action's arguments; undefined when it has no plain value. */
export function referenceOf(plan: Plan, ref: string): Scalar | undefined {
  const value = lookUp(ref, plan);
  return typeof value === 'object' ? undefined : value;
}

const isSecret = (part: Part): boolean => typeof part !== 'string' && part.ref.startsWith('secret.');

function asText(ref: string, plan: Plan): string {
  const value = lookUp(ref, plan);
  if (typeof value === 'object') throw new FillError(`\${${ref}} is a list and cannot stand inside text`);
  return String(value);
}

function lookUp(ref: string, plan: Plan): ArgResolved {
  const [root, name = ''] = ref.split('.', 2);
  const value =
    root === 'input' ? ownArg(plan.args, name) : root === 'target' ? targetField(plan.target, name) : undefined;
  if (value === undefined) throw new FillError(`\${${ref}} has no value for target ${plan.target.kind}`);
  return value;
}

const ownArg = (args: Args, name: string): ArgResolved | undefined =>
  Object.hasOwn(args, name) ? args[name] : undefined;

function targetField(target: Target, name: string): string | undefined {
  if (name === 'node') return target.kind === 'node' ? target.node : undefined;
  if (name === 'type') return target.kind === 'datacenter' ? undefined : target.nodeType;
  if (name === 'datacenter') return target.datacenter ?? undefined;
  return undefined;
}

import { ACTION_ARGUMENTS } from '../workflows/action-arguments.ts';

/** Arguments as the action will read them: what is left out counts with its default, for those who judge an order as well. */
export function withDefaults<A extends Readonly<Record<string, unknown>>>(action: string, args: A): A {
  const named = Object.hasOwn(ACTION_ARGUMENTS, action) ? ACTION_ARGUMENTS[action]!.named : {};
  const left = Object.entries(named).filter(([name]) => !Object.hasOwn(args, name));
  const filled = left.flatMap(([name, rule]) => (rule.default === undefined ? [] : [[name, rule.default] as const]));
  return filled.length === 0 ? args : { ...args, ...Object.fromEntries(filled) };
}

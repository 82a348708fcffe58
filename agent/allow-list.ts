import type { AllowRule } from '../config/agent.ts';
import { formatProblem } from '../config/problem.ts';
import type { ArgResolved, Args } from '../workflows/contract.ts';
import { RefusalError } from './refusal.ts';
import { wholeValue } from './whole-value.ts';

/** Decides from the host's own `allow` blocks alone; no coordinator can widen it. @throws RefusalError `action_not_allowed` */
export type AllowList = { readonly check: (action: string, args: Args) => void };

type Compiled = { readonly action: string; readonly args: readonly (readonly [name: string, pattern: RegExp])[] };

/** @throws Error naming the file and line of a pattern that is not a regular expression. */
export function createAllowList(rules: readonly AllowRule[]): AllowList {
  const compiled = rules.map(compile);
  return {
    check(action, args) {
      const named = compiled.filter((rule) => rule.action === '*' || rule.action === action);
      if (named.some((rule) => rule.args.every(([name, pattern]) => fits(pattern, ownValue(args, name))))) return;
      throw new RefusalError(
        'action_not_allowed',
        named.length === 0 ? notNamed(action) : notThese(action, named, args),
      );
    },
  };
}

function compile(rule: AllowRule): Compiled {
  const pattern = (name: string, text: string): readonly [string, RegExp] => {
    try {
      return [name, wholeValue(text)];
    } catch (cause) {
      const message = `${JSON.stringify(text)} is not a regular expression; mend the pattern`;
      const path = `allow[${JSON.stringify(rule.action)}].args.${name}`;
      throw new Error(formatProblem({ place: rule.place, path, severity: 'error', message }), { cause });
    }
  };
  return { action: rule.action, args: Object.entries(rule.args).map(([name, text]) => pattern(name, text)) };
}

/** Every element of a list must fit, and an argument that a rule names must be there. */
function fits(pattern: RegExp, value: ArgResolved | undefined): boolean {
  if (value === undefined) return false;
  if (typeof value === 'object') return value.length > 0 && value.every((element) => fits(pattern, element));
  return pattern.test(String(value));
}

const notNamed = (action: string): string =>
  `no allow block of this host names ${JSON.stringify(action)}; add allow ${JSON.stringify(action)} { ... } to the agent's file`;

/** Names the arguments at fault, not their values: a value may be a secret. */
function notThese(action: string, rules: readonly Compiled[], args: Args): string {
  const faults = new Set(
    rules.flatMap((rule) => rule.args.filter(([name, p]) => !fits(p, ownValue(args, name))).map(([name]) => name)),
  );
  return `the allow blocks of this host for ${JSON.stringify(action)} do not permit the given ${[...faults].join(', ')}`;
}

const ownValue = (args: Args, name: string): ArgResolved | undefined =>
  Object.hasOwn(args, name) ? args[name] : undefined;

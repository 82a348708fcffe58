import type { AllowRule, NeverRule } from '../config/agent-rules.ts';
import { formatProblem, type Place } from '../config/problem.ts';
import type { ArgResolved, Args } from '../workflows/contract.ts';
import { withDefaults } from './argument-defaults.ts';
import { type Fit, fitOf, seemsUnder } from './argument-fit.ts';
import { type Cap, capsOf, checkCap } from './caps.ts';
import type { BegunAction, Room } from './ledger.ts';
import { RefusalError } from './refusal.ts';
import { unitNames } from './unit-aliases.ts';

/** Decides from the host's own blocks alone; no coordinator can widen it. */
export type AllowList = {
  /**
   * Gives what must still be asked when the action begins: whether the caps leave room for it; null when there are none.
   * @throws RefusalError `action_not_allowed`
   */
  readonly check: (action: string, args: Args) => Room | null;
  /** What the blocks say about an order, and which of them. */
  readonly judge: (action: string, args: Args) => Verdict;
  /** The caps of these blocks, counted from what the ledger holds. */
  readonly caps: (by: readonly AllowRule[], begun: readonly BegunAction[]) => readonly Cap[];
};

export type Verdict =
  /** Every allow block that the order fits: there must be room in each. */
  | { readonly allowed: true; readonly by: readonly AllowRule[] }
  | { readonly allowed: false; readonly never: NeverRule | null; readonly message: string };

type Compiled<R extends NeverRule> = { readonly rule: R; readonly bounds: readonly (readonly [string, Fit])[] };

/** @throws Error naming the file and line of a pattern that is not a regular expression. */
export function createAllowList(
  allow: readonly AllowRule[],
  never: readonly NeverRule[] = [],
  unitFolders?: readonly string[],
): AllowList {
  const allowing = allow.map((rule) => compile('allow', rule, fitOf));
  const forbidding = never.map((rule) => compile('never', rule, (bound) => forbidFit(bound, unitFolders)));
  const judge = (action: string, given: Args): Verdict => {
    const args = withDefaults(action, given);
    const concerns = ({ rule }: Compiled<NeverRule>): boolean => rule.action === '*' || rule.action === action;
    const forbidden = forbidding
      .filter(concerns)
      .find(({ bounds }) => bounds.every(([name, fit]) => anyFits(fit, ownValue(args, name))));
    if (forbidden !== undefined)
      return { allowed: false, never: forbidden.rule, message: forbiddenBy(action, forbidden.rule) };
    const named = allowing.filter(concerns);
    const by = named.filter(({ bounds }) => bounds.every(([name, fit]) => allFit(fit, ownValue(args, name))));
    if (by.length > 0) return { allowed: true, by: by.map(({ rule }) => rule) };
    return {
      allowed: false,
      never: null,
      message: named.length === 0 ? notNamed(action) : notThese(action, named, args),
    };
  };
  const caps = (by: readonly AllowRule[], begun: readonly BegunAction[]): readonly Cap[] =>
    allowing
      .filter(({ rule }) => by.includes(rule) && isCapped(rule))
      .flatMap((one) =>
        capsOf(
          one.rule,
          begun.filter((past) => covers(one, past)),
        ),
      );
  return {
    judge,
    caps,
    check(action, args) {
      const verdict = judge(action, args);
      if (!verdict.allowed) throw new RefusalError('action_not_allowed', verdict.message);
      const { by } = verdict;
      return by.some(isCapped) ? (begun) => caps(by, begun).forEach(checkCap) : null;
    },
  };
}

const isCapped = ({ perHour, concurrent }: AllowRule): boolean => perHour !== null || concurrent !== null;

/** Whether the block would let this in: what it cannot judge, such as a secret that the ledger does not hold, counts. */
function covers({ rule, bounds }: Compiled<AllowRule>, past: BegunAction): boolean {
  if (rule.action !== '*' && rule.action !== past.action) return false;
  const args = withDefaults(past.action, past.args);
  return bounds.every(([name, fit]) => Object.hasOwn(args, name) && mayFit(fit, args[name]));
}

function mayFit(fit: Fit, value: unknown): boolean {
  if (Array.isArray(value)) return value.every((element) => mayFit(fit, element));
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return fit(value) !== false;
  return true;
}

function compile<R extends NeverRule>(
  kind: 'allow' | 'never',
  rule: R,
  fit: (bound: NeverRule['args'][string]) => Fit,
): Compiled<R> {
  const bounds = Object.entries(rule.args).map(([name, bound]): readonly [string, Fit] => {
    try {
      return [name, fit(bound)];
    } catch (cause) {
      const message = 'is not a regular expression; mend the pattern';
      const path = `${kind}[${JSON.stringify(rule.action)}].args.${name}`;
      throw new Error(formatProblem({ place: rule.place, path, severity: 'error', message }), { cause });
    }
  });
  return { rule, bounds };
}

/** A rule that forbids also fits what it cannot judge, every other name of a unit, and a path that only looks to be in its folder. */
function forbidFit(bound: NeverRule['args'][string], unitFolders: readonly string[] | undefined): Fit {
  const fit = fitOf(bound);
  return (value) => {
    if (bound.kind === 'under' && seemsUnder(value, bound.folder)) return true;
    const names = typeof value === 'string' ? unitNames(value, unitFolders) : [value];
    return names.some((name) => fit(name) !== false);
  };
}

/** Every element of a list must fit, and an argument that a rule names must be there. */
function allFit(fit: Fit, value: ArgResolved | undefined): boolean {
  if (value === undefined) return false;
  if (typeof value === 'object') return value.length > 0 && value.every((element) => allFit(fit, element));
  return fit(value) === true;
}

function anyFits(fit: Fit, value: ArgResolved | undefined): boolean {
  if (value === undefined) return false;
  return typeof value === 'object' ? value.some((element) => anyFits(fit, element)) : fit(value) !== false;
}

const notNamed = (action: string): string =>
  `no allow block of this host names ${JSON.stringify(action)}; add allow ${JSON.stringify(action)} { ... } to the agent's file`;

/** Names the arguments at fault, not their values: a value may be a secret. */
function notThese(action: string, rules: readonly Compiled<AllowRule>[], args: Args): string {
  const faults = new Set(
    rules.flatMap(({ bounds }) =>
      bounds.filter(([name, fit]) => !allFit(fit, ownValue(args, name))).map(([name]) => name),
    ),
  );
  return `the allow blocks of this host for ${JSON.stringify(action)} do not permit the given ${[...faults].join(', ')}`;
}

function forbiddenBy(action: string, rule: NeverRule): string {
  const names = Object.keys(rule.args);
  const given = names.length === 0 ? '' : ` with the given ${names.join(', ')}`;
  return `this host never does ${JSON.stringify(action)}${given}: never block at ${at(rule.place)}`;
}

export const at = ({ file, line }: Place): string => `${file}:${line}`;

const ownValue = (args: Args, name: string): ArgResolved | undefined =>
  Object.hasOwn(args, name) ? args[name] : undefined;

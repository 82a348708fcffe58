import { z } from 'zod';
import { ACTION_ARGUMENTS, type ActionArguments, type ArgumentRule } from '../../workflows/action-arguments.ts';
import type { ACTIONS, Args, Scalar } from '../../workflows/contract.ts';
import { RefusalError } from '../refusal.ts';
import { wholeValue } from '../whole-value.ts';

const MAX_TEXT = 64 * 1024;
const scalar = z.union([z.string().max(MAX_TEXT), z.number(), z.boolean()]);

/**
 * Builds the check of one action's arguments from what ACTION_ARGUMENTS says about it. The check names the argument and the
 * rule, never the value.
 */
export function argumentCheck(action: keyof typeof ACTIONS): (args: Args) => Readonly<Record<string, Scalar>> {
  const rules: ActionArguments | undefined = ACTION_ARGUMENTS[action];
  if (rules === undefined) throw new Error(`ACTION_ARGUMENTS has no entry for ${action}`);
  const schema = schemaOf(rules);
  return (args) => {
    // zod passes over this one name, and what is passed over is not refused.
    if (Object.hasOwn(args, '__proto__'))
      throw new RefusalError('args_invalid', `${action}: does not take "__proto__"`);
    const checked = schema.safeParse(args);
    if (checked.success) return checked.data;
    const faults = checked.error.issues.map((issue) => faultOf(issue, rules)).join('; ');
    throw new RefusalError('args_invalid', `${action}: ${faults}`);
  };
}

function schemaOf(rules: ActionArguments): z.ZodType<Record<string, Scalar>> {
  const named = Object.fromEntries(Object.entries(rules.named).map(([name, rule]) => [name, ruleSchema(rule)]));
  const object = z.object(named);
  return (rules.others === null ? object.strict() : object.catchall(scalar)) as z.ZodType<Record<string, Scalar>>;
}

function ruleSchema(rule: ArgumentRule): z.ZodType {
  const base: z.ZodType =
    rule.type === 'string' ? textSchema(rule.pattern) : rule.type === 'number' ? numberSchema(rule) : z.boolean();
  if (rule.required) return base;
  return rule.default === undefined ? base.optional() : base.default(rule.default);
}

const numberSchema = ({ min, max }: ArgumentRule): z.ZodNumber =>
  min === undefined || max === undefined ? z.number() : z.number().int().min(min).max(max);

const textSchema = (pattern: string | null): z.ZodString =>
  pattern === null ? z.string().max(MAX_TEXT) : z.string().max(MAX_TEXT).regex(wholeValue(pattern));

function faultOf(issue: z.core.$ZodIssue, rules: ActionArguments): string {
  if (issue.code === 'unrecognized_keys') return `does not take ${issue.keys.map(shown).join(', ')}${known(rules)}`;
  const name = String(issue.path[0]);
  const rule = Object.hasOwn(rules.named, name) ? rules.named[name] : undefined;
  if (rule === undefined) return `argument ${shown(name)} must be one string, number or bool`;
  const must =
    rule.min !== undefined
      ? `a whole number from ${rule.min} to ${rule.max}`
      : rule.pattern === null
        ? `a ${rule.type}`
        : `a ${rule.type} that matches ^${rule.pattern}$`;
  return `argument ${shown(name)} must be ${must} (${rule.description})`;
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 64));
const known = (rules: ActionArguments): string => {
  const names = Object.keys(rules.named);
  return names.length === 0 ? '; it takes no arguments' : `; it takes ${names.map(shown).join(', ')}`;
};

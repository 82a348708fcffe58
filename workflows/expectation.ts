/** Whether the facts of a receipt are what a `verify` block expects. Pure. */
import type { ArgResolved, ArgValue, Bounds, Expected, Plan, Scalar } from './contract.ts';
import { fillArg } from './fill.ts';

type Facts = Readonly<Record<string, Scalar>>;

/**
 * What is not as expected, for people; null when all is.
 * @throws FillError when the plan has no value for a reference.
 */
export function unmet(expect: Readonly<Record<string, Expected>>, facts: Facts, plan: Plan): string | null {
  const wrong = Object.entries(expect).flatMap(([name, expected]) => {
    const message = misfit(expected, Object.hasOwn(facts, name) ? facts[name] : undefined, plan);
    return message === null ? [] : [`${name} is ${message}`];
  });
  return wrong.length === 0 ? null : wrong.join('; ');
}

function misfit(expected: Expected, fact: Scalar | undefined, plan: Plan): string | null {
  if (fact === undefined) return 'not among what the host answered';
  if (isBounds(expected)) return outOfBounds(expected, fact, plan);
  const wanted = fillArg(expected, plan);
  const choices = Array.isArray(wanted) ? (wanted as readonly ArgResolved[]) : [wanted];
  if (choices.includes(fact)) return null;
  return `${shown(fact)}, not ${choices.map(shown).join(' or ')}`;
}

export const isBounds = (expected: Expected): expected is Bounds =>
  typeof expected === 'object' && !Array.isArray(expected) && !('template' in expected);

function outOfBounds({ min, max }: Bounds, fact: Scalar, plan: Plan): string | null {
  if (typeof fact !== 'number') return `${shown(fact)}, and no number`;
  const least = numberOf(min, plan);
  const most = numberOf(max, plan);
  if (least !== null && !(fact >= least)) return `${fact}, less than ${least}`;
  if (most !== null && !(fact <= most)) return `${fact}, more than ${most}`;
  return null;
}

/** A bound that is no number lets nothing pass, whichever way it bounds. */
function numberOf(bound: ArgValue | undefined, plan: Plan): number | null {
  if (bound === undefined) return null;
  const value = fillArg(bound, plan);
  return typeof value === 'number' ? value : Number.NaN;
}

const shown = (value: unknown): string => JSON.stringify(value);

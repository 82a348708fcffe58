/** The one list of kinds of limits. A further one is a file beside this and a line here. */
import { concurrency } from './concurrency.ts';
import { cooldown } from './cooldown.ts';
import type { ConstraintKind } from './kind.ts';
import { maxExecution } from './max-execution.ts';
import { maxIneffective } from './max-ineffective.ts';
import { maxUnavailable } from './max-unavailable.ts';

export const CONSTRAINT_KINDS: readonly ConstraintKind[] = [
  concurrency,
  maxExecution,
  cooldown,
  maxUnavailable,
  maxIneffective,
];

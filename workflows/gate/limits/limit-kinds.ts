/** Every kind of limit there is. Adding one: a file beside this, a line here, a code in ../operations.ts. */
import type { LimitCode } from '../operations.ts';
import { concurrency } from './concurrency.ts';
import { cooldown } from './cooldown.ts';
import type { LimitKind } from './limit.ts';
import { maxExecution } from './max-execution.ts';
import { maxIneffective } from './max-ineffective.ts';
import { maxUnavailable } from './max-unavailable.ts';

export const LIMIT_KINDS: Readonly<Record<LimitCode, LimitKind>> = {
  c: concurrency,
  m: maxExecution,
  d: cooldown,
  u: maxUnavailable,
  i: maxIneffective,
};

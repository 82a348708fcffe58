/** The gate's short reasons as callers read them. */
import type { ApiReason } from '../../workflows/api.ts';
import type { ReasonRef } from '../../workflows/gate/operations.ts';

const CONSTRAINT = { c: 'concurrency', m: 'maxExecution', node: 'one_change_per_node' } as const;
const SCOPE: Readonly<Record<string, string>> = {
  t: 'target',
  n: 'node',
  y: 'node_type',
  c: 'datacenter',
  g: 'global',
};

const scopeOf = (key: string): string => {
  const [kind = '', ...rest] = key.split(':');
  return kind === 'l' ? `label:${rest.join(':').split('=')[0]}` : (SCOPE[kind] ?? key);
};

export const toApiReason = ([kind, scope, limit, current, free]: ReasonRef, now: number): ApiReason => ({
  constraint: CONSTRAINT[kind],
  scope: scopeOf(scope),
  limit,
  current,
  retry_after_s: free === null ? null : Math.max(1, Math.ceil((free - now) / 1000)),
});

export function describeReason(reason: ApiReason): string {
  const when =
    reason.retry_after_s === null ? 'free when what holds it has ended' : `free in ${duration(reason.retry_after_s)}`;
  if (reason.constraint === 'one_change_per_node') return `another change is under way on this node (${when})`;
  return `${reason.constraint} per ${reason.scope}: ${reason.current} of ${reason.limit} taken (${when})`;
}

const duration = (seconds: number): string =>
  seconds < 120
    ? `${seconds} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`;

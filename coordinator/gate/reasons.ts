/** The gate's short reasons as callers read them. */
import type { ApiReason } from '../../workflows/api.ts';
import type { ReasonRef, ScopeCode } from '../../workflows/gate/operations.ts';

export const CONSTRAINT = {
  c: 'concurrency',
  m: 'maxExecution',
  d: 'cooldown',
  u: 'maxUnavailable',
  i: 'maxIneffective',
  node: 'one_change_per_node',
  win: 'window',
  fleet: 'fleet_unknown',
} as const;
const SCOPE = { t: 'target', n: 'node', y: 'node_type', c: 'datacenter', g: 'global' } as const;

export const scopeText = (code: ScopeCode): string =>
  code.startsWith('l:') ? `label:${code.slice(2)}` : SCOPE[code as keyof typeof SCOPE];

export const toApiReason = ([kind, scope, limit, current, free, name]: ReasonRef, now: number): ApiReason => ({
  constraint: CONSTRAINT[kind],
  scope: scopeText(scope),
  name: name ?? null,
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

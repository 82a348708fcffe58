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

/** What stands in the way, and when it can be free, for people. */
export function describeReason(reason: ApiReason): string {
  const { constraint, scope, limit, current, name } = reason;
  const when =
    reason.retry_after_s === null ? 'free when what holds it has ended' : `free in ${duration(reason.retry_after_s)}`;
  const called = name === null ? '' : ` "${name}"`;
  switch (constraint) {
    case 'one_change_per_node':
      return `another change is under way on this node (${when})`;
    case 'window':
      return `window${called} is closed (${when.replace('free', 'open')})`;
    case 'fleet_unknown':
      return 'maxUnavailable: no coordinator has reported the state of the fleet for a minute, so nothing may be taken from it';
    case 'maxUnavailable':
      return `maxUnavailable${called} per ${scope}: ${current} of at most ${limit} nodes are down or under treatment (${when})`;
    case 'maxIneffective':
      return `maxIneffective per ${scope}: ${current} in a row did not help; suspended until somebody runs: fettle resume (fettle status names it)`;
    case 'cooldown':
      return `cooldown${called} per ${scope}: the last one has not ended long enough ago (${when})`;
    default:
      if (current < limit)
        return `${constraint}${called} per ${scope}: what room there is belongs to requests that have waited longer`;
      return `${constraint}${called} per ${scope}: ${current} of ${limit} taken (${when})`;
  }
}

const duration = (seconds: number): string =>
  seconds < 120
    ? `${seconds} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`;

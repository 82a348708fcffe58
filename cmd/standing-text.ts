/** Pauses, windows, breakers and what waits, in words for people. */
import type {
  ApiBreaker,
  ApiPause,
  ApiPendingRequest,
  ApiReason,
  ApiStatus,
  ApiStopScope,
  ApiWindow,
  ApiWindowScope,
} from '../workflows/api.ts';
import type { Column } from './table.ts';
import { formatDuration, formatTime } from './time-text.ts';

/** `everything`, `workflow restart-service`, `node_type web` */
export function scopeText(scope: ApiStopScope): string {
  if ('everything' in scope) return 'everything';
  if ('workflow' in scope) return `workflow ${scope.workflow}`;
  if ('datacenter' in scope) return `datacenter ${scope.datacenter}`;
  return 'node_type' in scope ? `node_type ${scope.node_type}` : `node ${scope.node}`;
}

/** `workflow a, b; node type web`; everything when no list narrows it. */
export function windowScopeText({ workflows, node_types, datacenters, nodes }: ApiWindowScope): string {
  const lists: [string, string[] | undefined][] = [
    ['workflow', workflows],
    ['node type', node_types],
    ['datacenter', datacenters],
    ['node', nodes],
  ];
  const parts = lists.flatMap(([what, names]) => (names === undefined ? [] : [`${what} ${names.join(', ')}`]));
  return parts.length === 0 ? 'everything' : parts.join('; ');
}

/** Who stopped what, why, since when and until when. */
export function pauseText(pause: ApiPause, now: number): string {
  const until = pause.until === null ? '' : `, until ${formatTime(pause.until, now)}`;
  return `${scopeText(pause.scope)}: ${pause.reason} (${pause.by}, ${formatTime(pause.since, now)}${until})`;
}

export const isInForce = (window: ApiWindow, now: number): boolean =>
  Date.parse(window.from) <= now && now < Date.parse(window.until);

export const windowText = (window: ApiWindow, now: number): string =>
  `${window.name}: ${windowScopeText(window.scope)}, until ${formatTime(window.until, now)}` +
  (window.reason === '' ? '' : ` (${window.reason}, ${window.by})`);

export function breakerText(breaker: ApiBreaker, now: number): string {
  const where = breaker.of === '' ? '' : ` on ${breaker.scope} ${breaker.of}`;
  const last = breaker.last_execution === '' ? '' : `; last: ${breaker.last_execution}`;
  return `${breaker.workflow}${where}: ${breaker.streak} in a row did not heal (${formatTime(breaker.since, now)}${last})`;
}

export const disagreementText = (
  workflow: string,
  definitions: ApiStatus['gate']['disagreements'][number]['definitions'],
): string =>
  `coordinators define ${workflow} differently: ` +
  `${definitions.map(({ digest, announced_by }) => `${announced_by.join(', ')} as ${digest.slice(0, 8)}`).join('; ')}; the strictest limits hold`;

/** Why an execution is a stray. */
export const STRAY = {
  no_lease: 'runs without a lease: nobody admitted it, and it gets no permit',
  plan_differs: 'runs another plan than the one admitted, and gets no permit',
} as const;

/** `maxExecution, target: 1 of 1 used; free in 42m` */
export function reasonText(reason: ApiReason): string {
  const free =
    reason.retry_after_s === null
      ? 'free when what holds it has ended: fettle ps'
      : `free in ${formatDuration(reason.retry_after_s * 1000)}`;
  const name = reason.name === null ? '' : ` "${reason.name}"`;
  if (reason.constraint === 'window') return `window${name} is closed; ${free}`;
  if (reason.constraint === 'fleet_unknown') return `how many nodes are down is not known; ${free}`;
  return `${reason.constraint}${name}, ${reason.scope}: ${reason.current} of ${reason.limit} used; ${free}`;
}

/** What a request waits for, in a few words. */
export function waitsForText({ waits_for, reasons }: Pick<ApiPendingRequest, 'waits_for' | 'reasons'>): string {
  if (waits_for === 'approval') return 'a yes: fettle approve';
  if (waits_for === 'pause') return 'the end of a pause';
  const names = reasons.map(({ constraint, name, scope }) => `${name ?? constraint} per ${scope}`);
  return names.length === 0 ? 'limits' : names.join(', ');
}

export const pendingColumns = (now: number): readonly Column<ApiPendingRequest>[] => [
  { header: 'ID', value: (row) => row.pending, cut: 0 },
  { header: 'STATE', value: () => 'pending', cut: 1, style: () => 'yellow' },
  { header: 'WORKFLOW', value: (row) => row.workflow, cut: 2 },
  { header: 'TARGET', value: (row) => row.target, cut: 3 },
  { header: 'WAITS FOR', value: waitsForText, cut: 6 },
  { header: 'PLACE', value: (row) => String(row.place + 1), cut: 4, right: true },
  { header: 'ASKS AGAIN', value: (row) => formatTime(row.asks_again_at, now), cut: 5 },
  { header: 'AT MOST UNTIL', value: (row) => formatTime(row.expires_at, now), cut: 7, wide: true },
  { header: 'PLAN', value: (row) => row.plan, cut: 8, wide: true },
  { header: 'CALLER', value: (row) => row.caller, cut: 9 },
];

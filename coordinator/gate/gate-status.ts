/** How the gate is, as people read it. */
import { errorMessage } from '../../identity/error-message.ts';
import type { ApiBreaker, ApiPause, ApiStatus, ApiStopScope, ApiWindow } from '../../workflows/api.ts';
import type { BreakerSummary, GateSummary, PauseScope, WindowSummary } from '../../workflows/gate/operations.ts';
import { GateUnavailableError, type GateClient } from './gate-client.ts';
import { scopeText } from './reasons.ts';

/** What an older release's worker may leave out of its answer: any coordinator may be the one that runs the gate. */
type Answered = Pick<GateSummary, 'leases' | 'orphaned' | 'pauses' | 'quarantine'> & Partial<GateSummary>;

export async function gateStatus(gate: GateClient): Promise<ApiStatus['gate']> {
  try {
    return describeGate(await gate.summary());
  } catch (error) {
    const missing = error instanceof GateUnavailableError && error.code === 'gate_missing';
    const nothing = { leases: null, orphaned: null, waiting: null };
    const none = { pauses: [], windows: [], breakers: [], disagreements: [] };
    return { state: missing ? 'missing' : 'unreachable', ...nothing, ...none, detail: errorMessage(error) };
  }
}

function describeGate(summary: Answered): ApiStatus['gate'] {
  const stopped = summary.quarantine !== null || summary.pauses.some((pause) => pause.scope.k === 'all');
  return {
    state: stopped ? 'paused' : 'open',
    leases: summary.leases,
    orphaned: summary.orphaned,
    waiting: summary.waiting ?? null,
    detail: summary.quarantine ?? pausesText(summary),
    pauses: summary.pauses.map(toApiPause),
    windows: (summary.windows ?? []).map(toApiWindow),
    breakers: (summary.breakers ?? []).map(toApiBreaker),
    disagreements: disagreements(summary),
  };
}

const pausesText = ({ pauses }: Answered): string | null =>
  pauses.length === 0 ? null : pauses.map((pause) => `${pause.why} (by ${pause.by})`).join('; ');

const time = (ms: number | undefined): string => new Date(ms ?? 0).toISOString();

function toStopScope({ k, v = '' }: PauseScope): ApiStopScope {
  if (k === 'all') return { everything: true };
  if (k === 'w') return { workflow: v };
  if (k === 'c') return { datacenter: v };
  return k === 'y' ? { node_type: v } : { node: v };
}

const toApiPause = ({ id, scope, why, by, since, until }: GateSummary['pauses'][number]): ApiPause => ({
  id,
  scope: toStopScope(scope),
  reason: why,
  by,
  since: time(since),
  until: until ? time(until) : null,
});

const toApiWindow = ({ name, scope, from, until, byPerson, by, why }: WindowSummary): ApiWindow => ({
  name,
  scope: {
    ...(scope.w === undefined ? {} : { workflows: [...scope.w] }),
    ...(scope.y === undefined ? {} : { node_types: [...scope.y] }),
    ...(scope.c === undefined ? {} : { datacenters: [...scope.c] }),
    ...(scope.n === undefined ? {} : { nodes: [...scope.n] }),
  },
  from: time(from),
  until: time(until),
  source: byPerson ? 'person' : 'file',
  by,
  reason: why,
});

const toApiBreaker = ({ id, workflow, scope, of, limit, streak, since, last }: BreakerSummary): ApiBreaker => ({
  id,
  workflow,
  scope: scopeText(scope),
  of,
  limit,
  streak,
  since: time(since),
  last_execution: last,
});

const disagreements = ({ definitions = [] }: Answered): ApiStatus['gate']['disagreements'] =>
  definitions
    .filter(({ announced }) => (announced ?? []).length > 1)
    .map(({ workflow, announced }) => ({
      workflow,
      definitions: announced.map(({ digest, by }) => ({ digest, announced_by: [...by] })),
    }));

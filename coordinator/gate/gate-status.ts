/** How the gate is, as people read it. */
import { errorMessage } from '../../identity/error-message.ts';
import type { ApiBreaker, ApiPause, ApiStatus, ApiWindow } from '../../workflows/api.ts';
import type { BreakerSummary, GateSummary, LeaseSummary, WindowSummary } from '../../workflows/gate/operations.ts';
import { leaseName } from '../../workflows/gate/target-ref.ts';
import { toApiWindowScope, toStopScope } from '../stop/stop-scope.ts';
import { GateUnavailableError, type GateClient } from './gate-client.ts';
import { scopeText } from './reasons.ts';

/** So many orphans are named; the count is always whole. */
const MAX_ORPHANS = 50;

export async function gateStatus(gate: GateClient): Promise<ApiStatus['gate']> {
  try {
    const summary = await gate.summary();
    return describeGate(summary, summary.orphaned === 0 ? [] : await gate.leases());
  } catch (error) {
    const missing = error instanceof GateUnavailableError && error.code === 'gate_missing';
    const nothing = { leases: null, orphaned: null, waiting: null };
    const none = { pauses: [], windows: [], breakers: [], orphans: [], disagreements: [] };
    return { state: missing ? 'missing' : 'unreachable', ...nothing, ...none, detail: errorMessage(error) };
  }
}

function describeGate(summary: GateSummary, leases: readonly LeaseSummary[]): ApiStatus['gate'] {
  return {
    state: stateOf(summary),
    leases: summary.leases,
    orphaned: summary.orphaned,
    waiting: summary.waiting,
    detail: summary.quarantine ?? openingText(summary) ?? pausesText(summary),
    pauses: summary.pauses.map(toApiPause),
    windows: summary.windows.map(toApiWindow),
    breakers: summary.breakers.map(toApiBreaker),
    orphans: leases
      .filter(({ orphaned }) => orphaned)
      .slice(0, MAX_ORPHANS)
      .map(toOrphan),
    disagreements: disagreements(summary),
  };
}

function stateOf({ quarantine, opening, pauses }: GateSummary): ApiStatus['gate']['state'] {
  if (quarantine !== null) return 'quarantined';
  if (opening !== null) return 'opening';
  return pauses.some((pause) => pause.scope.k === 'all') ? 'paused' : 'open';
}

const pausesText = ({ pauses }: GateSummary): string | null =>
  pauses.length === 0 ? null : pauses.map((pause) => `${pause.why} (by ${pause.by})`).join('; ');

const openingText = ({ opening }: GateSummary): string | null =>
  opening === null ? null : `took over from a lost run, ${opening} leases still to be looked at`;

const time = (ms: number): string => new Date(ms).toISOString();

const toOrphan = (lease: LeaseSummary): ApiStatus['gate']['orphans'][number] => ({
  execution: leaseName(lease),
  unsettled: lease.unsettled.map(({ step, attempt, node }) => `${step} #${attempt} on ${node}`),
});

export const toApiPause = ({ id, scope, why, by, since, until }: GateSummary['pauses'][number]): ApiPause => ({
  id,
  scope: toStopScope(scope),
  reason: why,
  by,
  since: time(since),
  until: until === null ? null : time(until),
});

export const toApiWindow = ({ name, scope, from, until, byPerson, by, why }: WindowSummary): ApiWindow => ({
  name,
  scope: toApiWindowScope(scope),
  from: time(from),
  until: time(until),
  source: byPerson ? 'person' : 'file',
  by,
  reason: why,
});

export const toApiBreaker = ({ id, workflow, scope, of, limit, streak, since, last }: BreakerSummary): ApiBreaker => ({
  id,
  workflow,
  scope: scopeText(scope),
  of,
  limit,
  streak,
  since: time(since),
  last_execution: last,
});

const disagreements = ({ definitions }: GateSummary): ApiStatus['gate']['disagreements'] =>
  definitions
    .filter(({ announced }) => announced.length > 1)
    .map(({ workflow, announced }) => ({
      workflow,
      definitions: announced.map(({ digest, by }) => ({ digest, announced_by: [...by] })),
    }));

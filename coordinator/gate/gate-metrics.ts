/**
 * The gate as this coordinator sees it, for Prometheus: asked when scraped, at most every fifteen seconds. While the gate does not answer its
 * gauges have no value at all: an old one would say that all is well.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { GateSummary, LimitSummary, TargetRef } from '../../workflows/gate/operations.ts';
import type { Fleet, FleetNode } from '../fleet.ts';
import type { Strays } from '../execution/strays.ts';
import { gateGauges, type GateGauges } from '../metrics.ts';
import type { GateClient } from './gate-client.ts';
import { CONSTRAINT, scopeText } from './reasons.ts';

const REFRESH_MS = 15_000;
/** So many questions about limits for one refresh; a fleet of more types and sites than that sees some of its limits only. */
const MOST_QUESTIONS = 30;

export type GateMetricsOptions = {
  readonly gate: Pick<GateClient, 'summary' | 'explain'>;
  readonly fleet: Pick<Fleet, 'view'>;
  readonly workersRunning: () => boolean;
  readonly strays: Strays['current'];
  readonly log: Logger;
  readonly refreshMs?: number;
};

/** Registers what each scrape then waits for. */
export function serveGateMetrics(registry: Registry, options: GateMetricsOptions): void {
  let asked = -Infinity;
  let asking: Promise<void> = Promise.resolve();
  const gauges = gateGauges(registry, () => {
    if (performance.now() - asked < (options.refreshMs ?? REFRESH_MS)) return asking;
    asked = performance.now();
    asking = refresh(options, gauges).catch((error: unknown) => {
      options.log.debug({ error }, 'the gate did not answer for its metrics');
      forget(gauges);
      gauges.up.set(0);
      gauges.ready.set(0);
    });
    return asking;
  });
}

async function refresh(options: GateMetricsOptions, gauges: GateGauges): Promise<void> {
  const { gate, fleet } = options;
  tellStrays(gauges, options.strays());
  const summary = await gate.summary();
  const limits = await Promise.all(
    questions(summary, [...(await fleet.view()).nodes.values()].flat()).map(async ({ workflow, target }) => ({
      workflow,
      found: await gate.explain(workflow, target),
    })),
  );
  forget(gauges);
  tellSummary(gauges, summary);
  const deciding = summary.quarantine === null && summary.opening === null;
  gauges.ready.set(deciding && options.workersRunning() ? 1 : 0);
  for (const { workflow, found } of limits) for (const limit of found) tellLimit(gauges, workflow, limit);
}

function tellStrays({ strays }: GateGauges, seen: readonly unknown[] | null): void {
  if (seen === null) strays.remove();
  else strays.set(seen.length);
}

function forget({
  up: _up,
  ready: _ready,
  strays: _strays,
  breakers,
  limitAllowed,
  limitFree,
  ...plain
}: GateGauges): void {
  for (const labelled of [breakers, limitAllowed, limitFree]) labelled.reset();
  // One without labels would be 0 after a reset, which is a value.
  for (const gauge of Object.values(plain)) gauge.remove();
}

function tellSummary(gauges: GateGauges, summary: GateSummary): void {
  const { pauses, breakers, windows, definitions, now } = summary;
  gauges.up.set(1);
  gauges.quarantined.set(summary.quarantine === null ? 0 : 1);
  gauges.opening.set(summary.opening === null ? 0 : 1);
  gauges.epoch.set(summary.epoch);
  gauges.takeovers.set(summary.folds);
  gauges.leases.set(summary.leases);
  gauges.orphaned.set(summary.orphaned);
  gauges.waiting.set(summary.waiting);
  gauges.virtual.set(summary.virtual);
  gauges.historyEvents.set(summary.historyLength);
  gauges.pauses.set(pauses.length);
  gauges.pausedSeconds.set(Math.max(0, ...pauses.map((pause) => (now - pause.since) / 1000)));
  gauges.windows.set(windows.filter((window) => window.from <= now && now < window.until).length);
  gauges.differing.set(definitions.filter(({ announced }) => announced.length > 1).length);
  if (summary.fleetAge !== null) gauges.fleetAge.set(summary.fleetAge / 1000);
  for (const { workflow } of definitions) gauges.breakers.set({ workflow }, 0);
  for (const { workflow } of breakers) gauges.breakers.inc({ workflow });
}

function tellLimit(gauges: GateGauges, workflow: string, { limit, scope, of, allowed, current }: LimitSummary): void {
  if (isPerTarget(limit.s)) return;
  // A fleet-wide limit is one, however many workflows it covers.
  const labels = {
    workflow: limit.g === undefined ? workflow : '',
    limit: limit.g ?? CONSTRAINT[limit.k],
    scope: scopeText(scope),
    of,
  };
  gauges.limitAllowed.set(labels, allowed);
  gauges.limitFree.set(labels, Math.max(0, allowed - current));
}

const isPerTarget = (scope: string): boolean => scope === 'target' || scope === 'node';

type Question = { readonly workflow: string; readonly target: TargetRef };

/**
 * Targets that between them have every type, every datacenter and every label value there is: one question answers for all scopes of a
 * workflow at once. The targets are nobody's.
 */
function questions({ definitions }: GateSummary, nodes: readonly FleetNode[]): Question[] {
  const types = distinct(nodes.map((node) => node.nodeType));
  const datacenters = distinct(nodes.map((node) => node.datacenter));
  return definitions
    .flatMap(({ workflow, limits }) => {
      const scopes = new Set(limits.map((limit) => limit.s).filter((scope) => !isPerTarget(scope)));
      if (scopes.size === 0) return [];
      const labels = [...scopes].flatMap((scope) => (scope.startsWith('label:') ? [scope.slice('label:'.length)] : []));
      const values = labels.map(
        (label) => [label, distinct(nodes.flatMap((node) => node.labels[label] ?? []))] as const,
      );
      const rounds = Math.max(
        1,
        scopes.has('node_type') ? types.length : 0,
        scopes.has('datacenter') ? datacenters.length : 0,
        ...values.map(([, list]) => list.length),
      );
      return Array.from({ length: rounds }, (_, round) => ({
        workflow,
        target: targetOf(
          at(types, round),
          at(datacenters, round),
          values.map(([label, list]) => [label, at(list, round)]),
        ),
      }));
    })
    .slice(0, MOST_QUESTIONS);
}

const targetOf = (y: string, c: string, labels: readonly (readonly [string, string])[]): TargetRef => ({
  k: 'n',
  n: '',
  y,
  c,
  l: Object.fromEntries(labels),
});

const at = (list: readonly string[], index: number): string => list[index % Math.max(1, list.length)] ?? '';
const distinct = (list: readonly string[]): string[] => [...new Set(list)].toSorted();

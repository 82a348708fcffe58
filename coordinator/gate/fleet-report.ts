/**
 * What the gate is told of the inventory's nodes, so that health floors count them (docs/protocol.md §3.3): under each scope key how many there
 * are and how many are down, and who is down. Whole after each change, and else only that nothing has changed.
 */
import type { Logger } from 'pino';
import { MAX_OPERATION_BYTES, type FleetReport, type LimitRef } from '../../workflows/gate/operations.ts';
import type { Fleet, FleetNode } from '../fleet.ts';
import type { GateClient } from './gate-client.ts';

/** The gate believes a report for a minute: two may be lost. */
const EVERY_MS = 20_000;
/** So many who are down are named; the counts are always whole. */
const MAX_NAMED = 1_000;

export type FleetContent = {
  readonly tot: readonly (readonly [key: string, total: number, down: number])[];
  readonly dn: readonly string[];
};

export type FleetReportOptions = {
  /** This coordinator's. */
  readonly name: string;
  readonly gate: Pick<GateClient, 'submit'>;
  readonly fleet: Pick<Fleet, 'standing'>;
  /** All limits that are announced. */
  readonly limits: () => readonly LimitRef[];
  readonly log: Logger;
  readonly everyMs?: number;
};

/** Reports now and every 20 s, while any limit needs it. @returns what stops it */
export function reportFleet(options: FleetReportOptions): () => void {
  const reporter = new Reporter(options);
  const report = (): void => void reporter.report();
  report();
  const timer = setInterval(report, options.everyMs ?? EVERY_MS);
  return () => clearInterval(timer);
}

class Reporter {
  readonly #options: FleetReportOptions;
  #version = 0;
  #told = '';
  #busy = false;

  constructor(options: FleetReportOptions) {
    this.#options = options;
  }

  /** What cannot be told is not said: the gate then refuses for want of a report, which is the safe side. */
  async report(): Promise<void> {
    const { fleet, log, limits } = this.#options;
    const floors = limits().filter((limit) => limit.k === 'u');
    if (this.#busy || floors.length === 0) return;
    this.#busy = true;
    try {
      const nodes = await fleet.standing();
      if (nodes !== null) await this.#tell(contentOf(nodes, labelsOf(floors)));
    } catch (error) {
      log.warn({ error }, 'the gate was not told how the fleet stands; trying again');
    } finally {
      this.#busy = false;
    }
  }

  async #tell(content: FleetContent): Promise<void> {
    const text = JSON.stringify(content);
    const changed = text !== this.#told;
    if (!changed && (await this.#unchanged())) return;
    // Never a number that was used before, by an earlier process of this name either.
    if (changed) this.#version = Math.max(Date.now(), this.#version + 1);
    this.#told = '';
    const { name, gate } = this.#options;
    await Promise.all(fleetReports(content, name, this.#version, Date.now()).map((part) => gate.submit(part)));
    this.#told = text;
  }

  async #unchanged(): Promise<boolean> {
    const { name, gate } = this.#options;
    const at = Date.now();
    const answer = await gate.submit({
      op: 'fleet',
      id: `F:${name.slice(0, 40)}:${at}`,
      at,
      r: name.slice(0, 60),
      v: this.#version,
    });
    return answer.a === 'ok';
  }
}

/** Labels that some floor counts by. */
const labelsOf = (floors: readonly LimitRef[]): string[] =>
  floors.flatMap(({ s }) => (s.startsWith('label:') ? [s.slice('label:'.length)] : []));

/** Counts under the gate's scope keys. A node without a label counts under its empty value, with the others that have none. */
export function contentOf(nodes: readonly FleetNode[], labels: readonly string[]): FleetContent {
  const counts = new Map<string, { total: number; down: number }>();
  for (const node of nodes) {
    const own = labels.map((label) => `l:${label}=${node.labels[label] ?? ''}`);
    for (const key of new Set(['g', `y:${node.nodeType}`, `c:${node.datacenter}`, ...own])) {
      const { total, down } = counts.get(key) ?? { total: 0, down: 0 };
      counts.set(key, { total: total + 1, down: down + (node.alive ? 0 : 1) });
    }
  }
  const down = nodes.filter((node) => !node.alive).map(({ node }) => node);
  return {
    tot: [...counts].map(([key, count]) => [key, count.total, count.down] as const).toSorted(byName),
    dn: down.toSorted().slice(0, MAX_NAMED),
  };
}

const byName = ([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number => (a < b ? -1 : 1);

/** As many operations as it takes, each within the bytes that one may have. */
export function fleetReports(content: FleetContent, name: string, version: number, at: number): FleetReport[] {
  // Numbers of parts are not known yet: room for the longest is kept.
  const bare = reportOf(name, version, at, 9_999, 9_999);
  const parts = packed(content, MAX_OPERATION_BYTES - Buffer.byteLength(JSON.stringify({ ...bare, tot: [], dn: [] })));
  return parts.map((part, index) => ({ ...reportOf(name, version, at, index, parts.length), ...part }));
}

const reportOf = (name: string, v: number, at: number, i: number, of: number): FleetReport => ({
  op: 'fleet',
  id: `F:${name.slice(0, 40)}:${v}/${i}`,
  at,
  r: name.slice(0, 60),
  v,
  i,
  of,
});

type Part = { tot: FleetContent['tot'][number][]; dn: string[] };

function packed({ tot, dn }: FleetContent, room: number): Part[] {
  const parts: Part[] = [{ tot: [], dn: [] }];
  let left = room;
  const into = (value: unknown): Part => {
    const bytes = Buffer.byteLength(JSON.stringify(value)) + 1;
    const last = parts.at(-1);
    if (last !== undefined && bytes <= left) {
      left -= bytes;
      return last;
    }
    const next: Part = { tot: [], dn: [] };
    parts.push(next);
    left = room - bytes;
    return next;
  };
  for (const entry of tot) into(entry).tot.push(entry);
  for (const node of dn) into(node).dn.push(node);
  return parts;
}

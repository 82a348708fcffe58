/**
 * What coordinators report of the fleet: how many nodes there are under each scope key, and who is down. Of several reports the one that
 * says worst of a request counts: each may only be stricter. A report older than a minute does not count.
 */
import type { Answer, FleetReport } from './operations.ts';

export const REPORT_MS = 60_000;
/** Names beyond these are counted in the totals alone. */
const MAX_DOWN = 1_000;
const MAX_REPORTERS = 16;

type Report = {
  version: number;
  at: number;
  counts: Map<string, { total: number; down: number }>;
  down: Set<string>;
};
type Parts = { readonly version: number; readonly of: number; readonly got: Map<number, FleetReport> };

/** What one coordinator sees. */
export type View = {
  readonly counts: ReadonlyMap<string, { readonly total: number; readonly down: number }>;
  readonly down: ReadonlySet<string>;
};

export type CarriedFleet = {
  /** Each name once; reports point here. */
  readonly names: readonly string[];
  readonly reports: readonly (readonly [
    reporter: string,
    version: number,
    at: number,
    counts: readonly (readonly [key: string, total: number, down: number])[],
    down: readonly number[],
  ])[];
  /** Parts of reports that are not whole yet. */
  readonly parts: readonly FleetReport[];
};

export class Fleet {
  readonly #reports = new Map<string, Report>();
  readonly #parts = new Map<string, Parts>();
  #views: readonly View[] = [];
  /** One of the reports taken together ends then. */
  #until = 0;
  /** Rises whenever who is down may have changed: held nodes are then counted anew. */
  version = 0;

  report(operation: FleetReport, now: number): Answer {
    const { r: reporter, v: version, i: index, of } = operation;
    const known = this.#reports.get(reporter);
    if (index === undefined || of === undefined) {
      if (known?.version !== version || known.at + REPORT_MS < now) return { a: 'unknown_fleet' };
      known.at = now;
      return { a: 'ok' };
    }
    let parts = this.#parts.get(reporter);
    if (parts?.version !== version || parts.of !== of) {
      parts = { version, of, got: new Map() };
      this.#parts.set(reporter, parts);
    }
    parts.got.set(index, operation);
    if (parts.got.size < of) return { a: 'ok' };
    this.#parts.delete(reporter);
    this.#reports.set(reporter, whole(parts, now));
    if (this.#reports.size > MAX_REPORTERS) this.#dropOldest();
    this.#merge(now);
    return { a: 'ok' };
  }

  /** What each has reported within the last minute. Taken apart, not mixed: each must allow a change by what it sees itself. */
  seen(now: number): readonly View[] {
    if (now > this.#until) this.#merge(now);
    return this.#views;
  }

  /** As of the version that holds now. */
  get views(): readonly View[] {
    return this.#views;
  }

  /** How old the youngest report is; null: there is none. */
  age(now: number): number | null {
    let youngest: number | null = null;
    for (const report of this.#reports.values()) youngest = Math.min(youngest ?? Number.MAX_VALUE, now - report.at);
    return youngest;
  }

  carry(now: number): CarriedFleet {
    const names: string[] = [];
    const indexes = new Map<string, number>();
    const indexOf = (name: string): number => {
      const known = indexes.get(name);
      if (known !== undefined) return known;
      indexes.set(name, names.length);
      return names.push(name) - 1;
    };
    const reports: CarriedFleet['reports'][number][] = [];
    for (const [reporter, { version, at, counts, down }] of this.#reports) {
      if (at + REPORT_MS < now) continue;
      const totals = [...counts].map(([key, said]) => [key, said.total, said.down] as const);
      reports.push([reporter, version, at, totals, [...down].map(indexOf)]);
    }
    return { names, reports, parts: [...this.#parts.values()].flatMap(({ got }) => [...got.values()]) };
  }

  restore({ names, reports, parts }: CarriedFleet): void {
    for (const [reporter, version, at, totals, down] of reports) {
      const counts = new Map(totals.map(([key, total, dead]) => [key, { total, down: dead }]));
      this.#reports.set(reporter, { version, at, counts, down: new Set(down.map((index) => names[index] ?? '')) });
    }
    for (const part of parts) this.report(part, part.at);
  }

  #merge(now: number): void {
    this.version += 1;
    this.#until = Number.MAX_SAFE_INTEGER;
    for (const [reporter, report] of this.#reports) {
      if (report.at + REPORT_MS < now) this.#reports.delete(reporter);
      else this.#until = Math.min(this.#until, report.at + REPORT_MS);
    }
    this.#views = [...this.#reports.values()];
  }

  #dropOldest(): void {
    let oldest = '';
    let at = Number.MAX_VALUE;
    for (const [reporter, report] of this.#reports) if (report.at < at) [oldest, at] = [reporter, report.at];
    this.#reports.delete(oldest);
  }
}

function whole({ version, got }: Parts, now: number): Report {
  const counts = new Map<string, { total: number; down: number }>();
  const down = new Set<string>();
  for (const part of got.values()) {
    for (const [key, total, dead] of part.tot ?? []) counts.set(key, { total, down: dead });
    for (const name of part.dn ?? []) if (down.size < MAX_DOWN) down.add(name);
  }
  return { version, at: now, counts, down };
}

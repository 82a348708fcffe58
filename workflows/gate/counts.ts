/**
 * Counts behind limits, kept per scope key as leases come and go, so that a decision looks at a few numbers and never scans leases. One
 * `LimitCounts` counts for one group: a workflow's own limits, or a fleet-wide limit over several workflows (docs/protocol.md §3.1).
 */
import type { Scope } from '../contract.ts';
import { CLOCK_SKEW_MS, START_MS, type LimitRef, type ScopeCode, type TargetRef } from './operations.ts';

/** An execution may really begin so much later than it was admitted. */
export const SLACK_MS = START_MS + CLOCK_SKEW_MS;

/** Starts are kept at least this long, so that a limit announced later is filled from what really happened. */
const KEEP_AT_LEAST_MS = 60 * 60_000;

export type Counter = {
  /** Leases held. */
  open: number;
  /** Admission times of all starts that are kept, ascending. */
  readonly starts: number[];
  /** Those of them whose lease has ended, ascending. */
  readonly ended: number[];
  /** When the latest lease ended. */
  lastEnd: number;
};

/** What counts: a lease's target, or a further node that one of its steps took (`node`: for limits per node only). */
export type Counted = { readonly target: TargetRef; readonly at: number; readonly node?: true };
/** A start whose lease has ended. */
export type Start = Counted & { readonly end: number };

export class LimitCounts {
  readonly #scopes: readonly Scope[];
  readonly #keepMs: number;
  readonly #counters = new Map<string, Counter>();

  constructor(limits: readonly LimitRef[]) {
    this.#scopes = scopesOf(limits);
    this.#keepMs = keepOf(limits);
  }

  open(counted: Counted): void {
    for (const key of this.#keys(counted)) {
      const counter = this.#counter(key);
      counter.open += 1;
      insert(counter.starts, counted.at);
    }
  }

  /** A lease ended at `end`; null: nothing of it ever began, and it leaves no trace. */
  close(counted: Counted, end: number | null): void {
    for (const key of this.#keys(counted)) {
      const counter = this.#counter(key);
      counter.open -= 1;
      if (end === null) remove(counter.starts, counted.at);
      else {
        insert(counter.ended, counted.at);
        counter.lastEnd = Math.max(counter.lastEnd, end);
      }
    }
  }

  restore(start: Start): void {
    this.open(start);
    this.close(start, start.end);
  }

  counter(key: string): Counter | undefined {
    return this.#counters.get(key);
  }

  /** Forgets starts that no limit can count any more. */
  trim(now: number): void {
    const oldest = now - this.#keepMs - SLACK_MS - 1;
    for (const [key, counter] of this.#counters) {
      counter.starts.splice(0, firstAfter(counter.starts, oldest));
      counter.ended.splice(0, firstAfter(counter.ended, oldest));
      if (counter.open === 0 && counter.starts.length === 0 && counter.lastEnd < oldest) this.#counters.delete(key);
    }
  }

  #keys({ target, node }: Counted): string[] {
    const scopes = node === true ? this.#scopes.filter((scope) => scope === 'node') : this.#scopes;
    return scopes.map((scope) => scopeKey(scope, target));
  }

  #counter(key: string): Counter {
    const known = this.#counters.get(key);
    if (known !== undefined) return known;
    const made: Counter = { open: 0, starts: [], ended: [], lastEnd: 0 };
    this.#counters.set(key, made);
    return made;
  }
}

const NOTHING: Counter = { open: 0, starts: [], ended: [], lastEnd: 0 };

/** Both together: what stands against a rehearsal, which meets real and virtual leases. */
export function merged(a: Counter | undefined, b: Counter | undefined): Counter {
  if (b === undefined) return a ?? NOTHING;
  if (a === undefined) return b;
  const both = (x: readonly number[], y: readonly number[]): number[] => [...x, ...y].toSorted((m, n) => m - n);
  return {
    open: a.open + b.open,
    starts: both(a.starts, b.starts),
    ended: both(a.ended, b.ended),
    lastEnd: Math.max(a.lastEnd, b.lastEnd),
  };
}

/** The one key that a scope gives a target, e.g. `n:web-1`. A target that lacks the attribute shares the key of all that lack it. */
export function scopeKey(scope: Scope, target: TargetRef): string {
  if (scope === 'global') return 'g';
  if (scope === 'node') return `n:${target.n ?? ''}`;
  if (scope === 'node_type') return `y:${target.y ?? ''}`;
  if (scope === 'datacenter') return `c:${target.c ?? ''}`;
  if (scope === 'target') return `t:${target.k}:${targetKey(target)}`;
  const label = scope.slice('label:'.length);
  return `l:${label}=${target.l?.[label] ?? ''}`;
}

/** The scope alone, for people and for short answers. */
export function scopeCode(scope: Scope): ScopeCode {
  if (scope === 'global') return 'g';
  if (scope === 'node_type') return 'y';
  if (scope === 'node') return 'n';
  if (scope === 'datacenter') return 'c';
  return scope === 'target' ? 't' : `l:${scope.slice('label:'.length)}`;
}

/** All keys that health floors count a node under. */
export function floorKeys(target: TargetRef): string[] {
  const labels = Object.entries(target.l ?? {}).map(([label, value]) => `l:${label}=${value}`);
  return ['g', `y:${target.y ?? ''}`, `c:${target.c ?? ''}`, ...labels];
}

/** A node is itself whatever its type; a node type may be meant in one datacenter or in all. */
const targetKey = ({ k, n, y, c }: TargetRef): string =>
  k === 'n' ? (n ?? '') : k === 'y' ? [y, c].filter((part) => part !== undefined).join('/') : (c ?? '');

export const scopesOf = (limits: readonly LimitRef[]): readonly Scope[] =>
  [...new Set(limits.map((limit) => limit.s))].toSorted();

export const keepOf = (limits: readonly LimitRef[]): number =>
  limits.reduce((longest, limit) => Math.max(longest, limit.p), KEEP_AT_LEAST_MS);

/** Index of the first element greater than `value` in an ascending list. */
export function firstAfter(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? Number.POSITIVE_INFINITY) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

const insert = (ascending: number[], value: number): void => {
  if (value >= (ascending.at(-1) ?? 0)) ascending.push(value);
  else ascending.splice(firstAfter(ascending, value), 0, value);
};

const remove = (ascending: number[], value: number): void => {
  const index = firstAfter(ascending, value) - 1;
  if (ascending[index] === value) ascending.splice(index, 1);
};

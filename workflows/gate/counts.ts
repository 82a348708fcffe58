/**
 * Counts behind limits, kept per workflow and scope key as leases come and go, so that a decision looks at a few numbers and
 * never scans leases. A start is counted from admission until `period` plus `SLACK_MS` after it: its execution may really begin up to
 * that much later, so no window of real starts of length `period` ever holds more than the limit (docs/protocol.md §3.1).
 */
import type { Scope } from '../contract.ts';
import { CLOCK_SKEW_MS, START_MS, type LimitRef, type ReasonRef, type TargetRef } from './operations.ts';

export const SLACK_MS = START_MS + CLOCK_SKEW_MS;

type Counter = {
  open: number;
  /** Admission times of all starts still within some period, ascending. */
  readonly starts: number[];
  /** Those of them whose lease has ended, ascending. */
  readonly ended: number[];
};

/** Starts are kept at least this long, so that a limit announced later is filled from what really happened. */
const KEEP_AT_LEAST_MS = 60 * 60_000;

export class LimitCounts {
  /** Scopes that the workflow's limits count by. */
  #scopes: readonly Scope[];
  #keepMs: number;
  /** Starts of ended leases with their targets, oldest first by end: what counters of a new scope are rebuilt from. */
  #history: { at: number; target: TargetRef }[] = [];
  #counters = new Map<string, Counter>();

  constructor(limits: readonly LimitRef[]) {
    this.#scopes = scopesOf(limits);
    this.#keepMs = keepOf(limits);
  }

  /** Limits changed: counters of all scopes are filled anew from `open` leases and kept starts. */
  rescope(limits: readonly LimitRef[], open: Iterable<{ target: TargetRef; admittedAt: number }>): void {
    this.#keepMs = Math.max(this.#keepMs, keepOf(limits));
    const scopes = scopesOf(limits);
    if (scopes.join() === this.#scopes.join()) return;
    this.#scopes = scopes;
    const history = this.#history;
    this.#history = [];
    this.#counters = new Map();
    for (const lease of open) this.admitted(lease.target, lease.admittedAt);
    for (const start of history) this.restoreEnded(start.target, start.at);
  }

  admitted(target: TargetRef, at: number): void {
    for (const scope of this.#scopes) {
      const counter = this.#counter(scopeKey(scope, target));
      counter.open += 1;
      insert(counter.starts, at);
    }
  }

  /** A lease ended; `counts` false gives its start back, since nothing of it ever began. */
  ended(target: TargetRef, at: number, counts: boolean): void {
    for (const scope of this.#scopes) {
      const counter = this.#counter(scopeKey(scope, target));
      counter.open -= 1;
      if (counts) insert(counter.ended, at);
      else remove(counter.starts, at);
    }
    if (counts) this.#history.push({ at, target });
  }

  /** An ended lease's start, read back from a former run. */
  restoreEnded(target: TargetRef, at: number): void {
    this.admitted(target, at);
    this.ended(target, at, true);
  }

  /** Null when the limit has room for one more; else the reason. */
  check(limit: LimitRef, target: TargetRef, now: number): ReasonRef | null {
    const key = scopeKey(limit.s, target);
    const counter = this.#counters.get(key);
    if (counter === undefined) return limit.v >= 1 ? null : [limit.k, key, limit.v, 0, null];
    const since = now - limit.p - SLACK_MS;
    const past = limit.k === 'm' ? counter.starts : counter.ended;
    const from = limit.p === 0 ? past.length : firstAfter(past, since);
    const held = limit.k === 'm' ? 0 : counter.open;
    const current = held + past.length - from;
    if (current < limit.v) return null;
    // So many of the counted starts must pass out of the period; when open leases alone fill the limit, no time is known.
    const mustPass = current - limit.v;
    const last = past[from + mustPass];
    const free = held >= limit.v || last === undefined ? null : last + limit.p + SLACK_MS + 1;
    return [limit.k, key, limit.v, current, free];
  }

  /** Forgets starts that no limit can count any more. */
  trim(now: number): void {
    const oldest = now - this.#keepMs - SLACK_MS;
    this.#history = this.#history.filter((start) => start.at > oldest);
    for (const [key, counter] of this.#counters) {
      counter.starts.splice(0, firstAfter(counter.starts, oldest));
      counter.ended.splice(0, firstAfter(counter.ended, oldest));
      if (counter.open === 0 && counter.starts.length === 0) this.#counters.delete(key);
    }
  }

  /** Ended starts to carry into the next run. */
  history(): readonly { readonly at: number; readonly target: TargetRef }[] {
    return this.#history;
  }

  #counter(key: string): Counter {
    const known = this.#counters.get(key);
    if (known !== undefined) return known;
    const made: Counter = { open: 0, starts: [], ended: [] };
    this.#counters.set(key, made);
    return made;
  }
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

/** A node is itself whatever its type; a node type may be meant in one datacenter or in all. */
const targetKey = ({ k, n, y, c }: TargetRef): string =>
  k === 'n' ? (n ?? '') : k === 'y' ? [y, c].filter((part) => part !== undefined).join('/') : (c ?? '');

const scopesOf = (limits: readonly LimitRef[]): readonly Scope[] => [...new Set(limits.map((limit) => limit.s))].sort();

const keepOf = (limits: readonly LimitRef[]): number =>
  limits.reduce((longest, limit) => Math.max(longest, limit.p), KEEP_AT_LEAST_MS);

/** Index of the first element greater than `value` in an ascending list. */
function firstAfter(ascending: readonly number[], value: number): number {
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
  ascending.splice(firstAfter(ascending, value), 0, value);
};

const remove = (ascending: number[], value: number): void => {
  const index = firstAfter(ascending, value) - 1;
  if (ascending[index] === value) ascending.splice(index, 1);
};

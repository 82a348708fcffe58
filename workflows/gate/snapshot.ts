/**
 * The gate's state as it is carried into its next run: compact tuples, repeated words once in a table, so that ten thousand leases stay
 * under 1 MiB. Counters are not carried: they are counted anew from leases and kept starts.
 */
import { countsOf } from './definitions.ts';
import { START_MS, type Answer, type LeaseRef, type LimitRef, type PauseScope, type TargetRef } from './operations.ts';
import { emptyState, leaseKey, type GateState, type Lease } from './state.ts';

type TargetTuple = readonly [k: TargetRef['k'], n: string | 0, y: number, c: number, l: TargetRef['l'] | 0];
type PermitTuple = readonly [
  step: string,
  attempt: number,
  node: string,
  beginBy: number,
  busyUntil: number,
  nonce: string,
  givenAt: number,
];
type LeaseTuple = readonly [
  epoch: number,
  n: number,
  workflow: number,
  target: TargetTuple,
  plan: string,
  episode: string | 0,
  /** Milliseconds before the snapshot, and evidence's end after admission: shorter than times. */
  age: number,
  evidence: number,
  flags: number,
  stepNodes: readonly (readonly [string, string])[] | 0,
  unsettled: readonly PermitTuple[] | 0,
  /** 1: exactly its own target. */
  nodes: readonly string[] | 0 | 1,
  /** Only while its execution is not known to have started: then nothing can forget it any more. */
  ask: string | 0,
];
type EpisodeTuple = readonly [
  id: string,
  began: number,
  lastSeen: number,
  gap: number,
  again: number | null,
  evidenceUntil: number,
  observers: readonly (readonly [string, number])[],
  lease: LeaseRef | null,
  admittedAt: number,
];

export type Snapshot = {
  readonly version: 1;
  readonly domain: string;
  readonly epoch: number;
  readonly next: number;
  readonly now: number;
  readonly floor: number;
  readonly quarantine: string | null;
  readonly words: readonly string[];
  readonly leases: readonly LeaseTuple[];
  readonly starts: readonly (readonly [workflow: number, at: number, target: TargetTuple])[];
  readonly episodes: readonly EpisodeTuple[];
  readonly definitions: readonly (readonly [string, string, readonly LimitRef[], boolean, number])[];
  readonly pauses: readonly (readonly [string, PauseScope, string, string, number, number | null])[];
  readonly remembered: readonly (readonly [string, number, string | null, Answer])[];
};

const FLAGS = ['dry', 'started', 'permitted', 'changed', 'orphaned'] as const;

const nodesOf = (lease: Lease): readonly string[] | 0 | 1 => {
  if (lease.nodes.size === 0) return 0;
  return lease.nodes.size === 1 && lease.target.n !== undefined && lease.nodes.has(lease.target.n)
    ? 1
    : [...lease.nodes];
};

class Words {
  readonly list: string[] = [];
  readonly #index = new Map<string, number>();
  of(word: string | undefined): number {
    if (word === undefined) return -1;
    const known = this.#index.get(word);
    if (known !== undefined) return known;
    this.#index.set(word, this.list.length);
    return this.list.push(word) - 1;
  }
}

/** So many answers are carried over, the latest; operations as old as those left behind are refused from then on. */
const MAX_CARRIED = 4_000;

export function toSnapshot(state: GateState): Snapshot {
  const remembered = [...state.remembered];
  const kept = remembered.slice(-MAX_CARRIED);
  const dropped = remembered.at(-MAX_CARRIED - 1);
  const words = new Words();
  const target = (ref: TargetRef): TargetTuple => [ref.k, ref.n ?? 0, words.of(ref.y), words.of(ref.c), ref.l ?? 0];
  const leases = [...state.leases.values()].map((lease): LeaseTuple => {
    let flags = 0;
    FLAGS.forEach((flag, bit) => {
      if (lease[flag]) flags |= 1 << bit;
    });
    return [
      ...lease.ref,
      words.of(lease.workflow),
      target(lease.target),
      lease.plan,
      lease.episode ?? 0,
      state.now - lease.admittedAt,
      lease.evidenceUntil - lease.admittedAt,
      flags,
      lease.stepNodes.size === 0 ? 0 : [...lease.stepNodes],
      lease.unsettled.size === 0
        ? 0
        : [...lease.unsettled.values()].map(
            (p) => [p.step, p.attempt, p.node, p.beginBy, p.busyUntil, p.nonce, p.givenAt] as const,
          ),
      nodesOf(lease),
      lease.started || lease.permitted ? 0 : lease.ask,
    ];
  });
  const starts = [...state.counts].flatMap(([workflow, counts]) =>
    counts.history().map((start) => [words.of(workflow), start.at, target(start.target)] as const),
  );
  return {
    version: 1,
    domain: state.domain,
    epoch: state.epoch,
    next: state.next,
    now: state.now,
    floor: Math.max(state.floor, dropped?.[1].at ?? 0),
    quarantine: state.quarantine,
    leases,
    starts,
    words: words.list,
    episodes: [...state.episodes.values()].map((e) => [
      e.id,
      e.began,
      e.lastSeen,
      e.gap,
      e.again,
      e.evidenceUntil,
      [...e.observers],
      e.lease,
      e.admittedAt,
    ]),
    definitions: [...state.definitions].flatMap(([workflow, byDigest]) =>
      [...byDigest].map(([digest, d]) => [workflow, digest, d.limits, d.changing, d.announcedAt] as const),
    ),
    pauses: [...state.pauses.values()].map((p) => [p.id, p.scope, p.by, p.why, p.since, p.until]),
    remembered: kept.map(([id, entry]) => [id, entry.at, entry.plan, entry.answer]),
  };
}

export function fromSnapshot(snapshot: Snapshot): GateState {
  const state = emptyState(snapshot.domain);
  const word = (index: number): string => snapshot.words[index] ?? '';
  const target = ([k, n, y, c, l]: TargetTuple): TargetRef => ({
    k,
    ...(n === 0 ? {} : { n }),
    ...(y === -1 ? {} : { y: word(y) }),
    ...(c === -1 ? {} : { c: word(c) }),
    ...(l === 0 || l === undefined ? {} : { l }),
  });
  state.epoch = snapshot.epoch;
  state.next = snapshot.next;
  state.now = snapshot.now;
  state.floor = snapshot.floor;
  state.quarantine = snapshot.quarantine;
  for (const [workflow, digest, limits, changing, announcedAt] of snapshot.definitions) {
    const byDigest = state.definitions.get(workflow) ?? new Map();
    byDigest.set(digest, { limits, changing, announcedAt });
    state.definitions.set(workflow, byDigest);
  }
  for (const [workflow, at, ref] of snapshot.starts) countsOf(state, word(workflow)).restoreEnded(target(ref), at);
  for (const tuple of snapshot.leases) restoreLease(state, tuple, word(tuple[2]), target(tuple[3]));
  for (const [id, began, lastSeen, gap, again, evidenceUntil, observers, lease, admittedAt] of snapshot.episodes) {
    state.episodes.set(id, {
      id,
      began,
      lastSeen,
      gap,
      again,
      evidenceUntil,
      observers: new Map(observers),
      lease,
      admittedAt,
    });
  }
  for (const [id, scope, by, why, since, until] of snapshot.pauses)
    state.pauses.set(id, { id, scope, by, why, since, until });
  for (const [id, at, plan, answer] of snapshot.remembered) state.remembered.set(id, { at, plan, answer });
  return state;
}

function restoreLease(state: GateState, tuple: LeaseTuple, workflow: string, target: TargetRef): void {
  const [epoch, n, , , plan, episode, age, evidence, flags, stepNodes, unsettled, nodes, ask] = tuple;
  const admittedAt = state.now - age;
  const own = target.n === undefined ? [] : [target.n];
  const has = (flag: (typeof FLAGS)[number]): boolean => (flags & (1 << FLAGS.indexOf(flag))) !== 0;
  const lease: Lease = {
    ref: [epoch, n],
    ask: ask === 0 ? '' : ask,
    workflow,
    target,
    plan,
    episode: episode === 0 ? null : episode,
    admittedAt,
    startBy: admittedAt + START_MS,
    evidenceUntil: admittedAt + evidence,
    dry: has('dry'),
    started: has('started'),
    permitted: has('permitted'),
    changed: has('changed'),
    orphaned: has('orphaned'),
    stepNodes: new Map(stepNodes === 0 ? [] : stepNodes),
    unsettled: new Map(
      (unsettled === 0 ? [] : unsettled).map(([step, attempt, node, beginBy, busyUntil, nonce, givenAt]) => [
        `${step}/${attempt}`,
        { step, attempt, node, beginBy, busyUntil, nonce, givenAt },
      ]),
    ),
    nodes: new Set(nodes === 0 ? [] : nodes === 1 ? own : nodes),
    looked: state.now,
  };
  state.leases.set(leaseKey(lease.ref), lease);
  for (const node of lease.nodes) state.nodes.set(node, leaseKey(lease.ref));
  if (!lease.dry) countsOf(state, workflow).admitted(target, admittedAt);
}

/**
 * The gate's state as it is carried into its next run: compact tuples, repeated words once in a table, so that ten thousand leases stay
 * under 1 MiB. Counters are not carried: they are counted anew from leases and kept starts.
 */
import type { Mode } from '../contract.ts';
import type { Start } from './counts.ts';
import { countedOf, rule } from './definitions.ts';
import type { CarriedFleet } from './fleet.ts';
import {
  START_MS,
  type Answer,
  type LeaseRef,
  type LimitRef,
  type ModeRef,
  type PauseScope,
  type TargetRef,
} from './operations.ts';
import { openRehearsal } from './rehearsal.ts';
import {
  emptyState,
  leaseKey,
  type Breaker,
  type GateState,
  type Lease,
  type NodeHeld,
  type VirtualLease,
  type Waiting,
  type WindowHeld,
} from './state.ts';
import { restoreWaiting } from './waiting.ts';
import { restoreWindow } from './windows.ts';

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
  /** Its place in the list of episodes; -1: none; a name: one that is no longer there. */
  episode: number | string,
  /** Milliseconds before the snapshot, and evidence's end after admission: shorter than times. */
  age: number,
  evidence: number,
  flags: number,
  stepNodes: readonly (readonly [string, string])[] | 0,
  unsettled: readonly PermitTuple[] | 0,
  /** 1: exactly its own target, from its admission. */
  nodes: readonly (readonly [node: string, at: number, target: TargetTuple])[] | 0 | 1,
  /** Only while nothing of it was permitted: then nothing can forget it any more. */
  ask: string | 0,
];
/** Times are milliseconds before the snapshot: shorter than times. */
type EpisodeTuple = readonly [
  id: string,
  began: number,
  lastSeen: number,
  gap: number,
  again: number | null,
  /** After the snapshot. */
  evidence: number,
  /** Observer by its word, and when it saw the fault; said resolved then: the word's complement, -1 - word. */
  observers: readonly (readonly [word: number, age: number])[],
  lease: LeaseRef | 0,
  admitted: number,
  waiting: string | 0,
  rehearsed: 0 | 1,
];
type DefinitionTuple = readonly [
  workflow: string,
  digest: string,
  limits: readonly LimitRef[],
  changing: boolean,
  announcedAt: number,
  mode: Mode,
  overrides: readonly ModeRef[],
  maxPending: number,
  approvalMs: number,
  durationMs: number,
  by: readonly (readonly [string, number])[],
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
  /** `end` is milliseconds after `at`; 1 at the end: counted for limits per node alone. */
  readonly starts: readonly (readonly [workflow: number, at: number, target: TargetTuple, end: number, node: 0 | 1])[];
  readonly episodes: readonly EpisodeTuple[];
  readonly definitions: readonly DefinitionTuple[];
  /** The limits that hold and their version: what a reader of the journal needs to understand the counts in answers. */
  readonly rulings: readonly (readonly [workflow: string, version: number, limits: readonly LimitRef[]])[];
  readonly pauses: readonly (readonly [string, PauseScope, string, string, number, number | null])[];
  readonly remembered: readonly (readonly [string, number, string | null, Answer])[];
  readonly windows: readonly WindowHeld[];
  readonly breakers: readonly Breaker[];
  readonly waiting: readonly Waiting[];
  readonly rehearsals: readonly VirtualLease[];
  readonly serial: number;
  readonly fleet: CarriedFleet;
  readonly folds: number;
};

const FLAGS = ['dry', 'started', 'permitted', 'changed', 'orphaned', 'glass'] as const;

const nodesOf = (lease: Lease, target: (ref: TargetRef) => TargetTuple): LeaseTuple[11] => {
  if (lease.nodes.size === 0) return 0;
  const own = lease.target.n === undefined ? undefined : lease.nodes.get(lease.target.n);
  if (lease.nodes.size === 1 && own?.at === lease.admittedAt) return 1;
  return [...lease.nodes].map(([node, held]) => [node, held.at, target(held.target)] as const);
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
const MAX_CARRIED = 8_000;
/** A run's input may be 2 MiB by the server's limit, compressed to a third or less: answers fill what the rest leaves of this. */
const MAX_CHARACTERS = 3_000_000;
const CHARACTERS_PER_ANSWER = 150;

export function toSnapshot(state: GateState): Snapshot {
  const rest = withoutAnswers(state);
  const left = Math.floor((MAX_CHARACTERS - JSON.stringify(rest).length) / CHARACTERS_PER_ANSWER);
  const remembered = [...state.remembered];
  const leave = Math.max(0, remembered.length - Math.max(0, Math.min(MAX_CARRIED, left)));
  return {
    ...rest,
    floor: Math.max(state.floor, remembered[leave - 1]?.[1].at ?? 0),
    remembered: remembered.slice(leave).map(([id, entry]) => [id, entry.at, entry.plan, entry.answer]),
  };
}

function withoutAnswers(state: GateState): Omit<Snapshot, 'remembered' | 'floor'> {
  const words = new Words();
  const target = (ref: TargetRef): TargetTuple => [ref.k, ref.n ?? 0, words.of(ref.y), words.of(ref.c), ref.l ?? 0];
  const places = new Map([...state.episodes.keys()].map((id, place) => [id, place]));
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
      lease.episode === null ? -1 : (places.get(lease.episode) ?? lease.episode),
      state.now - lease.admittedAt,
      lease.evidenceUntil - lease.admittedAt,
      flags,
      lease.stepNodes.size === 0 ? 0 : [...lease.stepNodes],
      lease.unsettled.size === 0
        ? 0
        : [...lease.unsettled.values()].map(
            (p) => [p.step, p.attempt, p.node, p.beginBy, p.busyUntil, p.nonce, p.givenAt] as const,
          ),
      nodesOf(lease, target),
      lease.permitted ? 0 : lease.ask,
    ];
  });
  const starts = [...state.starts].flatMap(([workflow, list]) =>
    list.map(
      (start) =>
        [
          words.of(workflow),
          start.at,
          target(start.target),
          start.end - start.at,
          start.node === true ? 1 : 0,
        ] as const,
    ),
  );
  const { now } = state;
  const episodes = [...state.episodes.values()].map((e): EpisodeTuple => [
    e.id,
    now - e.began,
    now - e.lastSeen,
    e.gap,
    e.again,
    e.evidenceUntil - now,
    [...e.observers].map(([name, at]) => {
      const word = words.of(name);
      return at < 0 ? ([-1 - word, now + at] as const) : ([word, now - at] as const);
    }),
    e.lease ?? 0,
    e.lease === null ? 0 : now - e.admittedAt,
    e.waiting ?? 0,
    e.rehearsed ? 1 : 0,
  ]);
  return {
    version: 1,
    domain: state.domain,
    epoch: state.epoch,
    next: state.next,
    now: state.now,
    quarantine: state.quarantine,
    leases,
    starts,
    words: words.list,
    episodes,
    definitions: [...state.definitions].flatMap(([workflow, byDigest]) =>
      [...byDigest].map(([digest, d]): DefinitionTuple => [
        workflow,
        digest,
        d.limits,
        d.changing,
        d.announcedAt,
        d.mode,
        d.overrides,
        d.maxPending,
        d.approvalMs,
        d.durationMs,
        [...d.by],
      ]),
    ),
    rulings: [...state.rulings].map(([workflow, { version, limits }]) => [workflow, version, limits]),
    pauses: [...state.pauses.values()].map((p) => [p.id, p.scope, p.by, p.why, p.since, p.until]),
    windows: [...state.windows.values()],
    breakers: [...state.breakers.values()],
    waiting: [...state.waiting.values()],
    rehearsals: [...state.rehearsals.values()],
    serial: state.serial,
    fleet: state.fleet.carry(state.now),
    folds: state.folds,
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
  state.serial = snapshot.serial;
  state.folds = snapshot.folds;
  state.fleet.restore(snapshot.fleet);
  for (const tuple of snapshot.definitions) restoreDefinition(state, tuple);
  for (const [workflow, version] of snapshot.rulings)
    if (state.definitions.has(workflow)) rule(state, workflow, version);
  for (const [workflow, at, ref, length, node] of snapshot.starts) {
    const start: Start = { at, end: at + length, target: target(ref), ...(node === 1 ? { node: true as const } : {}) };
    const name = word(workflow);
    state.starts.set(name, [...(state.starts.get(name) ?? []), start]);
    state.real.restore(name, state.rulings.get(name)?.groups ?? [], start);
  }
  for (const tuple of snapshot.leases) restoreLease(state, tuple, snapshot, target);
  for (const lease of snapshot.rehearsals) openRehearsal(state, { ...lease });
  for (const tuple of snapshot.episodes) restoreEpisode(state, tuple, word);
  for (const [id, scope, by, why, since, until] of snapshot.pauses)
    state.pauses.set(id, { id, scope, by, why, since, until });
  for (const [id, at, plan, answer] of snapshot.remembered) state.remembered.set(id, { at, plan, answer });
  for (const held of snapshot.windows) restoreWindow(state, held);
  for (const breaker of snapshot.breakers) state.breakers.set(breaker.id, { ...breaker });
  for (const waiting of snapshot.waiting) restoreWaiting(state, { ...waiting, queues: [] }, waiting.queues);
  return state;
}

function restoreEpisode(state: GateState, tuple: EpisodeTuple, word: (index: number) => string): void {
  const [id, began, lastSeen, gap, again, evidence, observers, lease, admitted, waiting, rehearsed] = tuple;
  const { now } = state;
  state.episodes.set(id, {
    id,
    began: now - began,
    lastSeen: now - lastSeen,
    gap,
    again,
    evidenceUntil: now + evidence,
    observers: new Map(
      observers.map(([index, age]) => (index < 0 ? [word(-1 - index), age - now] : [word(index), now - age])),
    ),
    lease: lease === 0 ? null : lease,
    admittedAt: lease === 0 ? 0 : now - admitted,
    waiting: waiting === 0 ? null : waiting,
    rehearsed: rehearsed === 1,
  });
}

function restoreDefinition(state: GateState, tuple: DefinitionTuple): void {
  const [workflow, digest, limits, changing, announcedAt, mode, overrides, maxPending, approvalMs, durationMs, by] =
    tuple;
  const byDigest = state.definitions.get(workflow) ?? new Map();
  const rest = { mode, overrides, maxPending, approvalMs, durationMs, by: new Map(by) };
  byDigest.set(digest, { limits, changing, announcedAt, ...rest });
  state.definitions.set(workflow, byDigest);
}

function restoreLease(
  state: GateState,
  tuple: LeaseTuple,
  { words, episodes }: Snapshot,
  targetOf: (tuple: TargetTuple) => TargetRef,
): void {
  const [epoch, n, word, targetTuple, plan, episode, age, evidence, flags, stepNodes, unsettled, nodes, ask] = tuple;
  const target = targetOf(targetTuple);
  const workflow = words[word] ?? '';
  const admittedAt = state.now - age;
  const has = (flag: (typeof FLAGS)[number]): boolean => (flags & (1 << FLAGS.indexOf(flag))) !== 0;
  const own: [string, NodeHeld][] = target.n === undefined ? [] : [[target.n, { at: admittedAt, target }]];
  const held = nodes === 0 || nodes === 1 ? null : nodes;
  const lease: Lease = {
    ref: [epoch, n],
    ask: ask === 0 ? '' : ask,
    workflow,
    target,
    plan,
    episode: typeof episode === 'string' ? episode : (episodes[episode]?.[0] ?? null),
    admittedAt,
    startBy: admittedAt + START_MS,
    evidenceUntil: admittedAt + evidence,
    dry: has('dry'),
    glass: has('glass'),
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
    nodes: new Map(held?.map(([node, at, ref]) => [node, { at, target: targetOf(ref) }]) ?? (nodes === 1 ? own : [])),
    looked: state.now,
  };
  state.leases.set(leaseKey(lease.ref), lease);
  for (const [node, { target: place }] of lease.nodes) state.real.hold(node, leaseKey(lease.ref), place, state.fleet);
  if (lease.dry) return;
  const groups = state.rulings.get(workflow)?.groups ?? [];
  for (const counted of countedOf(lease)) state.real.open(workflow, groups, counted);
}

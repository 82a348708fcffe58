/** What the gate remembers. Plain data; changed only by apply.ts and its parts, always the same way for the same operations. */
import { formatLease } from '../contract.ts';
import type { Mode } from '../contract.ts';
import type { Start } from './counts.ts';
import { Fleet } from './fleet.ts';
import type {
  Answer,
  LeaseRef,
  LimitRef,
  ModeRef,
  PauseScope,
  ReasonRef,
  TargetRef,
  WindowScope,
} from './operations.ts';
import { World } from './world.ts';

export type PermitHeld = {
  readonly step: string;
  readonly attempt: number;
  readonly node: string;
  readonly beginBy: number;
  readonly busyUntil: number;
  readonly nonce: string;
  readonly givenAt: number;
};

/** A node whose implicit limit a lease holds, and since when. */
export type NodeHeld = { readonly at: number; readonly target: TargetRef };

export type Lease = {
  readonly ref: LeaseRef;
  /** Id of the operation that was admitted: forgotten with the lease when its execution never came to be. */
  readonly ask: string;
  readonly workflow: string;
  readonly target: TargetRef;
  readonly plan: string;
  readonly episode: string | null;
  readonly admittedAt: number;
  readonly startBy: number;
  evidenceUntil: number;
  /** Holds nothing and changes nothing. */
  readonly dry: boolean;
  /** A person broke the glass for it: windows do not stop it. */
  readonly glass: boolean;
  started: boolean;
  /** A permit was given, so its start counts for good. */
  permitted: boolean;
  /** A changing step was permitted: fresh evidence is needed no more. */
  changed: boolean;
  /** Released by its execution, but something of it is not settled. */
  orphaned: boolean;
  /** First permit of a step fixes its node. */
  readonly stepNodes: Map<string, string>;
  readonly unsettled: Map<string, PermitHeld>;
  readonly nodes: Map<string, NodeHeld>;
  /** When the sweep last looked. */
  looked: number;
};

export type Episode = {
  readonly id: string;
  began: number;
  lastSeen: number;
  gap: number;
  again: number | null;
  evidenceUntil: number;
  /** Observer → last seen, negative when it said resolved (minus that time). */
  readonly observers: Map<string, number>;
  lease: LeaseRef | null;
  admittedAt: number;
  /** The request that waits for it. */
  waiting: string | null;
  /** A rehearsal was decided for it. */
  rehearsed: boolean;
};

export type KnownDefinition = {
  readonly limits: readonly LimitRef[];
  readonly changing: boolean;
  readonly mode: Mode;
  readonly overrides: readonly ModeRef[];
  readonly maxPending: number;
  readonly approvalMs: number;
  readonly durationMs: number;
  announcedAt: number;
  readonly by: Map<string, number>;
};

/** What holds for a workflow now: all its announced definitions taken together, the strictest of each. */
export type Ruling = {
  /** Rises with every change of `limits`. */
  readonly version: number;
  readonly limits: readonly LimitRef[];
  /** Names of the fleet-wide limits among them. */
  readonly groups: readonly string[];
  readonly maxPending: number;
  readonly approvalMs: number;
  readonly durationMs: number;
};

export type PauseHeld = {
  readonly id: string;
  readonly scope: PauseScope;
  readonly by: string;
  readonly why: string;
  readonly since: number;
  readonly until: number | null;
};

export type WindowHeld = {
  readonly name: string;
  readonly scope: WindowScope;
  readonly from: number;
  readonly until: number;
  readonly byPerson: boolean;
  readonly by: string;
  readonly why: string;
};

/** A request that waits. It holds nothing but its place. */
export type Waiting = {
  readonly rq: string;
  readonly request: string;
  readonly workflow: string;
  readonly target: TargetRef;
  readonly plan: string;
  readonly by: string;
  readonly episode: string | null;
  readonly since: number;
  /** Breaks ties of `since`. */
  readonly order: number;
  until: number;
  askAgain: number;
  place: number;
  /** Waits for a person's yes. */
  approval: boolean;
  approvedBy: string | null;
  deniedBy: string | null;
  glass: boolean;
  reasons: readonly ReasonRef[];
  /** Limits that it waits for, by key. */
  queues: readonly string[];
};

/** Outcomes in a row that did not help. */
export type Breaker = {
  readonly id: string;
  readonly workflow: string;
  readonly limit: LimitRef;
  readonly key: string;
  streak: number;
  /** It filled its limit: only a person closes it. */
  open: boolean;
  since: number;
  last: string;
};

export type VirtualLease = {
  readonly n: number;
  readonly workflow: string;
  readonly target: TargetRef;
  readonly at: number;
  readonly until: number;
  readonly changing: boolean;
  /** Its time is over; its start still counts. */
  ended: boolean;
};

export type Remembered = { readonly at: number; readonly plan: string | null; readonly answer: Answer };

export type GateState = {
  readonly domain: string;
  epoch: number;
  next: number;
  now: number;
  /** Why the gate decides nothing until adopted; null = it decides. */
  quarantine: string | null;
  /** How often it took over from a lost run. */
  folds: number;
  /** Leases still to be looked at before it opens; null = open. */
  opening: Set<string> | null;
  readonly pauses: Map<string, PauseHeld>;
  readonly windows: Map<string, WindowHeld>;
  readonly definitions: Map<string, Map<string, KnownDefinition>>;
  readonly rulings: Map<string, Ruling>;
  readonly leases: Map<string, Lease>;
  readonly episodes: Map<string, Episode>;
  /** By workflow: starts of ended leases, that counters are filled from when limits change. */
  readonly starts: Map<string, Start[]>;
  readonly real: World;
  readonly virtual: World;
  readonly rehearsals: Map<number, VirtualLease>;
  /** When the next of them ends. */
  rehearsalEnds: number;
  readonly fleet: Fleet;
  readonly breakers: Map<string, Breaker>;
  readonly waiting: Map<string, Waiting>;
  /** By workflow: how many wait. */
  readonly waitingOf: Map<string, number>;
  /** Limit key → who waits for its room, longest first. */
  readonly queues: Map<string, Waiting[]>;
  /** Counts what began to wait or was rehearsed. */
  serial: number;
  readonly remembered: Map<string, Remembered>;
  /** Operations made at or before this are refused: their answers may have been forgotten. */
  floor: number;
};

export const leaseKey = (ref: LeaseRef): string => formatLease({ epoch: ref[0], n: ref[1] });

export const emptyState = (domain: string): GateState => ({
  domain,
  epoch: 1,
  next: 1,
  now: 0,
  quarantine: null,
  folds: 0,
  opening: null,
  pauses: new Map(),
  windows: new Map(),
  definitions: new Map(),
  rulings: new Map(),
  leases: new Map(),
  episodes: new Map(),
  starts: new Map(),
  real: new World(),
  virtual: new World(),
  rehearsals: new Map(),
  rehearsalEnds: Number.MAX_SAFE_INTEGER,
  fleet: new Fleet(),
  breakers: new Map(),
  waiting: new Map(),
  waitingOf: new Map(),
  queues: new Map(),
  serial: 0,
  remembered: new Map(),
  floor: 0,
});

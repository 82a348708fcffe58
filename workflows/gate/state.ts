/** What the gate remembers. Plain data; changed only by apply.ts and its parts, always the same way for the same operations. */
import { formatLease } from '../contract.ts';
import type { LimitCounts } from './counts.ts';
import type { Answer, LeaseRef, LimitRef, PauseScope, TargetRef } from './operations.ts';

export type PermitHeld = {
  readonly step: string;
  readonly attempt: number;
  readonly node: string;
  readonly beginBy: number;
  readonly busyUntil: number;
  readonly nonce: string;
  readonly givenAt: number;
};

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
  /** Nodes whose implicit limit it holds. */
  readonly nodes: Set<string>;
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
};

export type KnownDefinition = { readonly limits: readonly LimitRef[]; readonly changing: boolean; announcedAt: number };

export type PauseHeld = {
  readonly id: string;
  readonly scope: PauseScope;
  readonly by: string;
  readonly why: string;
  readonly since: number;
  readonly until: number | null;
};

export type Remembered = { readonly at: number; readonly plan: string | null; readonly answer: Answer };

export type GateState = {
  readonly domain: string;
  epoch: number;
  next: number;
  now: number;
  /** Why the gate decides nothing until adopted; null = it decides. */
  quarantine: string | null;
  readonly pauses: Map<string, PauseHeld>;
  readonly definitions: Map<string, Map<string, KnownDefinition>>;
  readonly leases: Map<string, Lease>;
  readonly episodes: Map<string, Episode>;
  readonly counts: Map<string, LimitCounts>;
  /** Node → lease that holds it for changing. */
  readonly nodes: Map<string, string>;
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
  pauses: new Map(),
  definitions: new Map(),
  leases: new Map(),
  episodes: new Map(),
  counts: new Map(),
  nodes: new Map(),
  remembered: new Map(),
  floor: 0,
});

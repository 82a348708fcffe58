/**
 * What coordinators say to the gate and what it answers (docs/protocol.md §1). Keys are short because thousands of operations
 * share one Update: an operation stays within 400 bytes of JSON, an answer within 200. All times are milliseconds since the epoch.
 */
import type { Outcome, PermitRefusal, Scope } from '../contract.ts';

export const MAX_OPERATION_BYTES = 400;
export const MAX_ANSWER_BYTES = 200;
export const MAX_BATCH = 500;

/** How far a coordinator's clock may be from the gate's before its operations are refused unread. */
export const CLOCK_SKEW_MS = 5_000;
/** How the reason of a quarantine begins when the gate's own history was reset: adopting it would not last. */
export const RESET = 'this gate was reset';

/** Operations are remembered, and may be repeated, for this long. */
export const REMEMBER_MS = 10 * 60_000;
/** From admission until the execution must have started. */
export const START_MS = 15_000;
/** From permit until the action must have begun. */
export const BEGIN_MS = 15_000;
/** Definitions announced within this time count; the strictest of them holds. */
export const DEFINITION_MS = 5 * 60_000;

type Common = {
  /** Made by who sends it; the same for every retry. */
  readonly id: string;
  /** When it was made. */
  readonly at: number;
};

/** A lease number on the wire: [epoch, n]. */
export type LeaseRef = readonly [number, number];

/** Target on the wire: kind, node, node type, datacenter, labels that limits may count by. */
export type TargetRef = {
  readonly k: 'n' | 'y' | 'c';
  readonly n?: string;
  readonly y?: string;
  readonly c?: string;
  readonly l?: Readonly<Record<string, string>>;
};

export type EpisodeRef = {
  /** Digest of source and labels. */
  readonly id: string;
  /** Who observed it (digest of caller and observer name). */
  readonly ob: string;
  /** When the fault began, as the source says. */
  readonly b: number;
  /** Unseen for this long, it is over. */
  readonly gap: number;
  /** May be tried again after; absent = not within the episode. */
  readonly again?: number;
};

export type Ask = Common & {
  readonly op: 'ask';
  readonly w: string;
  /** Digest of the definition whose limits were announced. */
  readonly d: string;
  readonly t: TargetRef;
  readonly p: string;
  readonly e?: EpisodeRef;
  /** Evidence may be acted on until then. */
  readonly eu: number;
  readonly dry?: true;
};
export type Seen = Common & { readonly op: 'seen'; readonly e: EpisodeRef; readonly eu: number };
export type Resolved = Common & { readonly op: 'resolved'; readonly e: EpisodeRef };
export type Started = Common & { readonly op: 'started'; readonly l: LeaseRef };
export type Permit = Common & {
  readonly op: 'permit';
  readonly l: LeaseRef;
  readonly p: string;
  readonly s: string;
  readonly a: number;
  /** The node that is to act. */
  readonly n: string;
  /** Timeout and kill grace: how long after begin-by the host may still be busy with it. */
  readonly busy: number;
  readonly ch?: true;
  readonly undo?: true;
  /** Only while the fault is still seen. */
  readonly sf?: true;
  /** An earlier attempt, not settled, that the agent will end first. */
  readonly sup?: number;
};
/** Proof that attempt `a` of step `s` can act no more. */
export type Result = Common & {
  readonly op: 'result';
  readonly l: LeaseRef;
  readonly s: string;
  readonly a: number;
  readonly r: 'done' | 'failed' | 'refused' | 'unknown' | 'never_begun';
};
export type Release = Common & { readonly op: 'release'; readonly l: LeaseRef; readonly o: Outcome };
export type Free = Common & { readonly op: 'free'; readonly l: LeaseRef; readonly by: string; readonly why: string };
export type PauseScope = { readonly k: 'all' | 'w' | 'n' | 'y' | 'c'; readonly v?: string };
export type Pause = Common & {
  readonly op: 'pause';
  readonly sc: PauseScope;
  readonly by: string;
  readonly why: string;
  readonly until?: number;
};
export type Resume = Common & {
  readonly op: 'resume';
  readonly pause: string;
  readonly by: string;
  readonly why: string;
};
export type LimitRef = { readonly k: 'c' | 'm'; readonly v: number; readonly p: number; readonly s: Scope };
export type Definitions = Common & {
  readonly op: 'definitions';
  readonly w: string;
  readonly d: string;
  readonly lim: readonly LimitRef[];
  /** Some step changes a host. */
  readonly ch: boolean;
  readonly by: string;
};
export type Adopt = Common & {
  readonly op: 'adopt';
  readonly by: string;
  readonly why: string;
  /** Highest epoch that a coordinator has seen: the new one lies above it, so that no lease number comes twice. */
  readonly e?: number;
};

export type Operation =
  | Ask
  | Seen
  | Resolved
  | Started
  | Permit
  | Result
  | Release
  | Free
  | Pause
  | Resume
  | Definitions
  | Adopt;

/** [kind, scope key, limit, current, earliest time it can be free or null]. Kind `node` is the implicit limit. */
export type ReasonRef = readonly [
  kind: 'c' | 'm' | 'node',
  scope: string,
  limit: number,
  current: number,
  free: number | null,
];

export type Answer =
  | { readonly a: 'admitted'; readonly l: LeaseRef; readonly sb: number; readonly known?: true }
  /** `st`: its execution is known to have started; `same`: the plan is the asker's own, so the asker may start it. */
  | { readonly a: 'duplicate'; readonly l: LeaseRef; readonly sb: number; readonly st: boolean; readonly same: boolean }
  | { readonly a: 'refused'; readonly r: readonly ReasonRef[]; readonly more?: number; readonly known?: true }
  | { readonly a: 'paused'; readonly pause: string; readonly why: string }
  | { readonly a: 'stale_evidence' }
  | { readonly a: 'reused' }
  /** Announce the definition, then ask again with the same id: nothing was decided. */
  | { readonly a: 'unknown_definition' }
  /** The gate itself decides nothing until a person adopts it. */
  | { readonly a: 'quarantined'; readonly why: string }
  | { readonly a: 'too_old' }
  | { readonly a: 'malformed'; readonly why: string }
  | { readonly a: 'permit'; readonly bb: number; readonly bu: number; readonly no: string; readonly at: number }
  | { readonly a: 'no_permit'; readonly c: PermitRefusal; readonly why?: string }
  | { readonly a: 'episode'; readonly open: boolean }
  /** `held`: the lease is still held, orphaned, because something of it was not settled. */
  | { readonly a: 'ok'; readonly held?: true; readonly perms?: readonly (readonly [LeaseRef, number])[] };

/** One Update. */
export type Batch = {
  readonly protocol: number;
  /** Name of the coordinator. */
  readonly from: string;
  /** Its clock when it sent this. */
  readonly clock: number;
  /** Highest lease it has ever seen, so a gate that lost memory notices. */
  readonly knows: LeaseRef;
  readonly ops: readonly Operation[];
};

export type BatchAnswer =
  | { readonly status: 'ok'; readonly now: number; readonly answers: readonly Answer[] }
  /** Nothing was read; `now` is the gate's clock. */
  | { readonly status: 'clock_skew'; readonly now: number };

/** What `fettle status` and doctor see; from a query, so it costs no history. */
export type GateSummary = {
  readonly now: number;
  readonly epoch: number;
  readonly next: number;
  readonly leases: number;
  readonly orphaned: number;
  readonly episodes: number;
  readonly remembered: number;
  readonly quarantine: string | null;
  readonly pauses: readonly {
    readonly id: string;
    readonly scope: PauseScope;
    readonly why: string;
    readonly by: string;
  }[];
  readonly definitions: readonly { readonly workflow: string; readonly digests: readonly string[] }[];
  readonly historyLength: number;
};

/** A lease as `fettle ps` and the sweep see it. */
export type LeaseSummary = {
  readonly lease: LeaseRef;
  readonly workflow: string;
  readonly target: string;
  readonly admittedAt: number;
  readonly started: boolean;
  readonly orphaned: boolean;
  readonly permitted: boolean;
  readonly unsettled: readonly {
    readonly step: string;
    readonly attempt: number;
    readonly node: string;
    readonly busyUntil: number;
  }[];
};

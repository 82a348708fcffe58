/**
 * What coordinators say to the gate and what it answers (docs/protocol.md §1). Keys are short because thousands of operations
 * share one Update: an operation stays within 400 bytes of JSON, an answer within 200. All times are milliseconds since the epoch.
 */
import type { Mode, Outcome, PermitRefusal, Scope } from '../contract.ts';

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
/** A request that waits and is not asked again for so long after its time is dropped: whoever asked for it is gone. */
export const WAITER_GRACE_MS = 60_000;

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
  /** Who asked (`callerRef`), under which request id, told by what: for the record. */
  readonly by?: string;
  readonly q?: string;
  readonly ev?: string;
  /** Waits until then when only limits that will free stand against it; absent: it does not wait. */
  readonly wt?: number;
  /** Asked again for this request that waits: the id of its first ask. */
  readonly rq?: string;
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
  /** That node's place and labels, when it is not the lease's target: its limits are taken then. */
  readonly t?: TargetRef;
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
/** A person's word about a request that waits. `p` is its plan's digest, so that nobody approves what he did not see. */
export type Approve = Common & {
  readonly op: 'approve';
  readonly rq: string;
  readonly p: string;
  readonly by: string;
  readonly why?: string;
  /** Lifts the rule of four eyes, and windows; never a limit or a pause. */
  readonly glass?: true;
};
export type Deny = Common & { readonly op: 'deny'; readonly rq: string; readonly by: string; readonly why?: string };
/** A request that waited waits no more: cancelled, or its evidence is void. */
export type Leave = Common & { readonly op: 'leave'; readonly rq: string; readonly why?: string };
/** Covers what fits each list that is there. */
export type WindowScope = {
  readonly w?: readonly string[];
  readonly y?: readonly string[];
  readonly c?: readonly string[];
  readonly n?: readonly string[];
};
/**
 * From `f` until `u` nothing new begins in this scope. Coordinators announce the closures of their `window` blocks every minute, for five
 * minutes at most; people add their own (`src: 'p'`).
 */
export type Window = Common & {
  readonly op: 'window';
  readonly nm: string;
  readonly sc: WindowScope;
  readonly f: number;
  readonly u: number;
  readonly src: 'f' | 'p';
  readonly by: string;
  readonly why?: string;
};
export type Unwindow = Common & {
  readonly op: 'unwindow';
  readonly nm: string;
  readonly by: string;
  readonly why: string;
};
/**
 * What one coordinator knows of the inventory's nodes: for each scope key how many there are and how many are down, and who is down, in `of`
 * parts of one version. Without parts: nothing has changed since that version. A report older than a minute does not count.
 */
export type FleetReport = Common & {
  readonly op: 'fleet';
  /** The reporter. */
  readonly r: string;
  readonly v: number;
  readonly i?: number;
  readonly of?: number;
  readonly tot?: readonly (readonly [key: string, total: number, down: number])[];
  readonly dn?: readonly string[];
};
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
/** concurrency, maxExecution, cooldown, maxUnavailable, maxIneffective. */
export type LimitCode = 'c' | 'm' | 'd' | 'u' | 'i';
export type LimitRef = {
  readonly k: LimitCode;
  readonly v: number;
  /** Milliseconds; 0 where the kind has none. */
  readonly p: number;
  readonly s: Scope;
  /** `v` is percent of the inventory's nodes. */
  readonly pc?: true;
  /** Name of the fleet-wide `limit` block: counted over all workflows that it covers. Absent: the workflow's own. */
  readonly g?: string;
};
export type ModeRef = readonly [mode: Mode, scope: WindowScope];
export type Definitions = Common & {
  readonly op: 'definitions';
  readonly w: string;
  readonly d: string;
  readonly lim: readonly LimitRef[];
  /** Some step changes a host. */
  readonly ch: boolean;
  readonly by: string;
  /** Absent: `auto`. */
  readonly md?: Mode;
  readonly ov?: readonly ModeRef[];
  /** How many of its requests may wait; absent: none. */
  readonly mp?: number;
  /** How long a request waits for a yes, milliseconds. */
  readonly ap?: number;
  /** How long an execution may take by its declared timeouts, milliseconds: a virtual lease lasts so long. */
  readonly du?: number;
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
  | Approve
  | Deny
  | Leave
  | Window
  | Unwindow
  | FleetReport
  | Pause
  | Resume
  | Definitions
  | Adopt;

/** `win`: a closed window; `fleet`: no coordinator has reported the fleet for a minute; `node`: one change per node. */
export type ReasonCode = LimitCode | 'node' | 'win' | 'fleet';
/** t(arget) n(ode) y (node type) c (datacenter) g(lobal) l:LABEL */
export type ScopeCode = 't' | 'n' | 'y' | 'c' | 'g' | `l:${string}`;
/** One limit in the way: what it allows, what counts against it now, when it can be free at the earliest (null: not known). */
export type ReasonRef = readonly [
  kind: ReasonCode,
  scope: ScopeCode,
  limit: number,
  current: number,
  free: number | null,
  /** Of the fleet-wide limit or window. */
  name?: string,
];

export type Answer =
  /** `v`: version of the limits that were applied; `n`: what counted against each of them before this one, in their order. */
  | {
      readonly a: 'admitted';
      readonly l: LeaseRef;
      readonly sb: number;
      readonly known?: true;
      readonly v?: number;
      readonly n?: readonly number[];
    }
  /** `st`: its execution is known to have started; `same`: the plan is the asker's own, so the asker may start it. */
  | { readonly a: 'duplicate'; readonly l: LeaseRef; readonly sb: number; readonly st: boolean; readonly same: boolean }
  /** `full`: it would wait, but as many wait already as may. */
  | {
      readonly a: 'refused';
      readonly r: readonly ReasonRef[];
      readonly more?: number;
      readonly known?: true;
      readonly v?: number;
      readonly full?: true;
    }
  /** Holds no lease; to be asked again at `ra` with `rq`. `ap`: waits for a person's yes. `u`: until when it waits at most. */
  | {
      readonly a: 'pending';
      readonly rq: string;
      readonly ra: number;
      readonly u: number;
      readonly pl: number;
      readonly r: readonly ReasonRef[];
      readonly more?: number;
      readonly ap?: true;
      readonly pause?: true;
      /** Its episode waits under another request already. */
      readonly same?: true;
    }
  /** What would have been decided; nothing is started. `r` absent: admitted. */
  | { readonly a: 'shadow'; readonly r?: readonly ReasonRef[]; readonly more?: number; readonly known?: true }
  /** What waited does so no more. */
  | {
      readonly a: 'ended';
      readonly c: 'no_fault' | 'stale_evidence' | 'wait_over' | 'denied' | 'not_waiting';
      readonly by?: string;
    }
  | {
      readonly a: 'no_approval';
      readonly c: 'not_waiting' | 'plan_differs' | 'same_person' | 'decided';
      readonly by?: string;
    }
  /** This version of the reporter's view is not known here: report it whole. */
  | { readonly a: 'unknown_fleet' }
  /** `v`: version of the workflow's limits that hold from now; `lim`: those limits, when this changed them. */
  | { readonly a: 'limits'; readonly v: number; readonly lim?: readonly LimitRef[] }
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
  /**
   * `held`: the lease is still held, orphaned, because something of it was not settled. `hd`: requests at the head of the lines that its end
   * may have made room for: called at once, they need not wait for their time to ask.
   */
  | {
      readonly a: 'ok';
      readonly held?: true;
      readonly hd?: readonly string[];
      readonly perms?: readonly (readonly [LeaseRef, number])[];
    };

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
  /** Nothing was read; `now` is the gate's clock. `opening`: it took over from a lost run and looks at every lease first. */
  | { readonly status: 'clock_skew' | 'opening'; readonly now: number };

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
  /** Leases still to be looked at before a gate that took over opens; null: it is open. */
  readonly opening: number | null;
  readonly pauses: readonly {
    readonly id: string;
    readonly scope: PauseScope;
    readonly why: string;
    readonly by: string;
    readonly since: number;
    readonly until: number | null;
  }[];
  readonly windows: readonly WindowSummary[];
  readonly breakers: readonly BreakerSummary[];
  /** Per workflow: the definitions announced in the last five minutes. More than one: coordinators differ, the strictest holds. */
  readonly definitions: readonly {
    readonly workflow: string;
    readonly digests: readonly string[];
    readonly announced: readonly { readonly digest: string; readonly by: readonly string[]; readonly at: number }[];
    readonly limits: readonly LimitRef[];
    readonly version: number;
  }[];
  readonly waiting: number;
  readonly virtual: number;
  /** How old the youngest report of the fleet is, milliseconds; null: there is none. */
  readonly fleetAge: number | null;
  /** How often the gate took over from a lost run. */
  readonly folds: number;
  readonly historyLength: number;
};

export type WindowSummary = {
  readonly name: string;
  readonly scope: WindowScope;
  readonly from: number;
  readonly until: number;
  readonly byPerson: boolean;
  readonly by: string;
  readonly why: string;
};

/** A breaker that is open: `id` is what `resume` names. */
export type BreakerSummary = {
  readonly id: string;
  readonly workflow: string;
  readonly scope: ScopeCode;
  /** The node, type, datacenter or label value; empty for global. */
  readonly of: string;
  readonly limit: number;
  readonly streak: number;
  readonly since: number;
  readonly last: string;
};

/** A request that waits, as people see it. */
export type WaitingSummary = {
  readonly rq: string;
  readonly request: string;
  readonly workflow: string;
  readonly target: string;
  readonly plan: string;
  readonly by: string;
  readonly since: number;
  readonly until: number;
  readonly askAgain: number;
  readonly place: number;
  readonly approval: boolean;
  readonly approvedBy: string | null;
  readonly reasons: readonly ReasonRef[];
};

/** One limit as it stands for a target: asked by query, so it costs no history. */
export type LimitSummary = {
  readonly limit: LimitRef;
  readonly scope: ScopeCode;
  readonly of: string;
  readonly allowed: number;
  readonly current: number;
  readonly free: number | null;
  /** Execution ids of the leases that count. */
  readonly holders: readonly string[];
  /** When those that have ended and still count began. */
  readonly starts: readonly number[];
};

/** So many leases come with one answer of the query `leases`. */
export const LEASE_PAGE = 2_000;

/** A lease as `fettle ps` and the sweep see it. */
export type LeaseSummary = {
  readonly lease: LeaseRef;
  readonly workflow: string;
  readonly target: string;
  readonly admittedAt: number;
  readonly started: boolean;
  readonly orphaned: boolean;
  readonly permitted: boolean;
  readonly plan: string;
  readonly unsettled: readonly {
    readonly step: string;
    readonly attempt: number;
    readonly node: string;
    readonly busyUntil: number;
  }[];
};

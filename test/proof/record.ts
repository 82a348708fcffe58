/**
 * What Temporal's record of a domain says, as plain data: what was asked and answered, what was looked at, what ran, what hosts signed.
 * The checks read this and nothing else. The wire's shapes stand here once more and not from workflows/gate: a checker that borrows the
 * gate's own idea of a limit would share its mistakes.
 */
export type LeaseRef = readonly [epoch: number, n: number];

export type TargetFact = {
  readonly k: 'n' | 'y' | 'c';
  readonly n?: string;
  readonly y?: string;
  readonly c?: string;
  readonly l?: Readonly<Record<string, string>>;
};

/** c(oncurrency) m(axExecution) (cool)d(own) (max)u(navailable) (max)i(neffective). `p` in milliseconds, `pc`: percent, `g`: fleet-wide. */
export type LimitFact = {
  readonly k: 'c' | 'm' | 'd' | 'u' | 'i';
  readonly v: number;
  readonly p: number;
  readonly s: string;
  readonly pc?: true;
  readonly g?: string;
};

/** Covers what fits each list that is there. */
export type ScopeFact = {
  readonly w?: readonly string[];
  readonly y?: readonly string[];
  readonly c?: readonly string[];
  readonly n?: readonly string[];
};

/** An operation as it stands in the gate's history: of each kind only the fields that some check reads. */
export type AskedOp = {
  readonly op: string;
  readonly id: string;
  readonly at: number;
  readonly w?: string;
  readonly d?: string;
  readonly t?: TargetFact;
  readonly p?: string;
  readonly e?: {
    readonly id: string;
    readonly ob: string;
    readonly b: number;
    readonly gap: number;
    readonly again?: number;
  };
  readonly dry?: true;
  readonly rq?: string;
  readonly l?: LeaseRef;
  readonly s?: string;
  readonly a?: number;
  readonly n?: string;
  readonly ch?: boolean;
  readonly undo?: true;
  readonly o?: string;
  readonly lim?: readonly LimitFact[];
  readonly pause?: string;
  /** Of a pause: `k` and `v`; of a window: lists. */
  readonly sc?: ScopeFact & { readonly k?: string; readonly v?: string };
  readonly until?: number;
  readonly by?: string;
  readonly glass?: true;
  readonly md?: string;
  readonly ov?: readonly (readonly [mode: string, scope: ScopeFact])[];
  /** Window: name, whose, from, until. */
  readonly nm?: string;
  readonly src?: string;
  readonly f?: number;
  readonly u?: number;
  /** Fleet report. */
  readonly r?: string;
  readonly v?: number;
  readonly i?: number;
  readonly of?: number;
  readonly tot?: readonly (readonly [key: string, total: number, down: number])[];
  readonly dn?: readonly string[];
};

export type Given = {
  readonly a: string;
  readonly l?: LeaseRef;
  readonly known?: true;
  readonly held?: true;
  readonly rq?: string;
  readonly ra?: number;
  readonly u?: number;
  readonly ap?: true;
  readonly same?: true;
  readonly c?: string;
  readonly v?: number;
  readonly lim?: readonly LimitFact[];
  readonly bb?: number;
  readonly bu?: number;
  readonly no?: string;
};

/** One operation and its answer. `at` is the gate's time; the place in the list is the gate's order. */
export type Exchange = {
  readonly kind: 'exchange';
  readonly at: number;
  readonly run: string;
  /** Who sent it. */
  readonly from: string;
  readonly op: AskedOp;
  /** Null: the history holds the question and no answer. */
  readonly given: Given | null;
};
/** What a sweep found about the execution of a lease. */
export type Sweep = {
  readonly kind: 'sweep';
  readonly at: number;
  readonly run: string;
  readonly lease: LeaseRef;
  readonly execution: string;
};
export type JournalEntry = Exchange | Sweep;

/** One attempt of a step, as the execution's own history tells it. */
export type StepFact = {
  readonly step: string;
  readonly attempt: number;
  readonly node: string | null;
  readonly permittedAt: number | null;
  readonly began: number | null;
  readonly ended: number | null;
  readonly status: string;
};

export type ExecutionFact = {
  readonly id: string;
  readonly run: string;
  readonly type: string;
  /** By the server. */
  readonly started: number;
  readonly closed: number | null;
  readonly status: string;
  /** Null: its input is none of ours. */
  readonly input: {
    readonly lease: LeaseRef;
    readonly workflow: string;
    readonly target: string;
    /** What the input says, and what its plan really digests to. */
    readonly planDigest: string;
    readonly planIs: string;
    readonly dry: boolean;
    readonly mark: string | null;
  } | null;
  readonly steps: readonly StepFact[];
};

/** A receipt: what a host signed about one attempt. Times are that host's. */
export type ActionFact = {
  readonly activity: string;
  readonly execution: string;
  readonly step: string;
  readonly attempt: number;
  readonly nonce: string;
  readonly began: number | null;
  readonly ended: number;
  readonly status: string;
};

/** A line that an action's command wrote on its host: evidence beside receipts. `mark` is the argument of that name. */
export type Effect = {
  readonly mark: string;
  readonly step: string;
  readonly node: string;
  readonly phase: 'begin' | 'end';
  readonly at: number;
  readonly pid: number;
};

export type ProofRecord = {
  /** In the gate's order, over all its runs. */
  readonly journal: readonly JournalEntry[];
  /** The journal's oldest run is the gate's first: nothing before it is missing. */
  readonly whole: boolean;
  readonly executions: readonly ExecutionFact[];
  readonly actions: readonly ActionFact[];
  readonly effects: readonly Effect[];
  /** When it was read. */
  readonly readAt: number;
};

export const leaseName = ([epoch, n]: LeaseRef): string => `${epoch.toString(36)}-${n.toString(36)}`;

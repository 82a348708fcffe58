/** What executions ask of coordinators: the activities behind a remedy. Types only; coordinator/activities implements them. */
import type { ArgValue, ExecutionInput, LeaseNumber, Outcome, StepRecord } from './contract.ts';

/** What identifies an execution to every activity. */
export type ExecutionRef = Pick<
  ExecutionInput,
  'protocol' | 'domain' | 'execution' | 'lease' | 'plan' | 'planDigest' | 'dryRun'
>;

/** One attempt of one step. For an HCL workflow it must equal what the plan's definition says under that name. */
export type StepCall = {
  readonly name: string;
  readonly action: string;
  readonly args: Readonly<Record<string, ArgValue>>;
  readonly timeoutMs: number;
  /** Undoing is exempt from pause and evidence, never from the lease. */
  readonly undo: boolean;
  /** Permitted only while the fault is still seen. */
  readonly stillFiring: boolean;
  /** One of the looks of the plan's `verify`. */
  readonly look?: true;
};

export type ActInput = ExecutionRef & {
  readonly call: StepCall;
  readonly attempt: number;
  /** Counts askings for the same attempt's permit after a refusal that may pass (pause, busy node). */
  readonly asking: number;
  /** An earlier attempt whose end is not proven and that the host ends first; only for what may safely be done twice. */
  readonly supersedes?: number;
};

export type VerifyInput = ExecutionRef;
export type VerifyResult = { readonly healthy: boolean; readonly message: string };

export type ReleaseInput = { readonly domain: string; readonly lease: LeaseNumber; readonly outcome: Outcome };

export type NotifyInput = ExecutionRef & {
  readonly to: readonly string[];
  readonly outcome: Outcome;
  readonly message: string;
};

export type ActActivities = {
  /** Permit, grant, action, receipt: ends only with proof, or says that there is none. */
  readonly act: (input: ActInput) => Promise<StepRecord>;
  /** Watches the query of the plan's `verify` until it held long enough or its time is over. */
  readonly verify: (input: VerifyInput) => Promise<VerifyResult>;
};
/** Run within the execution's own workflow task. */
export type ReleaseActivities = {
  /** True when the lease stays held because something of it is not settled. */
  readonly release: (input: ReleaseInput) => Promise<{ readonly held: boolean }>;
};
export type ControlActivities = {
  readonly notify: (input: NotifyInput) => Promise<void>;
};

/**
 * What every remedy has in common, whether its steps come from HCL or from TypeScript: the fence, steps with retries, proof of health,
 * undo, escalation, release. A workflow is `(input) => runExecution(input, async (remedy) => { await remedy.step(...) })`.
 */
import {
  ActivityCancellationType,
  CancellationScope,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type {
  ActActivities,
  ControlActivities,
  ExecutionRef,
  ReleaseActivities,
  StepCall,
  VerifyResult,
} from './activities.ts';
import {
  ACTIONS,
  QUEUES,
  type ActionProof,
  type ArgValue,
  type ExecutionInput,
  type ExecutionResult,
  type Outcome,
  type PermitRefusal,
  type StepDefinition,
  type StepRecord,
} from './contract.ts';
import { lookCall } from './look.ts';
import { proveByLooking } from './proof.ts';

/** Added to `startBy` before the fence closes: how far the server's clock may be from the gate's. */
const FENCE_MARGIN_MS = 5_000;
const PERMIT_WAIT_MS = 5_000;
/** A step waits this long for a refusal that may pass: a pause lifted, a busy node free, an agent back. */
const PATIENCE_MS: Readonly<Partial<Record<PermitRefusal, number>>> = {
  paused: 10 * 60_000,
  window: 10 * 60_000,
  node_busy: 10 * 60_000,
  node_limit: 10 * 60_000,
  no_agent: 30_000,
};

const { notify } = proxyActivities<ControlActivities>({
  taskQueue: QUEUES.control,
  startToCloseTimeout: '15s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});

/** Within the workflow task that ends the execution: one task and one activity less for each remedy (docs/measurements.md). */
const { release } = proxyLocalActivities<ReleaseActivities>({
  startToCloseTimeout: '15s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
  // A gate that is away for longer is waited for by the server's timer, not with a workflow task held open.
  localRetryThreshold: '2s',
});

const outcomeKey = defineSearchAttributeKey('FettleOutcome', 'KEYWORD');

/** Ends a remedy early with this outcome; undo and escalation follow as the outcome demands. */
export class RemedyEnded extends Error {
  override readonly name = 'RemedyEnded';
  readonly outcome: Outcome;
  constructor(outcome: Outcome, message: string) {
    super(message);
    this.outcome = outcome;
  }
}

export type StepOptions = {
  readonly name: string;
  readonly action: string;
  readonly args?: Readonly<Record<string, ArgValue>>;
  readonly timeoutMs?: number;
  readonly retry?: { readonly attempts: number; readonly waitMs: number };
  readonly when?: 'always' | 'still_firing';
  /** The remedy goes on when it failed or was refused. What may still act ends the remedy all the same. */
  readonly mayFail?: boolean;
  /** Run, last first, when the remedy does not help. */
  readonly undo?: Omit<StepOptions, 'undo'>;
};

/** What a TypeScript workflow works with. */
export type Remedy = {
  readonly input: ExecutionInput;
  /** Runs one step to its end. @throws RemedyEnded when it did not succeed, unless it may fail. */
  readonly step: (options: StepOptions) => Promise<StepRecord>;
};

type Run = {
  readonly input: ExecutionInput;
  readonly records: StepRecord[];
  /** Undo steps of what began, in order. */
  readonly undo: StepDefinition[];
  /** The last of the looks that proof by an action took. */
  lastLook: StepRecord | null;
  /** So many records there were before it. */
  acted: number;
};

export async function runExecution(
  input: ExecutionInput,
  body: (remedy: Remedy) => Promise<void>,
): Promise<ExecutionResult> {
  const run: Run = { input, records: [], undo: [], lastLook: null, acted: 0 };
  const ended = await endOf(run, body);
  return CancellationScope.nonCancellable(() => conclude(run, ended));
}

type Ended = { readonly outcome: Outcome; readonly message: string; readonly verified: boolean };

async function endOf(run: Run, body: (remedy: Remedy) => Promise<void>): Promise<Ended> {
  const { input } = run;
  const late = workflowInfo().startTime.getTime() - (input.startBy + FENCE_MARGIN_MS);
  if (late > 0)
    return { outcome: 'expired', message: `started ${late} ms too late; nothing was done`, verified: false };
  try {
    await body({ input, step: (options) => runStep(run, options) });
    return await verdict(run);
  } catch (error) {
    if (isCancellation(error)) return { outcome: 'cancelled', message: 'cancelled on request', verified: false };
    if (error instanceof RemedyEnded) return { outcome: error.outcome, message: error.message, verified: false };
    const message = error instanceof Error ? error.message : String(error);
    return { outcome: 'failed', message: `unexpected: ${message}`.slice(0, 500), verified: false };
  }
}

async function verdict(run: Run): Promise<Ended> {
  const { input } = run;
  if (input.dryRun) return { outcome: 'dry_run', message: 'nothing was changed', verified: false };
  const { verify } = input.plan.definition;
  if (verify === null)
    return { outcome: 'healed', message: 'all steps succeeded; no verify block to prove it', verified: false };
  const result =
    'action' in verify
      ? await lookForProof(run, verify)
      : await actsFor(verify.timeoutMs + 30_000).verify(refOf(input));
  return { outcome: result.healthy ? 'healed' : 'ineffective', message: result.message, verified: result.healthy };
}

async function lookForProof(run: Run, proof: ActionProof): Promise<VerifyResult> {
  const call = lookCall(proof);
  const { healthy, message } = await proveByLooking(run.input.plan, proof, async (attempt, supersedes) => {
    const replaces = supersedes === undefined ? {} : { supersedes };
    const record = await actsFor(call.timeoutMs).act({ ...refOf(run.input), call, attempt, asking: 1, ...replaces });
    run.lastLook = record;
    run.acted = run.records.length;
    return record;
  });
  return { healthy, message };
}

const UNDONE: ReadonlySet<Outcome> = new Set(['failed', 'ineffective', 'cancelled', 'refused_by_agent', 'expired']);
const ESCALATED: ReadonlySet<Outcome> = new Set(['failed', 'ineffective', 'refused_by_agent']);

/** Undo, escalate, record, release; never interrupted by a cancellation. */
async function conclude(run: Run, ended: Ended): Promise<ExecutionResult> {
  const { input } = run;
  // Undoing while something may still act would race with it: then a person decides.
  const doubtful = isDoubtful(run);
  if (UNDONE.has(ended.outcome) && !doubtful) {
    for (const step of run.undo.toReversed()) await tryStep(run, step, true);
  }
  const { onFailure } = input.plan.definition;
  if (onFailure !== null && ESCALATED.has(ended.outcome) && !input.dryRun) {
    for (const step of onFailure.steps) await tryStep(run, step, false);
  }
  upsertSearchAttributes([{ key: outcomeKey, value: ended.outcome }]);
  const released = await release({ domain: input.domain, lease: input.lease, outcome: ended.outcome });
  const held = released.held ? '; its limits stay held until it is known that nothing of it can still act' : '';
  const left = doubtful && run.undo.length > 0 ? '; nothing was undone, since a step may still act' : '';
  const message = ended.message + left + held;
  if (onFailure !== null && ESCALATED.has(ended.outcome) && onFailure.notify.length > 0 && !input.dryRun) {
    await notify({ ...refOf(input), to: onFailure.notify, outcome: ended.outcome, message });
  }
  const steps = run.lastLook === null ? run.records : run.records.toSpliced(run.acted, 0, run.lastLook);
  return { outcome: ended.outcome, message, verified: ended.verified, steps };
}

/** Something may still act: proof about a later attempt of a step covers its earlier ones. */
const isDoubtful = ({ records, lastLook }: Run): boolean =>
  (lastLook?.result.status === 'unsettled' && ACTIONS[lastLook.action]?.changing !== false) ||
  records.some(
    (record, index) =>
      record.result.status === 'unsettled' &&
      !records.slice(index + 1).some((later) => later.step === record.step && PROOF.has(later.result.status)),
  );
const PROOF: ReadonlySet<StepRecord['result']['status']> = new Set(['done', 'failed', 'refused', 'unknown']);

async function tryStep(run: Run, step: StepDefinition, undo: boolean): Promise<void> {
  try {
    await attempts(run, step, undo);
  } catch (error) {
    // Recorded with the step; a failing undo must not keep the rest from being undone.
    if (!(error instanceof RemedyEnded)) throw error;
  }
}

async function runStep(run: Run, options: StepOptions): Promise<StepRecord> {
  const step = stepOf(options);
  const before = run.records.length;
  try {
    return await attempts(run, step, false);
  } catch (error) {
    const last = run.records.at(-1);
    if (options.mayFail === true && error instanceof RemedyEnded && last !== undefined && hasFailed(last)) return last;
    throw error;
  } finally {
    const began = run.records
      .slice(before)
      .some((record) => record.began !== null || record.result.status === 'unsettled');
    if (began && options.undo !== undefined) run.undo.push(stepOf(options.undo));
  }
}

/** It is over and did not do what it should; not: it was stopped, came too late, or may still act. */
const hasFailed = ({ result }: StepRecord): boolean =>
  (result.status === 'failed' && result.code !== 'cancelled') ||
  result.status === 'unknown' ||
  (result.status === 'refused' && !NEVER_BEGAN.has(result.code));

const stepOf = (options: Omit<StepOptions, 'undo'>): StepDefinition => ({
  name: options.name,
  action: options.action,
  args: options.args ?? {},
  timeoutMs: options.timeoutMs ?? 60_000,
  retry: options.retry ?? { attempts: 1, waitMs: 0 },
  when: options.when ?? 'always',
});

async function attempts(run: Run, step: StepDefinition, undo: boolean): Promise<StepRecord> {
  let supersedes: number | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const record = await permitted(run, step, { attempt, undo, supersedes });
    supersedes = record.result.status === 'unsettled' ? attempt : undefined;
    run.records.push(record);
    const { result } = record;
    if (result.status === 'done' || result.status === 'skipped') return record;
    if (attempt >= step.retry.attempts || !mayRepeat(record)) throw endedBy(record);
    await sleep(step.retry.waitMs);
  }
}

/** Asks again while the refusal may pass. */
async function permitted(
  run: Run,
  step: StepDefinition,
  { attempt, undo, supersedes }: { attempt: number; undo: boolean; supersedes: number | undefined },
): Promise<StepRecord> {
  const { name, action, args, timeoutMs } = step;
  const call: StepCall = { name, action, args, timeoutMs, undo, stillFiring: step.when === 'still_firing' };
  for (let asking = 1; ; asking += 1) {
    const replaces = supersedes === undefined ? {} : { supersedes };
    const record = await actsFor(timeoutMs).act({ ...refOf(run.input), call, attempt, asking, ...replaces });
    const { result } = record;
    if (result.status !== 'no_permit') return record;
    if (call.stillFiring && result.code === 'no_fault') {
      return { ...record, result: { status: 'skipped', message: 'the fault is no longer seen' } };
    }
    const patience = PATIENCE_MS[result.code];
    if (patience === undefined || asking * PERMIT_WAIT_MS >= patience) return record;
    await sleep(PERMIT_WAIT_MS);
  }
}

/** Refusals that say nothing against the order itself: it came too late, or the host was full. */
const NEVER_BEGAN: ReadonlySet<string> = new Set(['busy', 'grant_expired', 'attempt_refused']);

/**
 * What is proven to have ended is tried again when it is safe to do twice or was never done. What may still act is replaced only where
 * doing it twice is safe: the host ends it before it begins anew.
 */
function mayRepeat(record: StepRecord): boolean {
  const { result } = record;
  if (result.status === 'failed') return true;
  if (result.status === 'unknown' || result.status === 'unsettled') return ACTIONS[record.action]?.idempotent === true;
  return result.status === 'refused' && NEVER_BEGAN.has(result.code);
}

function endedBy(record: StepRecord): RemedyEnded {
  const { result } = record;
  const said = result.status === 'done' ? '' : result.message;
  const message = `step ${record.step}: ${said}`;
  if (result.status === 'refused') {
    const late = result.code === 'grant_expired' || result.code === 'attempt_refused';
    return new RemedyEnded(late ? 'expired' : 'refused_by_agent', `${message} (${result.code})`);
  }
  if (result.status === 'no_permit') {
    if (result.code === 'no_fault')
      return new RemedyEnded('no_fault', 'the fault was gone before anything was changed');
    if (result.code === 'paused' || result.code === 'window') return new RemedyEnded('cancelled', message);
    const expired = result.code === 'stale_evidence' || result.code === 'too_late' || result.code === 'no_lease';
    return new RemedyEnded(expired ? 'expired' : 'failed', message);
  }
  if (result.status === 'failed' && result.code === 'cancelled') return new RemedyEnded('cancelled', message);
  return new RemedyEnded('failed', message);
}

/** An act outlives its action: permit, dispatch, kill grace and settling come on top. */
const actsFor = (timeoutMs: number): ActActivities =>
  proxyActivities<ActActivities>({
    taskQueue: QUEUES.act,
    startToCloseTimeout: timeoutMs + 120_000,
    heartbeatTimeout: '10s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '500ms', maximumInterval: '5s' },
  });

const refOf = (input: ExecutionInput): ExecutionRef => ({
  protocol: input.protocol,
  domain: input.domain,
  execution: input.execution,
  lease: input.lease,
  plan: input.plan,
  planDigest: input.planDigest,
  dryRun: input.dryRun,
});

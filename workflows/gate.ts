/**
 * The entity workflow that admits: one per domain, created by `fettle setup temporal` alone. It hosts the reducer of gate/apply.ts,
 * takes batches as Updates, and its history is the journal of all decisions. It starts nothing itself.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { QUEUES } from './contract.ts';
import { apply, tick, trim } from './gate/apply.ts';
import { swept, type SweepFinding } from './gate/leases.ts';
import {
  CLOCK_SKEW_MS,
  MAX_BATCH,
  RESET,
  type Batch,
  type BatchAnswer,
  type GateSummary,
  type LeaseRef,
  type LeaseSummary,
  type LimitSummary,
  type TargetRef,
  type WaitingSummary,
} from './gate/operations.ts';
import { fromSnapshot, toSnapshot, type Snapshot } from './gate/snapshot.ts';
import { emptyState, type GateState, type Lease } from './gate/state.ts';
import { explain, summarizeGate, summarizeLease, summarizeWaiting } from './gate/summary.ts';

export const exchange = defineUpdate<BatchAnswer, [Batch]>('exchange');
export const gateSummary = defineQuery<GateSummary>('summary');
export const gateLeases = defineQuery<LeaseSummary[]>('leases');
export const gateWaiting = defineQuery<WaitingSummary[]>('waiting');
/** Every limit of a workflow as it stands for a target, and what holds it. */
export const gateExplain = defineQuery<LimitSummary[], [{ readonly w: string; readonly t: TargetRef }]>('explain');

/** Fresh: made by setup. Snapshot: carried over from the run before. Anything else never decides. */
export type GateInput = { readonly domain: string; readonly fresh: true } | { readonly snapshot: Snapshot };

export type GateActivities = {
  /** The run id that the server gave this run; from an activity, so a reset run still reads the old one from its history. */
  readonly runId: () => Promise<string>;
  /** Describes executions of leases, and settles orphans by sending `result` operations of its own. */
  readonly sweep: (leases: readonly LeaseSummary[]) => Promise<readonly SweepFinding[]>;
};

/**
 * A coordinator that takes the gate over replays its run whole, which is to take less than 500 ms: 4,000 events took 1.8 to 2.3 s on two busy
 * cores, 800 events 315 to 366 ms of CPU (by the clock 304 to 813, machine busy; docs/measurements.md).
 */
const MAX_EVENTS = 800;
const MAX_OPERATIONS = 16_000;
const SWEEP_MS = 5_000;
/** Executions believed running are looked at this rarely; those that should have ended or started, at each sweep. */
const LOOK_AGAIN_MS = 30_000;
const MAX_SWEPT = 100;

export async function gate(input: GateInput): Promise<void> {
  const state = 'snapshot' in input ? fromSnapshot(input.snapshot) : emptyState(input.domain);
  let recordedRun: string | null = null;
  let trimmed = 0;
  let operations = 0;
  setHandler(
    exchange,
    (batch) => {
      tick(state, Date.now());
      operations += batch.ops.length;
      if (wasReset(recordedRun)) quarantine(state, RESET);
      if (Math.abs(batch.clock - state.now) > CLOCK_SKEW_MS) return { status: 'clock_skew', now: state.now };
      if (newer(batch.knows, [state.epoch, state.next - 1]))
        quarantine(state, 'this gate lost decisions that a coordinator has seen');
      if (state.now - trimmed > 5_000) {
        trim(state);
        trimmed = state.now;
      }
      return { status: 'ok', now: state.now, answers: batch.ops.map((operation) => apply(state, operation, nonce)) };
    },
    { validator: checkBatch },
  );
  setHandler(gateSummary, () => summarizeGate(state, workflowInfo().historyLength));
  setHandler(gateWaiting, () => [...state.waiting.values()].map(summarizeWaiting));
  setHandler(gateExplain, ({ w, t }) => explain(state, w, t));
  setHandler(gateLeases, () => [...state.leases.values()].map(summarizeLease));

  const { runId } = proxyLocalActivities<Pick<GateActivities, 'runId'>>({ startToCloseTimeout: '5s' });
  const { sweep } = proxyActivities<Pick<GateActivities, 'sweep'>>({
    taskQueue: QUEUES.control,
    startToCloseTimeout: '20s',
    retry: { maximumAttempts: 1 },
  });
  recordedRun = await runId();

  const tooLong = (): boolean =>
    operations > MAX_OPERATIONS || workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > MAX_EVENTS;
  while (!tooLong()) {
    await condition(() => tooLong() || state.leases.size > 0);
    await condition(tooLong, SWEEP_MS);
    tick(state, Date.now());
    const due = tooLong() ? [] : dueForSweep(state);
    if (due.length === 0) continue;
    try {
      for (const finding of await sweep(due.map(summarizeLease))) swept(state, finding);
    } catch {
      // No coordinator could look: leases stay held, which is the safe side; the next round asks again.
    }
  }
  await condition(allHandlersFinished);
  trim(state);
  await continueAsNew<typeof gate>({ snapshot: toSnapshot(state) });
}

function dueForSweep(state: GateState): Lease[] {
  const due: Lease[] = [];
  for (const lease of state.leases.values()) {
    const late = !lease.started && lease.startBy + 2 * CLOCK_SKEW_MS < state.now;
    if (late || lease.orphaned || lease.looked + LOOK_AGAIN_MS < state.now) due.push(lease);
    if (due.length === MAX_SWEPT) break;
  }
  return due;
}

/** 64 random bits from Temporal's deterministic source. */
const nonce = (): string => uuid4().replaceAll('-', '').slice(0, 16);

const newer = (a: LeaseRef, b: LeaseRef): boolean => a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);

/** The server keeps the first run's id in the history that a reset copies; the recorded one tells where it does not. */
function wasReset(recordedRun: string | null): boolean {
  const { runId, originalExecutionRunId } = workflowInfo();
  return originalExecutionRunId !== runId || (recordedRun !== null && recordedRun !== runId);
}

function quarantine(state: GateState, why: string): void {
  state.quarantine ??= `${why}; a person must look, and then run on a coordinator's host: fettle gate adopt`;
}

/** Refused batches write nothing to history. */
function checkBatch(batch: Batch): void {
  const { ops } = batch;
  if (!Array.isArray(ops) || ops.length === 0 || ops.length > MAX_BATCH) {
    throw ApplicationFailure.nonRetryable(`a batch holds 1..${MAX_BATCH} operations`);
  }
  if (!Number.isSafeInteger(batch.clock)) throw ApplicationFailure.nonRetryable("a batch carries its sender's clock");
}

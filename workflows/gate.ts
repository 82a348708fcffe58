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
  sleep,
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
  type Answer,
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
import { explain, leasePage, summarizeGate, summarizeLease, summarizeWaiting } from './gate/summary.ts';

export const exchange = defineUpdate<BatchAnswer, [Batch]>('exchange');
export const gateSummary = defineQuery<GateSummary>('summary');
/** In pages, by number: all at once would be more than an answer to a query may be. */
export const gateLeases = defineQuery<LeaseSummary[], [{ readonly after?: LeaseRef }?]>('leases');
export const gateWaiting = defineQuery<WaitingSummary[]>('waiting');
/** Every limit of a workflow as it stands for a target, and what holds it. */
export const gateExplain = defineQuery<LimitSummary[], [{ readonly w: string; readonly t: TargetRef }]>('explain');

/** Fresh: made by setup. Snapshot: carried over from the run before. Predecessor: takes over from a run that was lost. */
export type GateInput =
  | { readonly domain: string; readonly fresh: true }
  | { readonly snapshot: Snapshot }
  | { readonly domain: string; readonly predecessor: string };

/** What a lost run's history gave; or why it cannot be read: then a person decides. */
export type TakenOver = { readonly snapshot: Snapshot } | { readonly unreadable: string };

export type GateActivities = {
  /** The run id that the server gave this run; from an activity, so a reset run still reads the old one from its history. */
  readonly runId: () => Promise<string>;
  /** Describes executions of leases, and settles orphans by sending `result` operations of its own. */
  readonly sweep: (leases: readonly LeaseSummary[]) => Promise<readonly SweepFinding[]>;
  /** Reads a lost run's recorded answers. Repeated until it can say something. */
  readonly takeOver: (lost: { readonly domain: string; readonly predecessor: string }) => Promise<TakenOver>;
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
/** Sweeps at once while a gate that took over is not open yet, and the pause between rounds. */
const OPENING_SWEEPS = 4;
const OPENING_PAUSE_MS = 200;

export async function gate(input: GateInput): Promise<void> {
  let state: GateState | null = 'predecessor' in input ? null : stateOf(input);
  let recordedRun: string | null = null;
  let trimmed = 0;
  let operations = 0;
  setHandler(
    exchange,
    (batch) => {
      operations += batch.ops.length;
      const lost = wasReset(recordedRun);
      if (state === null || state.opening !== null) {
        if (lost) return { status: 'ok', now: Date.now(), answers: batch.ops.map(() => LOST) };
        return { status: 'opening', now: Date.now() };
      }
      tick(state, Date.now());
      if (Math.abs(batch.clock - state.now) > CLOCK_SKEW_MS) return { status: 'clock_skew', now: state.now };
      if (newer(batch.knows, [state.epoch, state.next - 1]))
        quarantine(state, 'this gate lost decisions that a coordinator has seen');
      if (state.now - trimmed > 5_000) {
        trim(state);
        trimmed = state.now;
      }
      const decided = state;
      const answers = batch.ops.map((operation) => apply(decided, operation, nonce));
      // A reset run goes through its copied history like the first one did, and tells nobody what it would decide.
      return { status: 'ok', now: state.now, answers: lost ? answers.map(() => LOST) : answers };
    },
    { validator: checkBatch },
  );
  setHandler(gateSummary, () => summarizeGate(state ?? closedState(input), workflowInfo().historyLength));
  setHandler(gateWaiting, () => [...(state?.waiting.values() ?? [])].map(summarizeWaiting));
  setHandler(gateExplain, ({ w, t }) => (state === null ? [] : explain(state, w, t)));
  setHandler(gateLeases, (page) => (state === null ? [] : leasePage(state, page?.after ?? [0, 0])));

  const { runId } = proxyLocalActivities<Pick<GateActivities, 'runId'>>({ startToCloseTimeout: '5s' });
  recordedRun = await runId();
  if ('predecessor' in input) {
    state = await takenOver(input);
    await open(state);
  }
  if (state === null) throw ApplicationFailure.nonRetryable('a gate without a state');
  await serve(state, () => operations > MAX_OPERATIONS);
  await condition(allHandlersFinished);
  trim(state);
  await continueAsNew<typeof gate>({ snapshot: toSnapshot(state) });
}

const stateOf = (input: Exclude<GateInput, { predecessor: string }>): GateState =>
  'snapshot' in input ? fromSnapshot(input.snapshot) : emptyState(input.domain);

/** What is shown of a gate that has not read its predecessor yet. */
function closedState(input: GateInput): GateState {
  const shown = emptyState('domain' in input ? input.domain : '');
  shown.opening = new Set();
  return shown;
}

const { sweep } = proxyActivities<Pick<GateActivities, 'sweep'>>({
  taskQueue: QUEUES.control,
  startToCloseTimeout: '20s',
  retry: { maximumAttempts: 1 },
});

/** Sweeps until the run has become long. */
async function serve(state: GateState, full: () => boolean): Promise<void> {
  const tooLong = (): boolean =>
    full() || workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > MAX_EVENTS;
  while (!tooLong()) {
    await condition(() => tooLong() || state.leases.size > 0);
    await condition(tooLong, SWEEP_MS);
    tick(state, Date.now());
    const due = tooLong() ? [] : dueForSweep(state);
    if (due.length > 0) await sweepOnce(state, due);
  }
}

async function sweepOnce(state: GateState, due: readonly Lease[]): Promise<void> {
  try {
    const findings = await sweep(due.map(summarizeLease));
    tick(state, Date.now());
    for (const finding of findings) swept(state, finding);
  } catch {
    // No coordinator could look: leases stay held, which is the safe side; the next round asks again.
  }
}

/** Rebuilt from the lost run's recorded answers; what cannot be read leaves the gate closed until a person adopts it. */
async function takenOver(input: { readonly domain: string; readonly predecessor: string }): Promise<GateState> {
  const { takeOver } = proxyActivities<Pick<GateActivities, 'takeOver'>>({
    taskQueue: QUEUES.control,
    startToCloseTimeout: '60s',
    retry: { initialInterval: '200ms', maximumInterval: '5s' },
  });
  const taken = await takeOver({ domain: input.domain, predecessor: input.predecessor });
  const state = 'snapshot' in taken ? fromSnapshot(taken.snapshot) : emptyState(input.domain);
  tick(state, Date.now());
  if ('unreadable' in taken) quarantine(state, `the gate before this one cannot be read (${taken.unreadable})`);
  return state;
}

/** Before it decides, a gate that took over has every lease looked at: what ended meanwhile is given back, what runs is known to run. */
async function open(state: GateState): Promise<void> {
  state.opening = new Set(state.leases.keys());
  while (state.opening.size > 0) {
    const { opening } = state;
    const due = [...opening].flatMap((key) => state.leases.get(key) ?? []).slice(0, MAX_SWEPT * OPENING_SWEEPS);
    const parts = Array.from({ length: Math.ceil(due.length / MAX_SWEPT) }, (_, index) =>
      due.slice(index * MAX_SWEPT, (index + 1) * MAX_SWEPT),
    );
    await Promise.all(parts.map((part) => sweepOnce(state, part)));
    if (opening.size > 0) await sleep(OPENING_PAUSE_MS);
  }
  state.opening = null;
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

/** A coordinator that reads this has a new run take over. */
const LOST: Answer = { a: 'quarantined', why: `${RESET}; another run takes its place` };

/** Refused batches write nothing to history. */
function checkBatch(batch: Batch): void {
  const { ops } = batch;
  if (!Array.isArray(ops) || ops.length === 0 || ops.length > MAX_BATCH) {
    throw ApplicationFailure.nonRetryable(`a batch holds 1..${MAX_BATCH} operations`);
  }
  if (!Number.isSafeInteger(batch.clock)) throw ApplicationFailure.nonRetryable("a batch carries its sender's clock");
}

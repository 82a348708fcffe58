/**
 * Waits for a request that limits stand against, or that needs a person's yes (docs/protocol.md §7). Holds no lease and nothing else: it only
 * asks again when the gate said, and at once when somebody calls. The gate alone knows whose turn it is.
 */
import {
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { QUEUES } from './contract.ts';
import {
  LOOK_SIGNAL,
  type AskAgainInput,
  type AskAgainResult,
  type PendingActivities,
  type PendingInput,
  type PendingRequest,
  type PendingResult,
} from './pending-request.ts';

/** Spreads those who were told the same moment; the gate keeps their order. */
const MOST_JITTER_MS = 2_000;
/** The gate ends a wait itself; one that it has not ended so long after its time is over all the same. */
const OVERDUE_MS = 60_000;
/** Then it goes on in a new run. */
const MAX_EVENTS = 400;

const look = defineSignal(LOOK_SIGNAL);
const outcomeKey = defineSearchAttributeKey('FettleOutcome', 'KEYWORD');

/** A coordinator that dies between the gate's yes and the start is replaced within seconds: an execution must start within fifteen. */
const { askAgain } = proxyActivities<Pick<PendingActivities, 'askAgain'>>({
  taskQueue: QUEUES.control,
  startToCloseTimeout: '60s',
  heartbeatTimeout: '3s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});
const { leave } = proxyActivities<Pick<PendingActivities, 'leave'>>({
  taskQueue: QUEUES.control,
  startToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});

export async function pending(input: PendingInput): Promise<PendingResult> {
  let { asked, wait } = input;
  let called = false;
  setHandler(look, () => {
    called = true;
  });
  for (;;) {
    if (!called && !(await waited(() => called, pauseUntil(wait.askAgain, wait.until)))) {
      return conclude({ outcome: 'cancelled', execution: null, message: 'cancelled on request' }, input.request.rq);
    }
    called = false;
    asked += 1;
    const result = await again(input.request, asked, wait.until);
    if (result.state === 'ended') return conclude(result, null);
    wait = { askAgain: result.askAgain, until: result.until };
    if (Date.now() > wait.until + OVERDUE_MS) {
      return conclude({ outcome: 'expired', execution: null, message: 'waited as long as it may' }, input.request.rq);
    }
    if (isLong() && !CancellationScope.current().consideredCancelled) {
      // Somebody who called meanwhile is heard by the next run.
      const next = called ? { ...wait, askAgain: Date.now() } : wait;
      await continueAsNew<typeof pending>({ ...input, asked, wait: next });
    }
  }
}

const isLong = (): boolean => workflowInfo().historyLength > MAX_EVENTS || workflowInfo().continueAsNewSuggested;

/** Milliseconds until it is to be asked again; at the end of the wait too, so that the gate can say how it ended. */
function pauseUntil(askAgain: number, until: number): number {
  const now = Date.now();
  const jitter = Math.random() * Math.min(MOST_JITTER_MS, Math.max(0, askAgain - now) / 4);
  return Math.max(1, Math.min(askAgain + jitter, Math.max(until, now + 1_000)) - now);
}

/** False: cancelled. */
async function waited(called: () => boolean, ms: number): Promise<boolean> {
  try {
    await condition(called, ms);
    return true;
  } catch (error) {
    if (isCancellation(error)) return false;
    throw error;
  }
}

/** Never interrupted: what is admitted is started, and a cancellation is heard afterwards. */
function again(request: PendingRequest, n: number, until: number): Promise<AskAgainResult> {
  const asking: AskAgainInput = { ...request, n, at: Date.now(), until };
  return CancellationScope.nonCancellable(() => askAgain(asking));
}

/** `rq`: what the gate is to be told waits no more. */
function conclude({ outcome, execution, message }: PendingResult, rq: string | null): Promise<PendingResult> {
  return CancellationScope.nonCancellable(async () => {
    if (rq !== null) await leave({ rq, why: message });
    upsertSearchAttributes([{ key: outcomeKey, value: outcome }]);
    return { outcome, execution, message };
  });
}

/**
 * Runs one workflow of the bundle to its end in this process, in the SDK's own sandbox, with nothing behind it: no server, no network, no
 * waiting. What a server and a Worker do between two activations is done here by a queue of events and a clock that jumps from one to the
 * next. The workflow code, its determinism and its commands are those of a coordinator.
 */
import { readFile } from 'node:fs/promises';
import { defaultPayloadConverter, type Payload, TypedSearchAttributes } from '@temporalio/common';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import { VMWorkflowCreator } from '@temporalio/worker/lib/workflow/vm.js';
import type { Workflow, WorkflowCreateOptions } from '@temporalio/worker/lib/workflow/interface.js';
import { createUnsafeRandomSource } from '@temporalio/workflow/lib/random-helpers.js';
import { loadWorkflowBundle } from '../coordinator/workflow-bundle.ts';
import { QUEUES } from '../workflows/contract.ts';

type Activation = Parameters<Workflow['activate']>[0];
type Job = NonNullable<Activation['jobs']>[number];
type Completion = Awaited<ReturnType<Workflow['activate']>>;
type Command = NonNullable<NonNullable<Completion['successful']>['commands']>[number];

export type ActivityCall = { readonly type: string; readonly input: unknown; readonly at: number };
export type ActivityAnswer = {
  readonly result: unknown;
  /** Instead of a result: the activity failed for good, with this message. */
  readonly failure?: string;
  readonly tookMs: number;
  /** A person cancels the execution while this is under way. */
  readonly cancels?: boolean;
};

export type SandboxRun = {
  /** As workflows/all.ts exports it. */
  readonly type: string;
  readonly id: string;
  readonly input: unknown;
  readonly startedAt: number;
  readonly answer: (call: ActivityCall) => ActivityAnswer;
};

/** More turns than any workflow with a bounded number of steps takes. */
const MOST_TURNS = 20_000;
const ACTIVITIES = new Set(['act', 'verify', 'notify', 'release']);
const TURN_LIMIT_MS = 10_000;

/**
 * What the workflow returned, and at what time of its own clock.
 * @throws when it failed, does not end, or asks its server for what it may not.
 */
export async function runInSandbox(run: SandboxRun): Promise<{ readonly result: unknown; readonly endedAt: number }> {
  const { codePath } = await loadWorkflowBundle();
  const code = parseWorkflowCode(await readFile(codePath, 'utf8'), codePath);
  const creator = await VMWorkflowCreator.create(code, TURN_LIMIT_MS, ACTIVITIES);
  const workflow = await creator.createWorkflow(createOptions(run));
  try {
    return await turns(run, workflow);
  } finally {
    await workflow.dispose();
    await creator.destroy();
  }
}

type Event = { readonly at: number; readonly job: Job };

async function turns(run: SandboxRun, workflow: Workflow): Promise<{ result: unknown; endedAt: number }> {
  const queue: Event[] = [{ at: run.startedAt, job: { initializeWorkflow: startOf(run) } }];
  for (let turn = 1; turn <= MOST_TURNS; turn += 1) {
    const next = takeFirst(queue);
    if (next === null) throw new Error('the workflow waits for something that nothing here will bring');
    const completion = await workflow.activate({
      runId: RUN_ID,
      timestamp: msToTs(next.at),
      isReplaying: false,
      historyLength: turn * 4,
      jobs: [next.job],
    });
    for (const command of commandsOf(completion)) {
      const ended = obey(command, run, next.at, queue);
      if (ended !== null) return { result: ended.result, endedAt: next.at };
    }
  }
  throw new Error(`the workflow did not end within ${MOST_TURNS} turns`);
}

/** The earliest; of several at one time the one that came first. */
function takeFirst(queue: Event[]): Event | null {
  const at = Math.min(...queue.map((event) => event.at));
  const index = queue.findIndex((event) => event.at === at);
  return queue.splice(index, 1)[0] ?? null;
}

function commandsOf(completion: Completion): readonly Command[] {
  const failure = completion.failed?.failure;
  if (failure !== undefined && failure !== null)
    throw new Error(`the workflow code failed: ${failure.message ?? 'no reason given'}`);
  return completion.successful?.commands ?? [];
}

/** Does what a server would; an object when the workflow has ended with that. */
function obey(command: Command, run: SandboxRun, at: number, queue: Event[]): { readonly result: unknown } | null {
  const { startTimer, cancelTimer, completeWorkflowExecution: completed, failWorkflowExecution: failed } = command;
  if (startTimer) {
    const { seq = 0, startToFireTimeout } = startTimer;
    queue.push({ at: at + tsToMs(startToFireTimeout), job: { fireTimer: { seq } } });
  } else if (cancelTimer) {
    const index = queue.findIndex(({ job }) => job.fireTimer?.seq === cancelTimer.seq);
    if (index >= 0) queue.splice(index, 1);
  } else if (command.scheduleActivity || command.scheduleLocalActivity) {
    schedule(command, run, at, queue);
  } else if (completed) {
    return { result: decoded(completed.result ? [completed.result] : []) };
  } else if (failed) throw new Error(`the workflow failed: ${failed.failure?.message ?? 'no reason given'}`);
  else if (command.cancelWorkflowExecution)
    throw new Error('the workflow ended as cancelled instead of with an outcome');
  else if (!IGNORED.some((name) => command[name]))
    throw new Error(`the workflow asks for ${Object.keys(command).join(', ')}`);
  return null;
}

/** Search attributes and patch markers change nothing here; an activity told to end is answered as the fake says. */
const IGNORED = [
  'upsertWorkflowSearchAttributes',
  'modifyWorkflowProperties',
  'setPatchMarker',
  'requestCancelActivity',
  'requestCancelLocalActivity',
] as const;

function schedule(command: Command, run: SandboxRun, at: number, queue: Event[]): void {
  const call = command.scheduleActivity ?? command.scheduleLocalActivity;
  const { seq = 0, activityType, arguments: given } = call ?? {};
  const answer = run.answer({ type: activityType ?? '', input: decoded(given ?? []), at });
  if (answer.cancels === true) queue.push({ at, job: { cancelWorkflow: { reason: 'a person cancelled it' } } });
  const isLocal = Boolean(command.scheduleLocalActivity);
  queue.push({ at: at + answer.tookMs, job: { resolveActivity: { seq, isLocal, result: resolutionOf(answer) } } });
}

const resolutionOf = ({
  result,
  failure,
}: ActivityAnswer): NonNullable<NonNullable<Job['resolveActivity']>['result']> =>
  failure === undefined
    ? { completed: { result: defaultPayloadConverter.toPayload(result ?? null) } }
    : { failed: { failure: { message: failure, applicationFailureInfo: { nonRetryable: true } } } };

const decoded = ([first]: readonly Payload[]): unknown =>
  first === undefined ? null : defaultPayloadConverter.fromPayload(first);

const RUN_ID = 'the-only-run';

const startOf = ({ type, id, input, startedAt }: SandboxRun): NonNullable<Job['initializeWorkflow']> => ({
  workflowType: type,
  workflowId: id,
  arguments: [defaultPayloadConverter.toPayload(input)],
  firstExecutionRunId: RUN_ID,
  attempt: 1,
  startTime: msToTs(startedAt),
});

function createOptions({ type, id, startedAt }: SandboxRun): WorkflowCreateOptions {
  const started = new Date(startedAt);
  return {
    info: {
      workflowId: id,
      runId: RUN_ID,
      workflowType: type,
      searchAttributes: {},
      typedSearchAttributes: new TypedSearchAttributes(),
      taskQueue: QUEUES.workflows,
      namespace: 'fettle',
      firstExecutionRunId: RUN_ID,
      originalExecutionRunId: RUN_ID,
      startTime: started,
      runStartTime: started,
      taskTimeoutMs: TURN_LIMIT_MS,
      attempt: 1,
      historyLength: 0,
      historySize: 0,
      continueAsNewSuggested: false,
      targetWorkerDeploymentVersionChanged: false,
      unsafe: {
        now: () => startedAt,
        isReplaying: false,
        isReplayingHistoryEvents: false,
        random: createUnsafeRandomSource(Math.random),
      },
    },
    // The same arguments give the same run.
    randomnessSeed: [1, 2, 3, 4, 5, 6, 7, 8],
    now: startedAt,
    showStackTraceSources: false,
  };
}

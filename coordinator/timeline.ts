/** An execution's story, read from its history: what was decided, permitted, done and proven, in the words of the API. */
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { ActInput, VerifyResult } from '../workflows/activities.ts';
import type { ApiEvent } from '../workflows/api.ts';
import type { ExecutionInput, ExecutionResult, StepRecord } from '../workflows/contract.ts';
import { START_MS } from '../workflows/gate/operations.ts';
import { timeOf, type Timestamp } from './timestamp.ts';

type PayloadList = { payloads?: Payload[] | null } | null | undefined;
/** The few fields that are read of Temporal's history events. */
export type HistoryEvent = {
  eventId?: { toString(): string } | number | null;
  eventTime?: Timestamp | null;
  workflowExecutionStartedEventAttributes?: { input?: PayloadList } | null;
  workflowExecutionCompletedEventAttributes?: { result?: PayloadList } | null;
  workflowExecutionFailedEventAttributes?: { failure?: { message?: string | null } | null } | null;
  workflowExecutionTerminatedEventAttributes?: { reason?: string | null } | null;
  workflowExecutionTimedOutEventAttributes?: object | null;
  workflowExecutionCancelRequestedEventAttributes?: { cause?: string | null } | null;
  activityTaskScheduledEventAttributes?: { activityType?: { name?: string | null } | null; input?: PayloadList } | null;
  activityTaskCompletedEventAttributes?: {
    scheduledEventId?: { toString(): string } | number | null;
    result?: PayloadList;
  } | null;
};

export type Story = {
  readonly input: ExecutionInput | null;
  readonly result: ExecutionResult | null;
  readonly steps: readonly StepRecord[];
  readonly timeline: readonly ApiEvent[];
};

/** What an act tells with its heartbeats while it is under way. */
export type ActProgress = {
  readonly step: string;
  readonly attempt: number;
  readonly node: string | null;
  readonly permittedAt: number | null;
};

const decode = (list: PayloadList): unknown => {
  const [first] = list?.payloads ?? [];
  return first === undefined ? null : defaultPayloadConverter.fromPayload(first);
};

const line = (at: number, event: string, message: string, more: Partial<ApiEvent> = {}): ApiEvent => ({
  at: new Date(at).toISOString(),
  event,
  message,
  ...more,
});

export function storyOf(events: readonly HistoryEvent[], underWay: readonly ActProgress[]): Story {
  const scheduled = new Map<string, { type: string; input: unknown }>();
  const timeline: ApiEvent[] = [];
  const steps: StepRecord[] = [];
  let input: ExecutionInput | null = null;
  let result: ExecutionResult | null = null;
  for (const event of events) {
    const at = timeOf(event.eventTime);
    const started = event.workflowExecutionStartedEventAttributes;
    if (started) {
      input = decode(started.input) as ExecutionInput | null;
      if (input !== null) timeline.push(...beginning(input, at));
    }
    const planned = event.activityTaskScheduledEventAttributes;
    if (planned) {
      const type = planned.activityType?.name ?? '';
      scheduled.set(String(event.eventId), { type, input: decode(planned.input) });
      if (type === 'verify') timeline.push(line(at, 'verifying', 'watching for proof that the fault is gone'));
    }
    const completed = event.activityTaskCompletedEventAttributes;
    if (completed) {
      const known = scheduled.get(String(completed.scheduledEventId));
      if (known?.type === 'act') {
        const record = decode(completed.result) as StepRecord | null;
        if (record !== null) {
          const call = (known.input as ActInput | null)?.call;
          if (call?.look === true) {
            // Of many looks the last one tells.
            if (steps.at(-1)?.step === record.step) steps.pop();
            timeline.push(lookLine(record, at));
          } else timeline.push(...stepLines(record, call?.undo === true, at));
          steps.push(record);
        }
      }
      if (known?.type === 'verify') timeline.push(verdictLine(decode(completed.result) as VerifyResult | null, at));
      if (known?.type === 'notify') timeline.push(line(at, 'notified', 'people were called'));
    }
    const cancel = event.workflowExecutionCancelRequestedEventAttributes;
    if (cancel) timeline.push(line(at, 'cancel_requested', cancel.cause ?? 'cancellation was requested'));
    const done = event.workflowExecutionCompletedEventAttributes;
    if (done) {
      result = decode(done.result) as ExecutionResult | null;
      const proof = input?.plan.definition.verify ?? null;
      if (result?.verified === true && proof !== null && 'action' in proof)
        timeline.push(line(at, 'verified', result.message));
      timeline.push(line(at, result?.outcome ?? 'failed', result?.message ?? 'it ended without a result'));
    }
    const broken = brokenEnd(event);
    if (broken !== null) timeline.push(line(at, 'failed', broken));
  }
  if (result === null) for (const act of underWay) timeline.push(...permitLine(act));
  return { input, result, steps, timeline };
}

const beginning = (input: ExecutionInput, at: number): ApiEvent[] => [
  line(input.startBy - START_MS, 'admitted', `by ${input.caller}: ${input.evidence.summary}`),
  line(at, 'started', input.dryRun ? 'dry run: nothing will be changed' : 'execution started'),
];

const permitLine = (act: Pick<ActProgress, 'step' | 'attempt' | 'node' | 'permittedAt'>): ApiEvent[] =>
  act.permittedAt === null ? [] : [line(act.permittedAt, 'permitted', 'the gate let it begin', where(act))];

const where = ({ step, attempt, node }: { step: string; attempt: number; node: string | null }): Partial<ApiEvent> => ({
  step,
  attempt,
  ...(node === null ? {} : { node }),
});

function stepLines(record: StepRecord, undo: boolean, at: number): ApiEvent[] {
  const lines = permitLine(record);
  const what = undo ? `undo: ${record.action}` : record.action;
  if (record.began !== null) lines.push(line(record.began, 'began', what, where(record)));
  const { result } = record;
  const said = result.status === 'done' ? doneText(record) : result.message;
  const event = result.status === 'done' ? 'ended' : result.status === 'no_permit' ? 'no_permit' : result.status;
  lines.push(line(record.ended ?? at, event, `${what}: ${said}`, where(record)));
  return lines;
}

function doneText({ began, ended, result }: StepRecord): string {
  const took = began === null || ended === null ? '' : ` in ${ended - began} ms`;
  const code = result.status === 'done' && result.output.exitCode !== null ? `, exit ${result.output.exitCode}` : '';
  return `done${took}${code}`;
}

function lookLine(record: StepRecord, at: number): ApiEvent {
  const { result, action } = record;
  const facts = result.status === 'done' ? Object.entries(result.output.facts).slice(0, 6) : [];
  const said =
    result.status === 'done' ? facts.map(([name, value]) => `${name}=${value}`).join(' ') || 'done' : result.message;
  return line(record.ended ?? at, 'looked', `${action}: ${said}`, where(record));
}

const verdictLine = (verdict: VerifyResult | null, at: number): ApiEvent =>
  line(at, verdict?.healthy === true ? 'verified' : 'not_healthy', verdict?.message ?? '');

function brokenEnd(event: HistoryEvent): string | null {
  if (event.workflowExecutionFailedEventAttributes) {
    return `the workflow failed: ${event.workflowExecutionFailedEventAttributes.failure?.message ?? 'no reason given'}`;
  }
  if (event.workflowExecutionTerminatedEventAttributes) {
    return `terminated on Temporal: ${event.workflowExecutionTerminatedEventAttributes.reason ?? 'no reason given'}`;
  }
  return event.workflowExecutionTimedOutEventAttributes ? 'timed out on Temporal' : null;
}

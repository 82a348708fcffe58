/** What is read of an event of the gate's history, whichever client call brought it. */
import type { Payload } from '@temporalio/common';
import type { Timestamp } from '../timestamp.ts';

type Payloads = { readonly payloads?: Payload[] | null } | null;

export type HistoryEvent = {
  readonly eventId?: { toString(): string } | null;
  readonly eventTime?: Timestamp | null;
  readonly workflowExecutionStartedEventAttributes?: {
    readonly continuedExecutionRunId?: string | null;
    readonly firstExecutionRunId?: string | null;
    /** Another run's id: a reset copied this one. */
    readonly originalExecutionRunId?: string | null;
    readonly input?: Payloads;
  } | null;
  readonly workflowExecutionContinuedAsNewEventAttributes?: { readonly newExecutionRunId?: string | null } | null;
  readonly workflowExecutionUpdateAcceptedEventAttributes?: {
    readonly acceptedRequest?: {
      readonly meta?: { readonly updateId?: string | null } | null;
      readonly input?: { readonly args?: Payloads } | null;
    } | null;
  } | null;
  readonly workflowExecutionUpdateCompletedEventAttributes?: {
    readonly meta?: { readonly updateId?: string | null } | null;
    readonly outcome?: { readonly success?: Payloads } | null;
  } | null;
  readonly activityTaskScheduledEventAttributes?: {
    readonly activityType?: { readonly name?: string | null } | null;
  } | null;
  readonly activityTaskCompletedEventAttributes?: {
    readonly scheduledEventId?: { toString(): string } | null;
    readonly result?: Payloads;
  } | null;
};

/** A fault as one trigger knows it, and the words in which the pure core speaks of it. */
import type { ApiDecision } from '../workflows/api.ts';
import type { Aim, Labels } from './aim.ts';

/** `wall` for what others read, milliseconds since the epoch; `mono` for what we measure, milliseconds that never go back. */
export type Clock = { readonly wall: number; readonly mono: number };

/** One series, or one alert, for which the condition holds. */
export type Sighting = {
  readonly labels: Labels;
  readonly value: number;
  /** Since when by the source's own word, milliseconds since the epoch; null when it does not know. */
  readonly since: number | null;
  /** False: not (or not yet again) true, and not over either, e.g. a pending alert. Begins nothing and ends nothing. */
  readonly certain: boolean;
};

export type TriggerLook =
  /** A whole and fresh answer. `evaluatedAt` is the source's clock, `askedAt` ours as we asked. */
  | {
      readonly kind: 'answer';
      readonly seen: readonly Sighting[];
      readonly askedAt: number;
      readonly evaluatedAt: number;
    }
  /** Neither true nor false. */
  | { readonly kind: 'failed' | 'partial' | 'stale'; readonly message: string };

export type Phase =
  /** Its `for` is not over, or a storm holds it, or its last request was dropped. */
  | { readonly kind: 'waiting' }
  /** A request is on its way. There is never a second one. */
  | { readonly kind: 'asked' }
  /** Admitted, or joined to an execution. At `askAt` (monotonic) the gate is asked whether it may be tried again. */
  | { readonly kind: 'joined'; readonly execution: string; readonly askAt: number }
  | { readonly kind: 'refused'; readonly message: string; readonly askAt: number }
  /** Waits at the coordinator, for a limit or a yes, and is started from there. Looked into again at `askAt`. */
  | { readonly kind: 'pending'; readonly pending: string; readonly message: string; readonly askAt: number }
  /** The workflow is in shadow mode: decided, and nothing runs. */
  | { readonly kind: 'shadow'; readonly message: string; readonly askAt: number }
  /** The coordinator will not have it (not allowed, unknown, invalid): asked for again rarely. */
  | { readonly kind: 'rejected'; readonly code: string; readonly askAt: number };

export type Fault = {
  readonly key: string;
  /** Identity: without the volatile labels. */
  readonly labels: Labels;
  /** All labels of the latest sighting. */
  readonly seriesLabels: Labels;
  readonly value: number;
  readonly aim: Aim;
  /** Milliseconds since the epoch: `since` of the source, else when this process first saw it. */
  readonly beganAt: number;
  readonly observedAt: number;
  /** When it was last seen, and for how long it is known to have held (monotonic milliseconds). */
  readonly seenAt: number;
  readonly heldMs: number;
  readonly phase: Phase;
  /** Number of the latest request; 0 = the coordinator knows nothing of this fault. */
  readonly asks: number;
  /** The code with which the latest requests were rejected, and how many in a row; null when the latest was decided. */
  readonly rejections: { readonly code: string; readonly times: number } | null;
  /** When to say again that it is still seen (monotonic). */
  readonly reportAt: number;
};

export type TriggerState = {
  readonly faults: ReadonlyMap<string, Fault>;
  /** More series at once than `max_series`: how many, else null. */
  readonly storm: number | null;
  readonly look: 'never' | TriggerLook['kind'];
};

export type Effect =
  | { readonly kind: 'request' | 'seen' | 'resolved'; readonly fault: Fault }
  /** Said once for each fault and problem. */
  | { readonly kind: 'unusable'; readonly fault: Fault; readonly problem: string }
  /** Requests on their way are to be called back. */
  | { readonly kind: 'storm_began'; readonly series: number }
  | { readonly kind: 'storm_ended'; readonly series: number }
  /** Said once for each fault and code. */
  | { readonly kind: 'rejected'; readonly fault: Fault; readonly code: string; readonly message: string };

export type Step = { readonly state: TriggerState; readonly effects: readonly Effect[] };

/** What became of a request. */
export type Outcome =
  | { readonly kind: 'decision'; readonly decision: ApiDecision }
  /** Never decided: evidence void, outbox full, called back in a storm, fault over. */
  | { readonly kind: 'dropped'; readonly reason: 'void' | 'full' | 'storm' | 'over' | 'stopped' }
  | { readonly kind: 'rejected'; readonly code: string; readonly message: string; readonly retryAfterS: number | null };

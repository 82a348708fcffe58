import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** How a trigger stands, as `fettle_trigger_state` shows it. */
export const TRIGGER_STATES = ['never_looked', 'quiet', 'holds', 'storm', 'cannot_tell'] as const;
export type TriggerStanding = (typeof TRIGGER_STATES)[number];

/** Every metric of the trigger daemon. */
export function triggerMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[]): Gauge<T> =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  return {
    looks: counter('fettle_trigger_looks_total', 'Looks at the source, by result: answer, failed, partial, stale', [
      'trigger',
      'result',
    ]),
    lookSeconds: new Histogram({
      name: 'fettle_trigger_look_seconds',
      help: 'Time one look took',
      labelNames: ['trigger'] as const,
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    }),
    lag: gauge('fettle_trigger_lag_seconds', 'How much later than planned the latest look began', ['trigger']),
    lastAnswer: gauge(
      'fettle_trigger_last_answer_timestamp_seconds',
      'When the source last gave a whole and fresh answer',
      ['trigger'],
    ),
    state: gauge('fettle_trigger_state', '1 for the state the trigger is in', ['trigger', 'state']),
    faults: gauge('fettle_trigger_faults', 'Faults known, by phase', ['trigger', 'phase']),
    held: gauge('fettle_trigger_held_series', 'Series held by the storm brake; 0 = no storm', ['trigger']),
    storms: counter('fettle_trigger_storms_total', 'Times the storm brake closed', ['trigger']),
    unusable: counter(
      'fettle_trigger_unusable_total',
      'Faults for which nothing can be asked: a label is missing or disagrees',
      ['trigger'],
    ),
    requests: counter(
      'fettle_trigger_requests_total',
      'Requests by decision; rejected = not allowed, unknown or invalid',
      ['trigger', 'decision'],
    ),
    reports: counter('fettle_trigger_reports_total', 'Reports of faults seen or resolved, by result', [
      'trigger',
      'state',
      'result',
    ]),
    sendFailures: counter('fettle_trigger_send_failures_total', 'Tries that got no answer from a coordinator', [
      'trigger',
    ]),
    dropped: counter('fettle_trigger_dropped_total', 'Messages never delivered, by reason', ['trigger', 'reason']),
    waiting: gauge('fettle_trigger_outbox_messages', 'Messages waiting for the coordinator', []),
  };
}
export type TriggerMetrics = ReturnType<typeof triggerMetrics>;

/** Phases as `fettle_trigger_faults` counts them. */
export const FAULT_PHASES = ['waiting', 'asked', 'joined', 'pending', 'shadow', 'refused', 'rejected'] as const;

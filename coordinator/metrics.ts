/** Every metric of a coordinator, in one place. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type CoordinatorMetrics = {
  readonly decisions: Counter<'decision' | 'workflow'>;
  readonly batchOperations: Histogram;
  readonly batchSeconds: Histogram;
  readonly steps: Counter<'action' | 'status'>;
  readonly forgeries: Counter;
  readonly requestSeconds: Histogram<'route' | 'status'>;
  readonly configProblems: Gauge<'file'>;
  readonly breakGlass: Counter<'workflow'>;
};

export function coordinatorMetrics(registry: Registry): CoordinatorMetrics {
  const registers = [registry];
  return {
    decisions: new Counter({
      name: 'fettle_coordinator_decisions_total',
      help: 'Requests decided, by decision (admitted, duplicate, pending, shadow, refused, ended = waited in vain) and workflow',
      labelNames: ['decision', 'workflow'],
      registers,
    }),
    batchOperations: new Histogram({
      name: 'fettle_coordinator_gate_batch_operations',
      help: 'Operations that shared one Update of the gate',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200],
      registers,
    }),
    batchSeconds: new Histogram({
      name: 'fettle_coordinator_gate_batch_seconds',
      help: 'Time from sending a batch to the gate until its answer',
      buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    steps: new Counter({
      name: 'fettle_coordinator_steps_total',
      help: 'Step attempts ended, by action and status',
      labelNames: ['action', 'status'],
      registers,
    }),
    forgeries: new Counter({
      name: 'fettle_coordinator_unverified_answers_total',
      help: 'Answers of agents that did not check: an alarm',
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'fettle_coordinator_http_request_seconds',
      help: 'Time to answer, by route and status',
      labelNames: ['route', 'status'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    breakGlass: new Counter({
      name: 'fettle_coordinator_break_glass_total',
      help: 'Requests approved without a second person and through closed windows, by workflow: somebody should ask why',
      labelNames: ['workflow'],
      registers,
    }),
    configProblems: new Gauge({
      name: 'fettle_coordinator_config_problems',
      help: 'Problems of a configuration file that keep its older version in force; 0 = the file is in force',
      labelNames: ['file'],
      registers,
    }),
  };
}

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
  readonly auditFailing: Gauge;
  readonly breakGlass: Counter<'workflow'>;
  readonly admissionSeconds: Histogram<'decision'>;
  readonly refusals: Counter<'workflow' | 'limit'>;
  readonly agentTokens: Counter<'result'>;
  readonly otherMachines: Counter<'via'>;
};

/** What is found out when somebody scrapes; those of the gate are without a value while it does not answer. */
export type GateGauges = {
  readonly ready: Gauge;
  readonly strays: Gauge;
  readonly up: Gauge;
  readonly quarantined: Gauge;
  readonly opening: Gauge;
  readonly epoch: Gauge;
  readonly takeovers: Gauge;
  readonly leases: Gauge;
  readonly orphaned: Gauge;
  readonly waiting: Gauge;
  readonly virtual: Gauge;
  readonly historyEvents: Gauge;
  readonly pauses: Gauge;
  readonly pausedSeconds: Gauge;
  readonly breakers: Gauge<'workflow'>;
  readonly windows: Gauge;
  readonly differing: Gauge;
  readonly fleetAge: Gauge;
  readonly limitAllowed: Gauge<LimitLabel>;
  readonly limitFree: Gauge<LimitLabel>;
};
type LimitLabel = 'workflow' | 'limit' | 'scope' | 'of';

/** `refresh` is waited for by each scrape, and sets the values. */
export function gateGauges(registry: Registry, refresh: () => Promise<void>): GateGauges {
  const gauge = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> =>
    new Gauge<Label>({ name: `fettle_${name}`, help, labelNames, registers: [registry], collect: refresh });
  const limit: LimitLabel[] = ['workflow', 'limit', 'scope', 'of'];
  return {
    ready: gauge('coordinator_ready', '1 when requests can be decided here, as /readyz says'),
    strays: gauge(
      'coordinator_stray_executions',
      'Executions that run without a lease or with another plan than the one admitted; no value: not looked at',
    ),
    up: gauge(
      'gate_up',
      'Whether the gate answered this coordinator when asked last; the others have no value while it does not',
    ),
    quarantined: gauge('gate_quarantined', '1 while the gate decides nothing until a person adopts it'),
    opening: gauge('gate_opening', '1 while the gate, having taken over from a lost run, looks at all leases first'),
    epoch: gauge('gate_epoch', 'Grows with each takeover and each adoption'),
    takeovers: gauge('gate_takeovers', 'How often the gate took over from a lost run'),
    leases: gauge('gate_leases', 'Leases held'),
    orphaned: gauge('gate_leases_orphaned', 'Leases kept without proof that their hosts are done'),
    waiting: gauge('gate_waiting', 'Requests that wait, for limits or for a yes'),
    virtual: gauge('gate_virtual_leases', 'Leases that only decisions of workflows in shadow count'),
    historyEvents: gauge('gate_history_events', "Length of the gate's current run"),
    pauses: gauge('gate_pauses', 'Pauses in force'),
    pausedSeconds: gauge('gate_paused_seconds', 'How long the oldest pause has been in force; 0 without any'),
    breakers: gauge('gate_breakers_open', 'Breakers that suspend a workflow until a person resumes it', ['workflow']),
    windows: gauge('gate_windows_in_force', 'Windows in force now'),
    differing: gauge(
      'gate_workflows_differing',
      'Workflows that coordinators define differently: the strictest limits hold',
    ),
    fleetAge: gauge(
      'gate_fleet_report_age_seconds',
      'Age of the youngest report of the fleet; no value: there is none',
    ),
    limitAllowed: gauge('gate_limit_allowed', 'What a limit allows; workflow is empty for a fleet-wide one', limit),
    limitFree: gauge('gate_limit_free', 'What is left of it', limit),
  };
}

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
    auditFailing: new Gauge({
      name: 'fettle_coordinator_audit_failing',
      help: '1 while audit lines cannot be written to their file',
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
    admissionSeconds: new Histogram({
      name: 'fettle_coordinator_admission_seconds',
      help: 'Time to decide a request, its start included, by decision; "none": it could not be decided, or was not well formed',
      labelNames: ['decision'],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    agentTokens: new Counter({
      name: 'fettle_coordinator_agent_tokens_total',
      help: "Tokens asked for by agents, by result (issued, no_agent, not_in_inventory, node_revoked, other_machine, unreadable = the node's record could not be read)",
      labelNames: ['result'],
      registers,
    }),
    otherMachines: new Counter({
      name: 'fettle_coordinator_other_machines_total',
      help: 'Times that another machine than the pinned one spoke as a node, by receipt or asking for a token: an alarm',
      labelNames: ['via'],
      registers,
    }),
    refusals: new Counter({
      name: 'fettle_coordinator_refusals_total',
      help: 'Limits that stood in the way of refused requests, by workflow and limit: a request that two refused counts for both',
      labelNames: ['workflow', 'limit'],
      registers,
    }),
  };
}

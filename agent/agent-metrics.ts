import { Counter, Gauge, type Registry } from 'prom-client';

/** Every metric of an agent, in one place. */
export type AgentMetrics = {
  /** Labels: action, result (`done failed refused unknown`). */
  readonly actions: Counter<'action' | 'result'>;
  /** Label: the stable code. */
  readonly refusals: Counter<'code'>;
  readonly running: Gauge;
  /** 1 while Temporal answers. */
  readonly connected: Gauge;
  readonly ledgerEntries: Gauge;
};

export function createAgentMetrics(registry: Registry): AgentMetrics {
  const registers = [registry];
  return {
    actions: new Counter({
      name: 'fettle_agent_actions_total',
      help: 'Actions answered, by how they ended; repeats of a recorded answer are not counted.',
      labelNames: ['action', 'result'],
      registers,
    }),
    refusals: new Counter({
      name: 'fettle_agent_refusals_total',
      help: 'Orders refused, by code.',
      labelNames: ['code'],
      registers,
    }),
    running: new Gauge({ name: 'fettle_agent_running_actions', help: 'Actions at work now.', registers }),
    connected: new Gauge({ name: 'fettle_agent_connected', help: '1 while Temporal answers, else 0.', registers }),
    ledgerEntries: new Gauge({
      name: 'fettle_agent_ledger_entries',
      help: 'Attempts on record on this host.',
      registers,
    }),
  };
}

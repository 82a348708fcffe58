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
  /** Label: result (`renewed refused failed`). */
  readonly tokenRenewals: Counter<'result'>;
};

/** Only where coordinators give the credential; `seconds` is asked at each scrape. */
export const serveTokenMetric = (registry: Registry, seconds: () => number): Gauge =>
  new Gauge({
    name: 'fettle_agent_token_valid_seconds',
    help: 'How long the Temporal token of the coordinators is still valid; 0: there is none.',
    registers: [registry],
    collect() {
      this.set(seconds());
    },
  });

/** Looked up at each scrape. */
export function serveStandingMetrics(
  registry: Registry,
  { braked, rulesRefused }: { readonly braked: () => Promise<boolean>; readonly rulesRefused: () => boolean },
): void {
  const registers = [registry];
  void new Gauge({
    name: 'fettle_agent_braked',
    help: "1 while the host's brake file is there: nothing new is done.",
    registers,
    async collect() {
      this.set((await braked()) ? 1 : 0);
    },
  });
  void new Gauge({
    name: 'fettle_agent_rules_refused',
    help: '1 while the files of rules are bad as last read, and the old rules are in force.',
    registers,
    collect() {
      this.set(rulesRefused() ? 1 : 0);
    },
  });
}

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
    tokenRenewals: new Counter({
      name: 'fettle_agent_token_renewals_total',
      help: 'Tokens asked of coordinators, by how that ended: renewed, refused (by the coordinator), failed (none was reached).',
      labelNames: ['result'],
      registers,
    }),
    ledgerEntries: new Gauge({
      name: 'fettle_agent_ledger_entries',
      help: 'Attempts on record on this host.',
      registers,
    }),
  };
}

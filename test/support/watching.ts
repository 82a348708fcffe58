/** A trigger daemon for tests, and a trigger for it. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { PrometheusSourceConfig } from '../../config/connections.ts';
import type { TriggerConfig, TriggerDaemonConfig } from '../../config/trigger-daemon.ts';
import { openSourcePool } from '../../sources/source-pool.ts';
import type { CoordinatorPort } from '../../trigger-daemon/coordinator-port.ts';
import { startTriggerDaemon } from '../../trigger-daemon/trigger-daemon.ts';

export const sourceConfig = (url: string): PrometheusSourceConfig => ({
  kind: 'prometheus',
  name: 'main',
  url,
  headers: {},
  parameters: {},
  auth: { kind: 'none' },
  tls: null,
  timeoutMs: 2_000,
  maxBytes: 1_000_000,
});

export const webWedged: TriggerConfig = {
  place: { file: 'web.hcl', line: 1, column: 1 },
  name: 'web-wedged',
  source: 'prometheus.main',
  condition: { kind: 'query', query: 'probe_success{job="web"} == 0' },
  everyMs: 200,
  forMs: 400,
  workflow: 'restart-service',
  target: { kind: 'node', value: { template: [{ ref: 'labels.node' }] } },
  nodeTypes: ['web'],
  args: { unit: 'web.service' },
  validForMs: 60_000,
  maxSeries: 3,
  volatileLabels: ['instance'],
  gapMs: 30_000,
  againMs: null,
  waitMs: 0,
};

const daemonConfig = (name: string): TriggerDaemonConfig => ({
  name,
  identity: { certificate: '', key: '', bundle: '', federated: [] },
  coordinators: [],
  coordinatorId: 'spiffe://example.com/coordinator',
  triggersDir: '',
  sources: [],
  metricsListen: { host: '127.0.0.1', port: 0 },
});

/** A whole trigger daemon over one Prometheus, quick to retry; `change` puts other triggers in force. */
export async function startDaemon(
  url: string,
  client: CoordinatorPort,
  triggers: readonly TriggerConfig[],
  name = 'watcher-1',
) {
  const pool = openSourcePool([sourceConfig(url)]);
  const metrics = new Registry();
  const log: string[] = [];
  const listeners = new Set<() => void>();
  let inForce = triggers;
  const daemon = await startTriggerDaemon(daemonConfig(name), {
    client,
    triggers: () => inForce,
    onTriggersChanged: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    sourceFor: pool.get,
    log: pino({ level: 'debug' }, { write: (line) => log.push(line) }),
    metrics,
    outbox: { backoff: { firstMs: 20, mostMs: 100 } },
  });
  return {
    ...daemon,
    /** Lines of the log that hold the text. */
    logged: (text: string): string[] => log.filter((line) => line.includes(text)),
    change: (next: readonly TriggerConfig[]): void => {
      inForce = next;
      for (const listener of listeners) listener();
    },
    /** The same source at another address, as after an edit of the file. */
    moveSource: (to: string): void => {
      pool.update([sourceConfig(to)]);
      for (const listener of listeners) listener();
    },
    metric: async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const found = await metrics.getSingleMetric(name)?.get();
      const wanted = Object.entries(labels);
      const values =
        found?.values.filter((value) => wanted.every(([key, text]) => Reflect.get(value.labels, key) === text)) ?? [];
      return values.reduce((sum, value) => sum + value.value, 0);
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      pool.close();
    },
  };
}

import { isDeepStrictEqual } from 'node:util';
import { type PrometheusSourceConfig, sourceAddress } from '../config/connections.ts';
import type { MetricSource } from './metric-source.ts';
import { prometheusSource } from './prometheus.ts';

/** Sources by address, as files name them now. */
export type SourcePool = {
  readonly get: (address: string) => MetricSource | undefined;
  /** Opens what is new, closes what is gone or changed; what is as it was keeps its connections. */
  readonly update: (configs: readonly PrometheusSourceConfig[]) => void;
  readonly close: () => void;
};

export function openSourcePool(configs: readonly PrometheusSourceConfig[] = []): SourcePool {
  const open = new Map<string, { readonly config: PrometheusSourceConfig; readonly source: MetricSource }>();
  const update = (next: readonly PrometheusSourceConfig[]): void => {
    const wanted = new Map(next.map((config) => [sourceAddress(config), config]));
    for (const [address, { config, source }] of open) {
      if (isDeepStrictEqual(config, wanted.get(address))) continue;
      source.close();
      open.delete(address);
    }
    for (const [address, config] of wanted)
      if (!open.has(address)) open.set(address, { config, source: prometheusSource(config) });
  };
  update(configs);
  return { get: (address) => open.get(address)?.source, update, close: () => update([]) };
}

import type { HostPort, IdentityConfig, PrometheusSourceConfig } from './connections.ts';
import type { Place } from './problem.ts';
import type { ArgValue, Text } from './workflow.ts';

export type TriggerConfig = {
  readonly place: Place;
  readonly name: string;
  /** A source block's address, e.g. `prometheus.main`. */
  readonly source: string;
  readonly condition:
    | { readonly kind: 'query'; readonly query: string }
    /** A rule that Prometheus itself evaluates, by its `alertname`. */
    | { readonly kind: 'alert'; readonly alert: string };
  readonly everyMs: number;
  readonly forMs: number;
  readonly workflow: string;
  readonly target: { readonly kind: 'node' | 'node_type' | 'datacenter'; readonly value: Text };
  /** A label may name only nodes of these types; null = not bound. */
  readonly nodeTypes: readonly string[] | null;
  readonly args: Readonly<Record<string, ArgValue>>;
  readonly validForMs: number;
  readonly maxSeries: number;
  /** Labels that are not part of the fault's identity. */
  readonly volatileLabels: readonly string[];
  /** `gap`: unseen for this long, the fault is over; default the larger of 3 x every and 30 s. */
  readonly gapMs: number;
  /** `again`: a fault that outlives its remedy may be tried again after this long; null = never in one episode. */
  readonly againMs: number | null;
};

export type TriggerDaemonConfig = {
  /** `name`: the observer's name; default the host's name. */
  readonly name: string;
  readonly identity: IdentityConfig;
  /** `coordinator { addresses = ["https://c1:7443"], id = "spiffe://example.com/coordinator" }` */
  readonly coordinators: readonly string[];
  readonly coordinatorId: string;
  readonly triggersDir: string;
  readonly sources: readonly PrometheusSourceConfig[];
  readonly metricsListen: HostPort | null;
};

import { hostname } from 'node:os';
import {
  everyOne,
  identityBlock,
  identityOf,
  metricsBlock,
  metricsOf,
  roleName,
  sourceBlock,
  sourceOf,
  type HostPort,
  type IdentityConfig,
  type PrometheusSourceConfig,
} from './connections.ts';
import type { Place } from './problem.ts';
import { block, many, needed, one, optional, required, withDefault, type ReadOptions, type Section } from './schema.ts';
import { path, spiffeId, url } from './value-addresses.ts';
import { listOf } from './value-collections.ts';
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
  /** `wait`: how long a request that limits refuse waits for them; 0 = not at all. */
  readonly waitMs: number;
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

export const triggerDaemonFile = block({
  doc: 'The trigger daemon: what it watches, and whom it asks.',
  attributes: {
    name: optional(
      roleName,
      "The observer's name: tells daemons apart that watch the same source. Default: the host's name.",
    ),
    triggers_dir: withDefault(
      path,
      'Folder of trigger files. Read again when a file changes.',
      '/etc/fettle/triggers.d',
      '"/etc/fettle/triggers.d"',
    ),
  },
  blocks: {
    identity: needed(identityBlock),
    coordinator: needed(
      block({
        doc: 'Whom to ask.',
        attributes: {
          addresses: required(
            listOf(url, { min: 1, max: 16 }),
            'Coordinators, tried in this order, e.g. `["https://c1.example.com:7443"]`.',
          ),
          id: required(spiffeId, 'The SPIFFE id that the coordinator must show.'),
        },
      }),
    ),
    source: many(sourceBlock),
    metrics: one(metricsBlock),
  },
});

export function triggerDaemonOf(
  section: Section<typeof triggerDaemonFile>,
  { problems }: ReadOptions,
): TriggerDaemonConfig | null {
  const { blocks } = section;
  const identity = identityOf(blocks.identity[0]);
  const coordinator = blocks.coordinator[0]?.values;
  const sources = everyOne(blocks.source.map((source) => sourceOf(source, problems)));
  if (blocks.metrics[0]?.values === null) return null;
  if (section.values === null || identity === null || !coordinator || sources === null) return null;
  const { name, triggers_dir: triggersDir } = section.values;
  const whom = { coordinators: coordinator.addresses, coordinatorId: coordinator.id.text };
  return {
    name: name ?? hostname(),
    identity,
    ...whom,
    triggersDir,
    sources,
    metricsListen: metricsOf(blocks.metrics[0]),
  };
}

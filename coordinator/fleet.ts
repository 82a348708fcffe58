/**
 * Which nodes there are, and which of them answer. Nodes come from the inventory file and from agents' heartbeats; heartbeats are kept
 * in matching's memory and are a hint, so an empty view right after a start says "warming up", never "there are no nodes".
 */
import type { Logger } from 'pino';
import type { InventoryNode } from '../config/inventory.ts';
import { agentIdentity, nodeQueue, type NodePlace } from '../workflows/contract.ts';
import type { Temporal } from './temporal.ts';
import { timeOf } from './timestamp.ts';

/** Agents beat every 30 s; two may be lost. */
const ALIVE_MS = 75_000;
const REFRESH_MS = 2_000;
/** A view older than this is not served while a newer one is fetched. */
const STALE_MS = 10_000;
/** Who is alive is judged again so often. */
const MERGED_MS = 1_000;
/** So many silent nodes are asked about for one census. */
const CENSUS_MAX = 200;
/** A node's queue seen polled is not asked about again for so long. */
const POLLED_MS = 3_000;
/** A node that asked for no token for so long is down, whatever beats under its name. */
const RENEWED_MS = 5 * 60_000;
/** Agents ask every coordinator every two minutes at the latest: by then a coordinator has heard of each that is up. */
const RENEWALS_KNOWN_MS = 150_000;
const PAGE = 1_000;
const ACTIVITY_QUEUE = 2;

export type FleetNode = NodePlace & {
  readonly labels: Readonly<Record<string, string>>;
  readonly inInventory: boolean;
  /** Milliseconds since the epoch; null = never seen by this view. */
  readonly lastSeen: number | null;
  readonly alive: boolean;
};

export type FleetView = {
  readonly state: 'ready' | 'warming_up' | 'unreachable';
  /** By name; more than one place under a name is an ambiguity that nobody may act on. */
  readonly nodes: ReadonlyMap<string, readonly FleetNode[]>;
};

export type Fleet = {
  readonly view: () => Promise<FleetView>;
  /** The view, with those whose agent has not beaten yet looked for where orders wait: for people, not for the way of a request. */
  readonly census: () => Promise<FleetView>;
  /** Whether anybody polls the node's own queue right now: fresher than heartbeats, one call. */
  readonly polled: (place: NodePlace) => Promise<boolean>;
  /** The same of any queue of agents. */
  readonly queuePolled: (queue: string) => Promise<boolean>;
  /**
   * Every node of the inventory: up is whose agent beats or takes orders, and
   * renews its token where tokens are given. Null while that cannot be told. Of many that are silent some are asked
   * about each time; the others count as down until their turn.
   */
  readonly standing: () => Promise<readonly FleetNode[] | null>;
  readonly setInventory: (nodes: readonly InventoryNode[]) => void;
};

export function watchFleet(options: {
  readonly temporal: Temporal;
  readonly agentsNamespace: string;
  readonly inventory: readonly InventoryNode[];
  readonly log: Logger;
  /** When a node last got a token here; absent where no tokens are given. Milliseconds since the epoch. */
  readonly renewedAt?: (place: NodePlace) => number | null;
}): Fleet {
  const { temporal, agentsNamespace, log } = options;
  const started = Date.now();
  let inventory = options.inventory;
  let beats = new Map<string, { place: NodePlace; at: number }>();
  let fetched = 0;
  let reachable = true;
  let refreshing: Promise<void> | null = null;
  const polled = new Map<string, number>();

  const refresh = async (): Promise<void> => {
    try {
      beats = await heartbeats(temporal, agentsNamespace);
      reachable = true;
    } catch (error) {
      if (reachable) log.warn({ error }, "cannot read agents' heartbeats");
      reachable = false;
    }
    fetched = Date.now();
    refreshing = null;
  };
  let last = { inventory, beats, at: 0, nodes: new Map<string, FleetNode[]>() };
  /** A storm asks for the view a thousand times a second. */
  const merged = (): ReadonlyMap<string, readonly FleetNode[]> => {
    const now = Date.now();
    if (last.inventory !== inventory || last.beats !== beats || now - last.at > MERGED_MS)
      last = { inventory, beats, at: now, nodes: merge(inventory, beats) };
    return last.nodes;
  };
  const view = async (): Promise<FleetView> => {
    const age = Date.now() - fetched;
    if (age > REFRESH_MS) refreshing ??= refresh();
    if (age > STALE_MS) await refreshing;
    const nodes = merged();
    const young = inventory.length === 0 && beats.size === 0 && Date.now() - started < ALIVE_MS;
    return { state: !reachable ? 'unreachable' : young ? 'warming_up' : 'ready', nodes };
  };
  const askWhoPolls = async (name: string): Promise<boolean> => {
    const answer = await temporal.call('ask who polls a queue', () =>
      temporal.connection.workflowService.describeTaskQueue({
        namespace: agentsNamespace,
        taskQueue: { name },
        // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the enum lives in generated code that is no dependency of ours
        taskQueueType: ACTIVITY_QUEUE,
      }),
    );
    const latest = Math.max(0, ...(answer.pollers ?? []).map((poller) => timeOf(poller.lastAccessTime)));
    const fresh = Date.now() - latest < ALIVE_MS;
    if (fresh) polled.set(name, Date.now());
    return fresh;
  };
  /** Who asks while somebody else does shares the answer. */
  const asking = new Map<string, Promise<boolean>>();
  const queuePolled = async (name: string): Promise<boolean> => {
    if (Date.now() - (polled.get(name) ?? 0) < POLLED_MS) return true;
    const shared = asking.get(name) ?? askWhoPolls(name).finally(() => asking.delete(name));
    asking.set(name, shared);
    return shared;
  };
  const isPolled = (place: NodePlace): Promise<boolean> => queuePolled(nodeQueue(place.datacenter, place.node));
  const silence = new Map<string, Silence>();
  return {
    view,
    polled: isPolled,
    queuePolled,
    census: async () => {
      const seen = await view();
      const silent = [...seen.nodes.values()].flat().filter((node) => !node.alive);
      const found = new Set<FleetNode>();
      await Promise.allSettled(
        silent.slice(0, CENSUS_MAX).map(async (node) => (await isPolled(node)) && found.add(node)),
      );
      const counted = [...seen.nodes].map(
        ([name, nodes]) => [name, nodes.map((node) => (found.has(node) ? { ...node, alive: true } : node))] as const,
      );
      return { state: seen.state, nodes: new Map(counted) };
    },
    standing: async () => {
      const { state, nodes } = await view();
      if (state !== 'ready') return null;
      const own = await listed([...nodes.values()].flat(), silence, isPolled);
      return options.renewedAt === undefined ? own : renewing(own, options.renewedAt, started);
    },
    setInventory: (nodes) => {
      inventory = nodes;
    },
  };
}

/**
 * Heartbeats alone can be invented by whoever reaches the agents' namespace: a node is up only if it also renewed its own token here. Null
 * while this coordinator has not run long enough for all to have asked it.
 */
export function renewing(
  nodes: readonly FleetNode[],
  renewedAt: (place: NodePlace) => number | null,
  started: number,
  now = Date.now(),
): FleetNode[] | null {
  const renewed = (node: FleetNode): boolean => now - (renewedAt(node) ?? 0) < RENEWED_MS;
  if (now - started < RENEWALS_KNOWN_MS && nodes.some((node) => node.alive && !renewed(node))) return null;
  return nodes.map((node) => ({ ...node, alive: node.alive && renewed(node) }));
}

/** When a silent node was asked about last, and when its queue was last seen polled; milliseconds since the epoch. */
type Silence = { readonly asked: number; readonly polled: number };

async function listed(
  nodes: readonly FleetNode[],
  silence: Map<string, Silence>,
  isPolled: (place: NodePlace) => Promise<boolean>,
): Promise<FleetNode[]> {
  const own = nodes.filter((node) => node.inInventory);
  const silent = own.filter((node) => !node.alive);
  const names = new Set(silent.map(({ node }) => node));
  for (const node of silence.keys()) if (!names.has(node)) silence.delete(node);
  const askedAt = ({ node }: FleetNode): number => silence.get(node)?.asked ?? 0;
  const next = silent.toSorted((a, b) => askedAt(a) - askedAt(b)).slice(0, CENSUS_MAX);
  await Promise.all(
    next.map(async (node) => {
      const asked = Date.now();
      const polled = (await isPolled(node)) ? asked : (silence.get(node.node)?.polled ?? 0);
      silence.set(node.node, { asked, polled });
    }),
  );
  const up = ({ node, alive }: FleetNode): boolean => alive || Date.now() - (silence.get(node)?.polled ?? 0) < ALIVE_MS;
  return own.map((node) => ({ ...node, alive: up(node) }));
}

async function heartbeats(
  temporal: Temporal,
  namespace: string,
): Promise<Map<string, { place: NodePlace; at: number }>> {
  const found = new Map<string, { place: NodePlace; at: number }>();
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await temporal.call('list agents', () =>
      temporal.connection.workflowService.listWorkers({ namespace, pageSize: PAGE, nextPageToken }),
    );
    for (const { workerHeartbeat } of page.workersInfo ?? []) {
      const identity = workerHeartbeat?.workerIdentity ?? '';
      const place = parseIdentity(identity);
      if (place === null) continue;
      const at = timeOf(workerHeartbeat?.heartbeatTime);
      if (at > (found.get(identity)?.at ?? 0)) found.set(identity, { place, at });
    }
    nextPageToken = page.nextPageToken ?? new Uint8Array();
  } while (nextPageToken.length > 0);
  return found;
}

const NAME = /^[A-Za-z0-9._-]+$/;

/** `fettle-agent/<datacenter>/<type>/<node>`; anything else is not an agent's. */
export function parseIdentity(identity: string): NodePlace | null {
  const [kind, datacenter = '', nodeType = '', node = '', ...rest] = identity.split('/');
  if (kind !== 'fettle-agent' || rest.length > 0) return null;
  return [datacenter, nodeType, node].every((part) => NAME.test(part)) ? { datacenter, nodeType, node } : null;
}

/** The inventory's word on type, datacenter and labels goes before a heartbeat's. */
function merge(
  inventory: readonly InventoryNode[],
  beats: ReadonlyMap<string, { place: NodePlace; at: number }>,
): Map<string, FleetNode[]> {
  const nodes = new Map<string, FleetNode[]>();
  const alive = (at: number | null): boolean => at !== null && Date.now() - at < ALIVE_MS;
  const listed = new Set(inventory.map((entry) => entry.node));
  for (const { node, nodeType, datacenter, labels } of inventory) {
    const lastSeen = beats.get(agentIdentity({ node, nodeType, datacenter }))?.at ?? null;
    nodes.set(node, [{ node, nodeType, datacenter, labels, inInventory: true, lastSeen, alive: alive(lastSeen) }]);
  }
  for (const { place, at } of beats.values()) {
    if (listed.has(place.node)) continue;
    const same = nodes.get(place.node) ?? [];
    same.push({ ...place, labels: {}, inInventory: false, lastSeen: at, alive: alive(at) });
    nodes.set(place.node, same);
  }
  return nodes;
}

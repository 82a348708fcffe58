/** From what a caller wrote to named things. Empty, unknown and ambiguous are errors that list what exists; never "all". */
import type { ApiTarget } from '../workflows/api.ts';
import type { Target, WorkflowDefinition } from '../workflows/contract.ts';
import type { Fleet, FleetNode, FleetView } from './fleet.ts';
import { ApiFailure } from './service.ts';
import { sharedQueue, SharedQueueError } from './shared-queue.ts';
import { whatExists } from './what-exists.ts';

/** What is named, whether or not anything there takes orders now. @throws ApiFailure 404, 422 or 503 */
export async function describeTarget(fleet: Fleet, wanted: ApiTarget): Promise<Target> {
  const view = await fleet.view();
  if ('node' in wanted) return toTarget(theNode(view, wanted.node));
  if ('node_type' in wanted) return typeTarget(view, wanted.node_type, wanted.datacenter ?? null);
  return datacenterTarget(view, wanted.datacenter);
}

/** @throws ApiFailure 404, 422 or 503 */
export async function resolveTarget(fleet: Fleet, wanted: ApiTarget, definition: WorkflowDefinition): Promise<Target> {
  const target = await namedTarget(fleet, wanted, definition);
  if (definition.taskQueueTarget.kind !== 'node') await requireSomebody(fleet, target, definition);
  return target;
}

async function namedTarget(fleet: Fleet, wanted: ApiTarget, definition: WorkflowDefinition): Promise<Target> {
  const view = await fleet.view();
  if ('node' in wanted) return nodeTarget(fleet, view, wanted.node, definition);
  if (definition.taskQueueTarget.kind === 'node') {
    throw new ApiFailure(
      422,
      'target_needs_node',
      `workflow "${definition.name}" runs on the node that it heals: name one node, e.g. --node ${exampleNode(view)}`,
    );
  }
  if ('node_type' in wanted) return typeTarget(view, wanted.node_type, wanted.datacenter ?? null);
  return datacenterTarget(view, wanted.datacenter);
}

async function nodeTarget(
  fleet: Fleet,
  view: FleetView,
  name: string,
  definition: WorkflowDefinition,
): Promise<Target> {
  const node = theNode(view, name);
  if (definition.taskQueueTarget.kind === 'node') await requireAgent(fleet, node);
  return toTarget(node);
}

const toTarget = ({ node, datacenter, nodeType, labels }: FleetNode): Target => ({
  kind: 'node',
  node,
  nodeType,
  datacenter,
  labels,
});

function theNode(view: FleetView, name: string): FleetNode {
  const found = view.nodes.get(name) ?? [];
  const [node, ...others] = found;
  if (node === undefined) throw unknown(view, 'node', name, [...view.nodes.keys()]);
  if (others.length > 0) {
    const places = found.map((one) => `${one.datacenter}/${one.nodeType}`).join(', ');
    throw new ApiFailure(
      422,
      'target_ambiguous',
      `more than one host calls itself "${name}" (${places}); names must be unique in the fleet`,
    );
  }
  return node;
}

/** A queue that nobody polls is an answer now, not a hang later. */
async function requireAgent(fleet: Fleet, node: FleetNode): Promise<void> {
  if (await fleet.polled(node)) return;
  const seen = node.lastSeen === null ? 'never seen' : `last seen ${new Date(node.lastSeen).toISOString()}`;
  throw new ApiFailure(
    503,
    'no_agent',
    `no agent of ${node.node} takes orders (${seen}); look at the host: systemctl status fettle-agent`,
    {
      retryAfterS: 15,
    },
  );
}

/** The same for a queue that agents share. */
async function requireSomebody(fleet: Fleet, target: Target, definition: WorkflowDefinition): Promise<void> {
  let queue: string;
  try {
    queue = sharedQueue(definition.taskQueueTarget, target);
  } catch (error) {
    if (error instanceof SharedQueueError) throw new ApiFailure(422, 'target_without_queue', error.message);
    throw error;
  }
  if (await fleet.queuePolled(queue)) return;
  throw new ApiFailure(
    503,
    'no_agent',
    `no agent takes orders on queue ${queue}, where workflow "${definition.name}" runs; look at its hosts: systemctl status fettle-agent`,
    { retryAfterS: 15 },
  );
}

function typeTarget(view: FleetView, nodeType: string, datacenter: string | null): Target {
  const nodes = allNodes(view).filter(
    (node) => node.nodeType === nodeType && (datacenter === null || node.datacenter === datacenter),
  );
  if (nodes.length === 0)
    throw unknown(view, 'node type', nodeType, [...new Set(allNodes(view).map((node) => node.nodeType))]);
  const places = new Set(nodes.map((node) => node.datacenter));
  return { kind: 'node_type', nodeType, datacenter: datacenter ?? (places.size === 1 ? [...places].join() : null) };
}

function datacenterTarget(view: FleetView, datacenter: string): Target {
  const known = [...new Set(allNodes(view).map((node) => node.datacenter))];
  if (!known.includes(datacenter)) throw unknown(view, 'datacenter', datacenter, known);
  return { kind: 'datacenter', datacenter };
}

/** All nodes of a name count: an ambiguous one is refused when it is named, not hidden. */
const allNodes = (view: FleetView): FleetNode[] => [...view.nodes.values()].flat();

const exampleNode = (view: FleetView): string => allNodes(view)[0]?.node ?? 'web-1';

function unknown(view: FleetView, what: string, name: string, known: readonly string[]): ApiFailure {
  if (view.state !== 'ready') {
    const why =
      view.state === 'warming_up' ? 'the fleet is still being discovered' : "agents' heartbeats cannot be read";
    return new ApiFailure(503, 'fleet_not_ready', `${what} "${name}" is not known yet: ${why}; ask again shortly`, {
      retryAfterS: 10,
    });
  }
  const { text, listed } = whatExists(known, 'none exist');
  return new ApiFailure(404, 'unknown_target', `there is no ${what} "${name}": ${text}`, {
    details: { known: listed },
  });
}

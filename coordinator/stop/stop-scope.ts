/** What a pause or a window covers, as callers and the gate write it; and whether what it names exists at all. */
import type { ApiStopScope, ApiWindowScope } from '../../workflows/api.ts';
import type { LeaseSummary, PauseScope, WindowScope } from '../../workflows/gate/operations.ts';
import type { Subject } from '../access.ts';
import type { Fleet, FleetView } from '../fleet.ts';
import { ApiFailure } from '../service.ts';
import { whatExists } from '../what-exists.ts';

export function toPauseScope(scope: ApiStopScope): PauseScope {
  if ('everything' in scope) return { k: 'all' };
  if ('workflow' in scope) return { k: 'w', v: scope.workflow };
  if ('datacenter' in scope) return { k: 'c', v: scope.datacenter };
  return 'node_type' in scope ? { k: 'y', v: scope.node_type } : { k: 'n', v: scope.node };
}

export function toStopScope({ k, v = '' }: PauseScope): ApiStopScope {
  if (k === 'all') return { everything: true };
  if (k === 'w') return { workflow: v };
  if (k === 'c') return { datacenter: v };
  return k === 'y' ? { node_type: v } : { node: v };
}

export const toWindowScope = ({ workflows, node_types, datacenters, nodes }: ApiWindowScope): WindowScope => ({
  ...(workflows === undefined ? {} : { w: workflows }),
  ...(node_types === undefined ? {} : { y: node_types }),
  ...(datacenters === undefined ? {} : { c: datacenters }),
  ...(nodes === undefined ? {} : { n: nodes }),
});

export const toApiWindowScope = ({ w, y, c, n }: WindowScope): ApiWindowScope => ({
  ...(w === undefined ? {} : { workflows: [...w] }),
  ...(y === undefined ? {} : { node_types: [...y] }),
  ...(c === undefined ? {} : { datacenters: [...c] }),
  ...(n === undefined ? {} : { nodes: [...n] }),
});

/** The lists of a window that a pause's scope amounts to: what it covers is then asked about in one way. */
export function scopeLists(scope: ApiStopScope): ApiWindowScope {
  if ('everything' in scope) return {};
  if ('workflow' in scope) return { workflows: [scope.workflow] };
  if ('datacenter' in scope) return { datacenters: [scope.datacenter] };
  return 'node_type' in scope ? { node_types: [scope.node_type] } : { nodes: [scope.node] };
}

/**
 * What a caller must be allowed to pause: each workflow named, or all of them; on the types named, on those of the nodes named, or on all.
 * A node that is not known could be of any type.
 */
export function subjectsOf(scope: ApiWindowScope, view: FleetView): Subject[] {
  const ofNodes = (scope.nodes ?? []).map((name) => view.nodes.get(name)?.map((node) => node.nodeType) ?? []);
  const types = scope.node_types ?? (ofNodes.some((found) => found.length === 0) ? [] : ofNodes.flat());
  return (scope.workflows ?? ['*']).map((workflow) => ({ workflow, nodeTypes: [...new Set(types)] }));
}

/** Whether a lease acts in the scope; where a node's place is not known, it does. */
export function concerns(scope: ApiWindowScope, lease: LeaseSummary, nodes: FleetView['nodes']): boolean {
  const fits = (list: readonly string[] | undefined, found: readonly string[]): boolean =>
    list === undefined || found.length === 0 || found.some((name) => list.includes(name));
  const acting = lease.unsettled.map((held) => held.node);
  const places = acting.flatMap((name) => nodes.get(name) ?? []);
  return (
    fits(scope.workflows, [lease.workflow]) &&
    fits(scope.nodes, acting) &&
    fits(
      scope.node_types,
      places.map((place) => place.nodeType),
    ) &&
    fits(
      scope.datacenters,
      places.map((place) => place.datacenter),
    )
  );
}

/** A name that nothing bears: whoever pauses a typo believes himself safe. @throws ApiFailure 404, 503 */
export async function requireKnown(
  scope: ApiWindowScope,
  workflows: readonly string[],
  fleet: Pick<Fleet, 'view'>,
): Promise<void> {
  requireEach('workflow', scope.workflows, workflows);
  if (scope.node_types === undefined && scope.datacenters === undefined && scope.nodes === undefined) return;
  const view = await fleet.view();
  const nodes = [...view.nodes.values()].flat();
  const known = {
    'node type': { wanted: scope.node_types, names: nodes.map((node) => node.nodeType) },
    datacenter: { wanted: scope.datacenters, names: nodes.map((node) => node.datacenter) },
    node: { wanted: scope.nodes, names: [...view.nodes.keys()] },
  };
  for (const [what, { wanted, names }] of Object.entries(known)) {
    if (view.state !== 'ready' && wanted?.some((name) => !names.includes(name)) === true) throw notSeen(what, view);
    requireEach(what, wanted, names);
  }
}

function requireEach(what: string, wanted: readonly string[] | undefined, known: readonly string[]): void {
  const missing = wanted?.find((name) => !known.includes(name));
  if (missing === undefined) return;
  const { text, listed } = whatExists(known, 'none is known');
  const message = `there is no ${what} "${missing}": ${text}; force it if it is to come`;
  throw new ApiFailure(404, 'unknown_scope', message, { details: { known: listed } });
}

const notSeen = (what: string, { state }: FleetView): ApiFailure =>
  new ApiFailure(
    503,
    'fleet_not_ready',
    `whether there is such a ${what} cannot be told: the fleet is ${state.replace('_', ' ')}; force it, or ask again`,
    { retryAfterS: 10 },
  );

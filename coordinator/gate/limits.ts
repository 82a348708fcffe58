/** Every limit as it stands for one workflow and target: what is taken, by whom, and when it can be free. Read by query, so it costs no history. */
import type { ApiLimit, ApiTarget } from '../../workflows/api.ts';
import type { WorkflowDefinition } from '../../workflows/contract.ts';
import type { LeaseSummary, LimitSummary } from '../../workflows/gate/operations.ts';
import { leaseName, targetRef } from '../../workflows/gate/target-ref.ts';
import type { Fleet } from '../fleet.ts';
import { noSuchWorkflow } from '../request-check.ts';
import { ApiFailure, type LimitQuery } from '../service.ts';
import { describeTarget } from '../targets.ts';
import type { GateClient } from './gate-client.ts';
import { unavailable } from './no-decision.ts';
import { CONSTRAINT, scopeText } from './reasons.ts';

export type LimitsOptions = {
  readonly gate: GateClient;
  readonly fleet: Fleet;
  readonly definitions: () => readonly WorkflowDefinition[];
};

/** @throws ApiFailure 404, 422, 503 */
export async function readLimits(options: LimitsOptions, query: LimitQuery): Promise<ApiLimit[]> {
  const names = options.definitions().map((definition) => definition.name);
  if (!names.includes(query.workflow)) throw noSuchWorkflow(query.workflow, names);
  const target = await describeTarget(options.fleet, targetOf(query));
  const labels = target.kind === 'node' ? Object.keys(target.labels) : [];
  try {
    const [found, leases] = await Promise.all([
      options.gate.explain(query.workflow, targetRef(target, labels)),
      target.kind === 'node' ? options.gate.leases() : [],
    ]);
    const limits = found.map((limit) => toApiLimit(limit, Date.now()));
    return target.kind === 'node' ? [...limits, oneChange(target.node, leases)] : limits;
  } catch (error) {
    throw unavailable(error);
  }
}

/** The limit that nobody writes down: one change at a time on a node, whatever the workflow. */
function oneChange(node: string, leases: readonly LeaseSummary[]): ApiLimit {
  const holders = leases
    .filter((lease) => lease.target === node || lease.unsettled.some((held) => held.node === node))
    .map(leaseName);
  const current = Math.min(1, holders.length);
  return {
    constraint: CONSTRAINT.node,
    scope: 'node',
    name: null,
    limit: 1,
    current,
    retry_after_s: null,
    of: node,
    free: 1 - current,
    holders,
    starts: [],
  };
}

function targetOf({ node, node_type, datacenter }: LimitQuery): ApiTarget {
  if (node !== undefined && node_type === undefined && datacenter === undefined) return { node };
  if (node === undefined && node_type !== undefined) return { node_type, datacenter };
  if (node === undefined && datacenter !== undefined) return { datacenter };
  throw new ApiFailure(422, 'target', 'write what the limits are asked for: node=, node_type= or datacenter=');
}

export const toApiLimit = (of: LimitSummary, now: number): ApiLimit => ({
  constraint: CONSTRAINT[of.limit.k],
  scope: scopeText(of.scope),
  name: of.limit.g ?? null,
  limit: of.allowed,
  current: of.current,
  retry_after_s: of.free === null ? null : Math.max(0, Math.ceil((of.free - now) / 1000)),
  of: of.of,
  free: Math.max(0, of.allowed - of.current),
  holders: [...of.holders],
  starts: of.starts.map((at) => new Date(at).toISOString()),
});

/** What the API says of nodes, and who may shut one out. */
import type { Logger } from 'pino';
import type { AccessConfig } from '../../config/coordinator.ts';
import type { ApiNode, ApiNodeChanged } from '../../workflows/api.ts';
import { callerText, mayDo } from '../access.ts';
import type { AgentTokens } from '../agent-token/agent-tokens.ts';
import type { Fleet } from '../fleet.ts';
import { ApiFailure, type CoordinatorService } from '../service.ts';
import { NodeRecordError } from './node-records.ts';
import type { Nodes, NodeStanding } from './nodes.ts';

export type NodeServiceOptions = {
  readonly fleet: Pick<Fleet, 'view' | 'census'>;
  readonly nodes: Nodes;
  readonly access: () => AccessConfig;
  /** Null: none are given here. */
  readonly tokens: AgentTokens | null;
  readonly log: Logger;
  /** For the audit. */
  readonly onChange: (change: { op: string; by: string; node: string; reason: string }) => void;
};

export type NodeService = Pick<CoordinatorService, 'nodes' | 'changeNode' | 'agentToken' | 'tokenKeys'>;

export function createNodeService(options: NodeServiceOptions): NodeService {
  const { nodes, tokens } = options;
  return {
    nodes: () => listNodes(options),
    changeNode: async (caller, node, op, { reason, force }) => {
      await authorise(options, caller, node, force === true);
      const by = callerText(caller);
      const standing = await nodes.change(node, op, by, reason).catch(unavailable);
      options.log.warn({ node, op, caller: by, reason }, `node: ${op}`);
      options.onChange({ op, by, node, reason });
      return { node, ...toApi(standing) };
    },
    agentToken: (caller, request) => (tokens ?? noTokens()).issue(caller, request),
    tokenKeys: () => Promise.resolve({ keys: [...(tokens ?? noTokens()).jwks().keys] }),
  };
}

function noTokens(): never {
  throw new ApiFailure(
    404,
    'no_agent_tokens',
    'this coordinator gives no tokens; write agent_tokens { key = "..." } into its file',
  );
}

async function authorise(
  { fleet, access }: NodeServiceOptions,
  caller: Parameters<CoordinatorService['changeNode']>[0],
  node: string,
  force: boolean,
): Promise<void> {
  const known = (await fleet.view()).nodes.get(node) ?? [];
  const nodeTypes = [...new Set(known.map(({ nodeType }) => nodeType))];
  const allowed = mayDo(access(), caller, 'revoke', { workflow: '*', nodeTypes });
  if (!allowed.allowed) throw new ApiFailure(403, 'not_allowed', allowed.reason);
  if (known.length > 0 || force) return;
  throw new ApiFailure(
    404,
    'unknown_node',
    `no node "${node}" is known; GET /v1/nodes lists them; with force it is taken as it is`,
  );
}

async function listNodes({ fleet, nodes, tokens }: NodeServiceOptions): Promise<ApiNode[]> {
  const [view, standingOf] = await Promise.all([fleet.census(), nodes.all().catch(unavailable)]);
  if (view.state === 'unreachable')
    throw new ApiFailure(503, 'fleet_unreachable', 'Temporal does not answer who is alive', { retryAfterS: 5 });
  return [...view.nodes.values()]
    .flat()
    .map((node) => ({
      node: node.node,
      node_type: node.nodeType,
      datacenter: node.datacenter,
      alive: node.alive,
      last_seen: node.lastSeen === null ? null : time(node.lastSeen),
      in_inventory: node.inInventory,
      labels: { ...node.labels },
      ...toApi(standingOf(node.node)),
      renewed_at: renewed(tokens?.renewedAt(node) ?? null),
    }))
    .toSorted((a, b) => a.node.localeCompare(b.node));
}

const toApi = ({ revoked, machine, otherMachine }: NodeStanding): Omit<ApiNodeChanged, 'node'> => ({
  revoked: revoked && { ...revoked, at: time(revoked.at) },
  machine: machine && { ...machine },
  other_machine: otherMachine && { id: otherMachine.machineId, via: otherMachine.via, at: time(otherMachine.at) },
});

const time = (at: number): string => new Date(at).toISOString();
const renewed = (at: number | null): string | null => (at === null ? null : time(at));

function unavailable(cause: unknown): never {
  if (!(cause instanceof NodeRecordError)) throw cause;
  throw new ApiFailure(503, 'no_node_record', `${cause.message}; ask again`, { retryAfterS: 5, cause });
}

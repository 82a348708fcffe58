/**
 * Temporal credentials for agents (docs/protocol.md §10.1): who proves an agent's id by mTLS gets a token that opens the agents' namespace and
 * nothing else, for some minutes. Shutting a node out is not giving it another one.
 */
import type { InventoryNode } from '../../config/inventory.ts';
import type { SpiffeId } from '../../config/spiffe-id.ts';
import type { ApiAgentToken, ApiAgentTokenRequest } from '../../workflows/api.ts';
import { agentPlace, type NodePlace } from '../../workflows/contract.ts';
import { NodeRecordError } from '../nodes/node-records.ts';
import type { Nodes, NodeStanding } from '../nodes/nodes.ts';
import { ApiFailure, type Caller } from '../service.ts';
import { callerText } from '../access.ts';
import { signToken, type TokenKeys } from './token-keys.ts';

export type TokenResult = 'issued' | 'no_agent' | 'not_in_inventory' | 'node_revoked' | 'other_machine' | 'unreadable';

export type AgentTokensOptions = {
  readonly keys: TokenKeys;
  readonly ttlMs: number;
  readonly issuer: string;
  readonly trustDomain: string;
  readonly agentsNamespace: string;
  readonly nodes: Pick<Nodes, 'current' | 'spoke'>;
  /** Null: no inventory is configured, and every agent of the trust domain is ours. */
  readonly listed: ((node: string) => InventoryNode | null) | null;
  readonly onResult: (result: TokenResult) => void;
  /** A node's first token of this coordinator, or its first since it let one run out. */
  readonly onFirst: (agent: string, machineId: string) => void;
};

export type AgentTokens = {
  /** @throws ApiFailure 403, 503 */
  readonly issue: (caller: Caller, request: ApiAgentTokenRequest) => Promise<ApiAgentToken>;
  readonly jwks: () => TokenKeys['jwks'];
  /** When this coordinator last gave a token to the node there; milliseconds since the epoch, null: not since it runs. */
  readonly renewedAt: (place: NodePlace) => number | null;
};

export function createAgentTokens(options: AgentTokensOptions): AgentTokens {
  const renewed = new Map<string, number>();
  const { keys, ttlMs, onResult, onFirst } = options;
  return {
    jwks: () => keys.jwks,
    renewedAt: (place) => renewed.get(keyOf(place)) ?? null,
    issue: async (caller, request) => {
      const machineId = request.machine_id ?? '';
      try {
        const { id, place } = agentOf(options, caller);
        await authorise(options, place, machineId);
        const token = await sign(options, id.text);
        const key = keyOf(place);
        if (Date.now() - (renewed.get(key) ?? 0) > ttlMs) onFirst(id.text, machineId);
        renewed.set(key, Date.now());
        onResult('issued');
        return token;
      } catch (error) {
        if (error instanceof ApiFailure) onResult(resultOf(error));
        throw error;
      }
    },
  };
}

const keyOf = ({ datacenter, nodeType, node }: NodePlace): string => `${datacenter}/${nodeType}/${node}`;

const resultOf = ({ code }: ApiFailure): TokenResult =>
  code === 'not_allowed' ? 'no_agent' : code === 'no_node_record' ? 'unreadable' : (code as TokenResult);

function agentOf({ trustDomain }: AgentTokensOptions, caller: Caller): { id: SpiffeId; place: NodePlace } {
  const place = caller.kind === 'identified' ? agentPlace(caller.id.path) : null;
  if (caller.kind === 'identified' && place !== null && caller.id.trustDomain === trustDomain)
    return { id: caller.id, place };
  const wanted = `spiffe://${trustDomain}/agent/<datacenter>/<node type>/<node>`;
  throw new ApiFailure(
    403,
    'not_allowed',
    `${callerText(caller)} is no agent of this fleet; a token is for ids of the form ${wanted}`,
  );
}

async function authorise(options: AgentTokensOptions, place: NodePlace, machineId: string): Promise<void> {
  const { node } = place;
  checkInventory(options.listed, place);
  const { revoked } = await standing(options, node);
  if (revoked !== null)
    throw new ApiFailure(
      403,
      'node_revoked',
      `node ${node} was shut out by ${revoked.by} at ${new Date(revoked.at).toISOString()} (${revoked.reason}); fettle nodes restore ${node} lets it in again`,
    );
  const same = await options.nodes.spoke({ node, machineId, via: 'token', pins: false }).catch(unreadable);
  if (!same)
    throw new ApiFailure(
      403,
      'other_machine',
      `another machine is pinned as node ${node}; if this one has taken its place: fettle nodes unpin ${node}`,
    );
}

function checkInventory(listedAs: AgentTokensOptions['listed'], place: NodePlace): void {
  if (listedAs === null) return;
  const listed = listedAs(place.node);
  if (listed?.nodeType === place.nodeType && listed.datacenter === place.datacenter) return;
  const why =
    listed === null
      ? `node ${place.node} is not in the inventory`
      : `the inventory has node ${place.node} as ${listed.datacenter}/${listed.nodeType}, its certificate as ${place.datacenter}/${place.nodeType}`;
  throw new ApiFailure(403, 'not_in_inventory', `${why}; mend the one that is wrong`);
}

const standing = ({ nodes }: AgentTokensOptions, node: string): Promise<NodeStanding> =>
  nodes.current(node).catch(unreadable);

/** @throws ApiFailure 503: who is shut out is not known, so nobody is let in */
function unreadable(cause: unknown): never {
  if (!(cause instanceof NodeRecordError)) throw cause;
  throw new ApiFailure(503, 'no_node_record', `${cause.message}, so no token is given; ask again`, {
    retryAfterS: 5,
    cause,
  });
}

async function sign(options: AgentTokensOptions, agent: string): Promise<ApiAgentToken> {
  const { keys, ttlMs, issuer, agentsNamespace } = options;
  const now = Date.now();
  const expires = new Date(now + ttlMs);
  const permissions = [`${agentsNamespace}:write`];
  const token = await signToken(keys, { subject: agent, issuer, permissions, expires, now });
  return { token, expires_at: expires.toISOString() };
}

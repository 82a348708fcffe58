/** Routes about nodes: who they are, who is shut out, and their agents' credentials. */
import { z } from '@hono/zod-openapi';
import { AGENT_TOKEN_PATH } from './access.ts';
import { failure, json, ok, read, UNAVAILABLE } from './http/answers.ts';
import {
  agentTokenRequestSchema,
  agentTokenSchema,
  jwksSchema,
  nodeChangedSchema,
  nodeChangeSchema,
  nodeSchema,
} from './http/node-schemas.ts';
import { route, type Route } from './http/route.ts';
import { emptyQuerySchema } from './http/schemas.ts';

const write = { method: 'POST', speaksForSource: false, query: emptyQuerySchema } as const;
const NO_NODE = failure('no node of that name is known; `force` takes the name as it is');
const NO_TOKENS = failure('this coordinator gives no tokens');

const changing = (op: 'revoke' | 'restore' | 'unpin', summary: string): Route =>
  route({
    ...write,
    path: `/v1/nodes/{name}/${op}`,
    summary,
    verb: 'revoke',
    body: nodeChangeSchema,
    answers: { 200: ok('how it stands now', nodeChangedSchema), 404: NO_NODE, 503: UNAVAILABLE },
    handle: async ({ service, caller, id, body }) => json(await service.changeNode(caller, id, op, body)),
  });

export const NODE_ROUTES: readonly Route[] = [
  route({
    ...read,
    path: '/v1/nodes',
    summary: 'The fleet as it is seen now',
    answers: { 200: ok('the nodes', z.array(nodeSchema)), 503: UNAVAILABLE },
    handle: async ({ service }) => json(await service.nodes()),
  }),
  changing('revoke', 'Shut a node out: no orders are sent to it, and its agent gets no credential any more'),
  changing('restore', 'Let a node in again that was shut out'),
  changing('unpin', 'Forget which machine a node is: the next receipt of its agent says so anew'),
  route({
    ...write,
    path: AGENT_TOKEN_PATH,
    summary:
      "An agent's credential for Temporal; for agents' ids, whatever route rules say, and they may do nothing else",
    verb: null,
    body: agentTokenRequestSchema,
    answers: {
      200: ok('a token that opens the namespace of agents until it expires', agentTokenSchema),
      403: failure('no agent of this fleet, shut out, or another machine than the pinned one'),
      404: NO_TOKENS,
      503: UNAVAILABLE,
    },
    handle: async ({ service, caller, body }) =>
      json(await service.agentToken(caller, body), 200, { 'cache-control': 'no-store' }),
  }),
  route({
    ...read,
    path: '/v1/jwks',
    summary: "The public keys that agents' credentials are checked by",
    answers: { 200: ok('a JSON Web Key Set', jwksSchema), 404: NO_TOKENS },
    handle: async ({ service }) => json(await service.tokenKeys()),
  }),
];

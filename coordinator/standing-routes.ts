/** Routes about what stands in the way of requests: what waits, pauses, windows, limits. */
import { z } from '@hono/zod-openapi';
import { failure, json, NOT_FOUND, ok, read, UNAVAILABLE } from './http/answers.ts';
import { route, type Route } from './http/route.ts';
import { emptyQuerySchema } from './http/schemas.ts';
import {
  approvalSchema,
  approvedSchema,
  denialSchema,
  limitQuerySchema,
  limitSchema,
  pausedSchema,
  pauseRequestSchema,
  pendingRequestSchema,
  resumedSchema,
  resumeRequestSchema,
  windowRemovalSchema,
  windowRequestSchema,
  windowSchema,
} from './http/standing-schemas.ts';

const write = { method: 'POST', speaksForSource: false, query: emptyQuerySchema } as const;

export const STANDING_ROUTES: readonly Route[] = [
  route({
    ...read,
    path: '/v1/pending',
    summary: 'Requests that wait, oldest first: for what, and until when',
    answers: { 200: ok('what waits', z.array(pendingRequestSchema)), 503: UNAVAILABLE },
    handle: async ({ service }) => json(await service.listPending()),
  }),
  route({
    ...write,
    path: '/v1/executions/{id}/approve',
    summary: 'Say yes to a request that waits for it (`pending:...`)',
    verb: 'approve',
    body: approvalSchema,
    answers: {
      200: ok('approved; `execution` is set when it has started', approvedSchema),
      403: failure('not allowed, or the same person asked for it'),
      404: NOT_FOUND,
      409: failure('its plan is another one, or it was decided already'),
      503: UNAVAILABLE,
    },
    handle: async ({ service, caller, id, body }) => json(await service.approve(caller, id, body)),
  }),
  route({
    ...write,
    path: '/v1/executions/{id}/deny',
    summary: 'Say no to a request that waits (`pending:...`): it ends',
    verb: 'approve',
    body: denialSchema,
    answers: { 200: ok('denied', approvedSchema), 404: NOT_FOUND, 409: failure('decided already'), 503: UNAVAILABLE },
    handle: async ({ service, caller, id, body }) => json(await service.deny(caller, id, body.reason)),
  }),
  route({
    ...write,
    path: '/v1/pause',
    summary: 'Stop: nothing new is admitted in a scope, and running executions get no further permit',
    verb: 'pause',
    body: pauseRequestSchema,
    answers: {
      200: ok('paused; what may still begin, and until when', pausedSchema),
      404: failure('the scope names nothing known; lists what there is'),
      503: UNAVAILABLE,
    },
    handle: async ({ service, caller, body }) => json(await service.pause(caller, body)),
  }),
  route({
    ...write,
    path: '/v1/resume',
    summary: 'Lift a pause, or close a breaker; what waits is decided again at once',
    verb: 'pause',
    body: resumeRequestSchema,
    answers: { 200: ok('lifted', resumedSchema), 404: NOT_FOUND, 503: UNAVAILABLE },
    handle: async ({ service, caller, body }) => json(await service.resume(caller, body)),
  }),
  route({
    ...read,
    path: '/v1/windows',
    summary: 'Windows that are known: in force now, or to come',
    answers: { 200: ok('the windows', z.array(windowSchema)), 503: UNAVAILABLE },
    handle: async ({ service }) => json(await service.windows()),
  }),
  route({
    ...write,
    path: '/v1/windows',
    summary: 'Add a window: nothing new begins in its scope while it lasts',
    verb: 'pause',
    body: windowRequestSchema,
    answers: {
      200: ok('the window, with its name', windowSchema),
      404: failure('the scope names nothing known; lists what there is'),
      422: failure('it lies in the past or ends before it begins'),
      503: UNAVAILABLE,
    },
    handle: async ({ service, caller, body }) => json(await service.addWindow(caller, body)),
  }),
  route({
    ...write,
    path: '/v1/windows/{name}/remove',
    summary: 'Take away a window that somebody added',
    verb: 'pause',
    body: windowRemovalSchema,
    answers: {
      200: ok('the window that was', windowSchema),
      404: NOT_FOUND,
      409: failure("it stands in a coordinator's file"),
      503: UNAVAILABLE,
    },
    handle: async ({ service, caller, id, body }) => json(await service.removeWindow(caller, id, body.reason)),
  }),
  route({
    ...read,
    path: '/v1/limits',
    summary: 'Every limit of a workflow as it stands for a node, a node type or a datacenter',
    query: limitQuerySchema,
    answers: {
      200: ok('the limits', z.array(limitSchema)),
      404: NOT_FOUND,
      422: failure('it is not said what they are asked for'),
      503: UNAVAILABLE,
    },
    handle: async ({ service, query }) => json(await service.limits(query)),
  }),
];

import type { ApiDecision } from '../workflows/api.ts';
import { failure, json, NOT_FOUND, ok, read, UNAVAILABLE } from './http/answers.ts';
import { eventResponse } from './http/event-response.ts';
import { retryAfter } from './http/failure.ts';
import { route, type Route } from './http/route.ts';
import {
  cancelSchema,
  decisionSchema,
  emptyQuerySchema,
  episodeAnswerSchema,
  episodeReportSchema,
  errorSchema,
  eventSchema,
  executionDetailSchema,
  executionQuerySchema,
  executionSchema,
  healthSchema,
  requestSchema,
  statusSchema,
  workflowSchema,
} from './http/schemas.ts';
import { pendingDetailSchema } from './http/standing-schemas.ts';
import { NODE_ROUTES } from './node-routes.ts';
import { isPendingId } from './pending-id.ts';
import { RECORD_ROUTES } from './record-routes.ts';
import { ApiFailure } from './service.ts';
import { STANDING_ROUTES } from './standing-routes.ts';
import { z } from '@hono/zod-openapi';

/**
 * Every route there is, beside the permission it needs. Routing, the OpenAPI document and the access test all walk this table.
 * A `route_rule` must open each of them, these of health and metrics included; agents' ids get their tokens without, and nothing else.
 */
export const ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/requests',
    summary: 'Ask for a workflow to be run on a target',
    verb: 'run',
    speaksForSource: true,
    body: requestSchema,
    query: emptyQuerySchema,
    answers: {
      201: ok('admitted and started; `Location` names the execution', decisionSchema),
      200: ok('duplicate: admitted before; or shadow: what would have been decided', decisionSchema),
      202: ok('pending: it waits; `Location` names it', decisionSchema),
      409: ok('refused, with every reason', z.union([decisionSchema, errorSchema])),
      404: NOT_FOUND,
      410: failure('the evidence or the request is too old'),
      422: failure('arguments or target do not fit the workflow'),
      503: UNAVAILABLE,
    },
    handle: async ({ service, caller, body }) => decisionResponse(await service.request(caller, body)),
  }),
  route({
    method: 'POST',
    path: '/v1/episodes',
    summary: 'Say that a fault is still seen, or is over; runs nothing',
    verb: null,
    speaksForSource: true,
    body: episodeReportSchema,
    query: emptyQuerySchema,
    answers: { 200: ok('noted', episodeAnswerSchema), 503: UNAVAILABLE },
    handle: async ({ service, caller, body }) => json(await service.reportEpisode(caller, body)),
  }),
  route({
    ...read,
    path: '/v1/executions',
    summary: 'Executions, newest first',
    query: executionQuerySchema,
    answers: { 200: ok('the executions', z.array(executionSchema)), 503: UNAVAILABLE },
    handle: async ({ service, query }) => json(await service.listExecutions(query)),
  }),
  route({
    ...read,
    path: '/v1/executions/{id}',
    summary: 'One execution: steps, evidence, outcome and its story',
    answers: {
      200: ok(
        'the execution; for `pending:...` how it waits, or what it became',
        z.union([executionDetailSchema, pendingDetailSchema]),
      ),
      404: NOT_FOUND,
      503: UNAVAILABLE,
    },
    handle: async ({ service, id }) =>
      json(isPendingId(id) ? await service.getPending(id) : await service.getExecution(id)),
  }),
  route({
    ...read,
    path: '/v1/executions/{id}/events',
    summary: 'The story of an execution so far and as it happens, as server-sent events',
    answers: {
      200: ok(
        '`data` is an Event, `id` counts from 1; `event: end` when the execution has closed',
        eventSchema,
        'text/event-stream',
      ),
      404: NOT_FOUND,
      409: failure('it waits, and has no story yet'),
      503: UNAVAILABLE,
    },
    handle: async ({ service, id, closing, lastEventId, onError }) => {
      if (isPendingId(id)) {
        const message = `${id} waits and has no story yet; GET /v1/executions/${id} tells what it becomes`;
        throw new ApiFailure(409, 'pending', message);
      }
      // Asked first, so that an execution that does not exist is a 404 and not a broken stream.
      await service.getExecution(id);
      return eventResponse({ events: (signal) => service.executionEvents(id, signal), closing, lastEventId, onError });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/executions/{id}/cancel',
    summary: 'Cancel an execution: its action is ended, settled and undone. Of `pending:...`: it waits no more',
    verb: 'cancel',
    speaksForSource: false,
    body: cancelSchema,
    query: emptyQuerySchema,
    answers: {
      200: ok('the execution, being cancelled', z.union([executionSchema, pendingDetailSchema])),
      404: NOT_FOUND,
      409: failure('it has closed already'),
      503: UNAVAILABLE,
    },
    handle: async ({ service, caller, id, body }) =>
      json(
        isPendingId(id)
          ? await service.cancelPending(caller, id, body.reason)
          : await service.cancelExecution(caller, id, body.reason),
      ),
  }),
  ...STANDING_ROUTES,
  ...RECORD_ROUTES,
  ...NODE_ROUTES,
  route({
    ...read,
    path: '/v1/workflows',
    summary: 'The workflows that can be asked for, with their inputs and limits',
    answers: { 200: ok('the workflows', z.array(workflowSchema)) },
    handle: async ({ service }) => json(await service.workflows()),
  }),
  route({
    ...read,
    path: '/v1/status',
    summary: 'How this coordinator, its gate and its fleet are',
    answers: { 200: ok('the status', statusSchema) },
    handle: async ({ service }) => json(await service.status()),
  }),
  route({
    ...read,
    path: '/v1/openapi.json',
    summary: 'This document',
    answers: { 200: ok('OpenAPI 3.1', z.record(z.string(), z.unknown())) },
    handle: ({ openApi }) => Promise.resolve(json(openApi())),
  }),
  route({
    ...read,
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    answers: { 200: ok('all metrics', z.string(), 'text/plain') },
    handle: async ({ metrics }) =>
      new Response(await metrics(), { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } }),
  }),
  route({
    ...read,
    path: '/healthz',
    summary: 'Whether this process answers at all',
    answers: { 200: ok('it does', healthSchema) },
    handle: () => Promise.resolve(json({ status: 'ok' })),
  }),
  route({
    ...read,
    path: '/readyz',
    summary: 'Whether requests can be decided here now',
    answers: { 200: ok('they can', healthSchema), 503: UNAVAILABLE },
    handle: async ({ service }) => {
      const why = await service.notReady();
      if (why !== null) throw new ApiFailure(503, 'not_ready', why, { retryAfterS: 5 });
      return json({ status: 'ok' });
    },
  }),
];

const STATUS = { admitted: 201, pending: 202, duplicate: 200 } as const;

function decisionResponse(decision: ApiDecision): Response {
  if (decision.decision === 'refused') {
    const waits = decision.reasons.map((reason) => reason.retry_after_s);
    const known = waits.filter((wait) => wait !== null);
    // Every limit must be free, so the longest wait counts; one that nobody knows makes the whole unknown.
    const header = waits.length > 0 && known.length === waits.length ? retryAfter(Math.max(...known)) : {};
    return json(decision, 409, header);
  }
  if (decision.decision === 'shadow') return json(decision);
  const id = decision.decision === 'pending' ? decision.pending : decision.execution;
  return json(decision, STATUS[decision.decision], { location: `/v1/executions/${id}` });
}

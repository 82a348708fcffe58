/** Routes about what was decided, read from the gate's own record. */
import { json, NOT_FOUND, ok, read, UNAVAILABLE } from './http/answers.ts';
import { decisionQuerySchema, decisionsSchema, whyQuerySchema, whySchema } from './http/record-schemas.ts';
import { route, type Route } from './http/route.ts';

export const RECORD_ROUTES: readonly Route[] = [
  route({
    ...read,
    path: '/v1/decisions',
    summary: 'What was decided, newest first, and how far back the record reaches',
    query: decisionQuerySchema,
    answers: { 200: ok('the decisions', decisionsSchema), 503: UNAVAILABLE },
    handle: async ({ service, query }) => json(await service.decisions(query)),
  }),
  route({
    ...read,
    path: '/v1/why',
    summary: 'The story of a request, an execution, a node or an alert, in sentences',
    query: whyQuerySchema,
    answers: { 200: ok('the stories, newest first', whySchema), 404: NOT_FOUND, 503: UNAVAILABLE },
    handle: async ({ service, query }) => json(await service.why(query)),
  }),
];

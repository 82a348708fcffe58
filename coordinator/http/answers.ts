/** What the table of routes says of answers, and how they are sent. */
import type { RouteAnswer } from './route.ts';
import { emptyQuerySchema, errorSchema } from './schemas.ts';

export const ok = (description: string, schema: RouteAnswer['schema'], type?: string): RouteAnswer => ({
  description,
  schema,
  ...(type === undefined ? {} : { type }),
});
export const failure = (description: string): RouteAnswer => ({ description, schema: errorSchema });
export const NOT_FOUND = failure('there is no such thing');
export const UNAVAILABLE = failure('cannot be answered now; `Retry-After` says when to ask again');
/** A route that only reads: no verb, no body. */
export const read = { method: 'GET', verb: null, speaksForSource: false, body: null, query: emptyQuerySchema } as const;

export const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { ...headers, 'content-type': 'application/json' } });

import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Route } from './http/route.ts';
import { errorSchema, executionIdSchema, pathNameSchema } from './http/schemas.ts';
import { ROUTES } from './routes.ts';

/** What every route may answer beside its own. */
const COMMON: Readonly<Record<number, string>> = {
  400: 'the request cannot be read',
  401: 'the client certificate is no good SVID; `code` says why',
  403: 'no rule lets this caller do that',
  500: 'the coordinator failed; its log says why',
};

/** The OpenAPI 3.1 document, from the very schemas that check requests. */
export function openApiDocument(version: string): object {
  const documented = new OpenAPIHono();
  for (const route of ROUTES) documented.openAPIRegistry.registerPath(describe(route));
  return documented.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Fettle coordinator',
      version,
      description: 'Callers show an X.509-SVID by mutual TLS 1.3; route rules and workflow rules say what each may do.',
    },
  });
}

type PathConfig = Parameters<OpenAPIHono['openAPIRegistry']['registerPath']>[0];

function describe(route: Route): PathConfig {
  return {
    method: route.method === 'GET' ? 'get' : 'post',
    path: route.path,
    summary: route.summary,
    operationId: operationId(route),
    ...(route.verb === null ? {} : { 'x-fettle-verb': route.verb }),
    request: {
      ...(route.path.includes('{id}') ? { params: z.object({ id: executionIdSchema }) } : {}),
      ...(route.path.includes('{name}') ? { params: z.object({ name: pathNameSchema }) } : {}),
      ...(route.query instanceof z.ZodObject ? { query: route.query } : {}),
      ...(route.body === null
        ? {}
        : { body: { required: true, content: { 'application/json': { schema: route.body } } } }),
    },
    responses: responses(route),
  };
}

function responses(route: Route): PathConfig['responses'] {
  const all: PathConfig['responses'] = {};
  const bodied =
    route.body === null ? {} : { 413: 'the body is larger than 64 KiB', 415: 'the body is not application/json' };
  for (const [status, description] of Object.entries({ ...COMMON, ...bodied })) {
    all[status] = { description, content: { 'application/json': { schema: errorSchema } } };
  }
  for (const [status, { description, schema, type }] of Object.entries(route.answers)) {
    all[status] = {
      description,
      ...(schema === null ? {} : { content: { [type ?? 'application/json']: { schema } } }),
    };
  }
  return all;
}

/** `POST /v1/executions/{id}/cancel` → `postExecutionsIdCancel` */
const operationId = ({ method, path }: Route): string =>
  method.toLowerCase() +
  path
    .replace(/^\/v1/, '')
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');

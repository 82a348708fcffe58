import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import type { Logger } from 'pino';
import type { AccessConfig } from '../../config/coordinator.ts';
import { callerText, mayUseRoute } from '../access.ts';
import type { RefusedCaller } from '../audit/refused-callers.ts';
import { openApiDocument } from '../openapi.ts';
import { ROUTES } from '../routes.ts';
import { ApiFailure, type Caller, type CoordinatorService } from '../service.ts';
import { readJson } from './body.ts';
import { failureAnswer, HttpFailure, toResponse } from './failure.ts';
import type { RequestPeer } from './peer.ts';
import type { Route, RouteCall } from './route.ts';
import { executionIdSchema, pathNameSchema } from './schemas.ts';

export type ApiOptions = {
  readonly service: CoordinatorService;
  /** Asked at each request, so that a reload holds from the next one on. */
  readonly access: () => AccessConfig;
  /** Text in Prometheus' format. */
  readonly metrics: () => Promise<string>;
  readonly log: Logger;
  /** `requestPeer` behind `startHttpServer`; tests give their own. */
  readonly callerOf: (env: HttpBindings) => RequestPeer;
  readonly version?: string;
  /** Told of each caller that a rule lets in, and of each that was refused: 401 or 403. */
  readonly onCaller?: (caller: string) => void;
  readonly onRefused?: (refused: RefusedCaller) => void;
  /** Told about each answer: the route as the table writes it (or `none`), the status, seconds. */
  readonly onAnswer?: (route: string, status: number, seconds: number) => void;
};

type Env = {
  Bindings: HttpBindings;
  Variables: { caller: Caller; closing: AbortSignal; route: string; rule: string | null; quiet: boolean };
};

/** The whole HTTP API as a Hono app: identity, then route rules, then the route itself. Never answers with a redirect. */
export function createApi(options: ApiOptions): Hono<Env> {
  const { log } = options;
  const document = openApiDocument(options.version ?? '0');
  const app = new Hono<Env>();
  app.use(async (context, next) => {
    const began = performance.now();
    await next();
    const seconds = (performance.now() - began) / 1000;
    writeAccessLine(log, context, seconds);
    if (context.res.status === 401 || context.res.status === 403) options.onRefused?.(refusedCaller(context));
    options.onAnswer?.(context.get('route') ?? 'none', context.res.status, seconds);
  });
  app.use(async (context, next) => {
    identify(context, options);
    authorise(context, options);
    await next();
  });
  for (const route of ROUTES) {
    app.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (context) => {
      context.set('route', `${route.method} ${route.path}`);
      return route.handle(await readCall(route, context, options, document));
    });
  }
  for (const path of new Set(ROUTES.map((route) => route.path))) {
    const allow = ROUTES.filter((route) => route.path === path)
      .map((route) => route.method)
      .join(', ');
    app.all(path.replaceAll(/\{(\w+)\}/g, ':$1'), () => {
      throw new HttpFailure(405, 'method_not_allowed', `${path} answers ${allow} only`, { headers: { allow } });
    });
  }
  app.notFound((context) =>
    toResponse(
      failureAnswer(
        new HttpFailure(404, 'no_such_route', `there is no ${context.req.path}; GET /v1/openapi.json lists all routes`),
      ),
    ),
  );
  app.onError((error, context) => {
    const answer = failureAnswer(error);
    if (answer.status === 500) log.error({ err: error, path: context.req.path }, 'a request failed');
    return toResponse(answer);
  });
  return app;
}

function identify(context: Context<Env>, options: ApiOptions): void {
  const { verdict, closing } = options.callerOf(context.env);
  context.set('closing', closing);
  if (verdict.kind === 'caller') return context.set('caller', verdict.caller);
  const headers = { connection: 'close' };
  if (verdict.kind === 'reconnect') {
    throw new HttpFailure(503, 'reconnect', verdict.message, { headers: { ...headers, 'retry-after': '1' } });
  }
  throw new HttpFailure(401, verdict.code, `the client certificate is not accepted: ${verdict.message}`, { headers });
}

function authorise(context: Context<Env>, options: ApiOptions): void {
  const { method, path } = context.req;
  const caller = context.get('caller');
  const decision = mayUseRoute(options.access(), caller, method, path);
  if (!decision.allowed) {
    throw new HttpFailure(403, 'not_allowed', decision.reason, {
      details: { method, path, caller: callerText(caller) },
    });
  }
  options.onCaller?.(callerText(caller));
  context.set('rule', decision.rule);
  context.set('quiet', decision.skipLog);
}

function refusedCaller(context: Context<Env>): RefusedCaller {
  const caller = context.get('caller');
  const { error } = context;
  return {
    caller: caller === undefined ? 'rejected' : callerText(caller),
    remote: context.env?.incoming?.socket.remoteAddress,
    method: context.req.method,
    path: context.req.path,
    status: context.res.status,
    code: error instanceof HttpFailure || error instanceof ApiFailure ? error.code : undefined,
    reason: error?.message ?? '',
  };
}

/** Denials and failures always leave a line; `skip_log_match` hides only what a rule allowed. */
function writeAccessLine(log: Logger, context: Context<Env>, seconds: number): void {
  const { status } = context.res;
  if (context.get('quiet') && status < 400) return;
  const caller = context.get('caller');
  const line = {
    method: context.req.method,
    path: context.req.path,
    status,
    ms: Math.round(seconds * 1000),
    caller: caller === undefined ? 'rejected' : callerText(caller),
    rule: context.get('rule') ?? null,
    ...(context.error === undefined ? {} : { reason: context.error.message }),
  };
  if (status === 401 || status === 403) log.warn(line, 'denied');
  else log.info(line, 'answered');
}

async function readCall(
  route: Route,
  context: Context<Env>,
  options: ApiOptions,
  document: object,
): Promise<RouteCall<never, never>> {
  const query = check(route.query, readQuery(context.req.raw.url), 'bad_query', 'the query');
  const id = route.path.includes('{id}')
    ? check(executionIdSchema, context.req.param('id'), 'bad_execution_id', 'the path')
    : route.path.includes('{name}')
      ? check(pathNameSchema, context.req.param('name'), 'bad_name', 'the path')
      : '';
  const body = route.body === null ? null : check(route.body, await readJson(context.req.raw), 'bad_body', 'the body');
  const call: RouteCall<unknown, unknown> = {
    service: options.service,
    metrics: options.metrics,
    openApi: () => document,
    caller: context.get('caller'),
    body,
    query,
    id,
    lastEventId: context.req.header('last-event-id') ?? null,
    closing: context.get('closing'),
    onError: (error) => options.log.error({ err: error, path: context.req.path }, 'a stream of events failed'),
  };
  // `route` tied the handler to these schemas when the table was written.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return call as RouteCall<never, never>;
}

/** Parameters by name; one that stands twice has no one meaning. @throws HttpFailure 400 */
function readQuery(url: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  for (const [key, value] of new URL(url).searchParams) {
    if (key in query)
      throw new HttpFailure(400, 'bad_query', `the query holds ${JSON.stringify(key.slice(0, 60))} twice`);
    query[key] = value;
  }
  return query;
}

type Problem = { readonly path: string; readonly message: string };

/** @throws HttpFailure 400 with every problem and its place */
function check<T>(
  schema: { safeParse: (value: unknown) => Checked<T> },
  value: unknown,
  code: string,
  where: string,
): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems: Problem[] = parsed.error.issues.map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: issue.message,
  }));
  const said = problems.slice(0, 5).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  throw new HttpFailure(400, code, `${where} is not as it should be: ${said.join('; ')}`, {
    details: { problems: problems.slice(0, 50) },
  });
}

type Checked<T> =
  | { success: true; data: T }
  | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };

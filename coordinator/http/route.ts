import type { z } from '@hono/zod-openapi';
import type { Verb } from '../../config/coordinator.ts';
import type { Caller, CoordinatorService } from '../service.ts';

/** What a route's handler is given: all of it checked against the route's own schemas. */
export type RouteCall<Body, Query> = {
  readonly service: CoordinatorService;
  /** Text of all metrics, in Prometheus' format. */
  readonly metrics: () => Promise<string>;
  readonly openApi: () => unknown;
  readonly caller: Caller;
  readonly body: Body;
  readonly query: Query;
  /** The execution, window or node named in the path; empty where the path names none. */
  readonly id: string;
  readonly lastEventId: string | null;
  /** Aborts when the connection has to end. */
  readonly closing: AbortSignal;
  readonly onError: (error: unknown) => void;
};

export type RouteAnswer = {
  readonly description: string;
  readonly schema: z.ZodType | null;
  /** Default application/json. */
  readonly type?: string;
};

/** One route beside the permission it needs, beyond the route rule that must open it. */
export type Route = {
  readonly method: 'GET' | 'POST';
  /** As OpenAPI writes it: `/v1/executions/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** Verb of `workflow_rule` that the service asks about the workflow and node concerned; null = none. */
  readonly verb: Verb | null;
  /** The body names a source whose faults the caller must be allowed to speak for. */
  readonly speaksForSource: boolean;
  readonly body: z.ZodType | null;
  readonly query: z.ZodType;
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  readonly handle: (call: RouteCall<never, never>) => Promise<Response>;
};

type TypedRoute<Body extends z.ZodType | null, Query extends z.ZodType> = Omit<Route, 'body' | 'query' | 'handle'> & {
  readonly body: Body;
  readonly query: Query;
  readonly handle: (
    call: RouteCall<Body extends z.ZodType ? z.output<Body> : null, z.output<Query>>,
  ) => Promise<Response>;
};

/** Ties a handler to its own schemas, then forgets their types so that all routes fit one table. */
export const route = <Body extends z.ZodType | null, Query extends z.ZodType>(typed: TypedRoute<Body, Query>): Route =>
  typed;

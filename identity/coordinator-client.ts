import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { parseSpiffeId } from '../config/spiffe-id.ts';
import type {
  ApiApproval,
  ApiApproved,
  ApiDecision,
  ApiDecisions,
  ApiEpisodeAnswer,
  ApiEpisodeReport,
  ApiEvent,
  ApiExecution,
  ApiExecutionDetail,
  ApiLimit,
  ApiNode,
  ApiNodeChange,
  ApiNodeChanged,
  ApiPaused,
  ApiPauseRequest,
  ApiPendingDetail,
  ApiPendingRequest,
  ApiRequest,
  ApiResumed,
  ApiResumeRequest,
  ApiStatus,
  ApiWhy,
  ApiWindow,
  ApiWindowRequest,
  ApiWorkflow,
} from '../workflows/api.ts';
import type { ClientIdentity } from './client-identity.ts';
import { CoordinatorConnection } from './coordinator-connection.ts';
import { readEventStream } from './event-stream.ts';
import { AllFailedError, firstAnswer } from './first-answer.ts';

export type CoordinatorClientOptions = {
  /** Tried in turn, beginning with the one that answered last. */
  readonly addresses: readonly string[];
  /** SPIFFE id that every one of them must prove. */
  readonly coordinatorId: string;
  readonly identity: ClientIdentity;
  /** For each address tried, milliseconds; default 15 s. */
  readonly timeoutMs?: number;
  /** An address that has not answered for so long is not waited for alone: the next is asked as well. Milliseconds; default 4 s. */
  readonly patienceMs?: number;
};

export type ExecutionQuery = {
  readonly workflow?: string | undefined;
  readonly node?: string | undefined;
  readonly outcome?: string | undefined;
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
};

export type LimitQuery = {
  readonly workflow: string;
  readonly node?: string | undefined;
  readonly node_type?: string | undefined;
  readonly datacenter?: string | undefined;
};

/** As `GET /v1/decisions` takes them; `before` is `next` of an earlier answer. */
export type DecisionQuery = {
  readonly workflow?: string | undefined;
  readonly node?: string | undefined;
  readonly refused?: boolean | undefined;
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  readonly before?: string | undefined;
};

/** One of them. */
export type WhyQuery = {
  readonly request?: string | undefined;
  readonly execution?: string | undefined;
  readonly node?: string | undefined;
  readonly alert?: string | undefined;
};

/** The coordinator refused, or failed and said so. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly details: unknown;
  readonly retryAfterS: number | null;
  constructor(
    status: number,
    code: string,
    message: string,
    more: { details?: unknown; retryAfterS?: number | null } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = more.details;
    this.retryAfterS = more.retryAfterS ?? null;
  }
}

/** No address gave an answer; each is named with its reason. */
export class CoordinatorUnreachableError extends Error {
  override readonly name = 'CoordinatorUnreachableError';
  readonly tried: readonly { readonly address: string; readonly reason: string }[];
  constructor(tried: CoordinatorUnreachableError['tried'], cause: unknown) {
    super(`no coordinator answered: ${tried.map(({ address, reason }) => `${address}: ${reason}`).join('; ')}`, {
      cause,
    });
    this.tried = tried;
  }
}

export type CallOptions = { readonly signal?: AbortSignal | undefined };

/** One method per route. Each throws `ApiError`, `CoordinatorUnreachableError`, or the signal's reason. */
export type CoordinatorClient = AsyncDisposable & {
  /** 201, 202, 200 and 409 with reasons are all answers here; the same `request_id` and `issued_at` are repeated on failover. */
  readonly request: (request: ApiRequest, options?: CallOptions) => Promise<ApiDecision>;
  readonly reportEpisode: (report: ApiEpisodeReport, options?: CallOptions) => Promise<ApiEpisodeAnswer>;
  readonly listExecutions: (query?: ExecutionQuery, options?: CallOptions) => Promise<ApiExecution[]>;
  readonly getExecution: (id: string, options?: CallOptions) => Promise<ApiExecutionDetail>;
  /** The story so far and as it happens, until the execution has closed; survives the loss of a connection. */
  readonly executionEvents: (id: string, options?: CallOptions) => AsyncIterable<ApiEvent>;
  readonly cancelExecution: (id: string, reason: string, options?: CallOptions) => Promise<ApiExecution>;
  readonly listPending: (options?: CallOptions) => Promise<ApiPendingRequest[]>;
  /** `id` is `pending:...`, here and in the three that follow. */
  readonly getPending: (id: string, options?: CallOptions) => Promise<ApiPendingDetail>;
  readonly cancelPending: (id: string, reason: string, options?: CallOptions) => Promise<ApiPendingDetail>;
  readonly approve: (id: string, approval: ApiApproval, options?: CallOptions) => Promise<ApiApproved>;
  readonly deny: (id: string, reason: string, options?: CallOptions) => Promise<ApiApproved>;
  /** The same `request_id` is repeated on failover, so that it is one pause; so with a window. */
  readonly pause: (wish: ApiPauseRequest, options?: CallOptions) => Promise<ApiPaused>;
  readonly resume: (wish: ApiResumeRequest, options?: CallOptions) => Promise<ApiResumed>;
  readonly windows: (options?: CallOptions) => Promise<ApiWindow[]>;
  readonly addWindow: (wish: ApiWindowRequest, options?: CallOptions) => Promise<ApiWindow>;
  readonly removeWindow: (name: string, reason: string, options?: CallOptions) => Promise<ApiWindow>;
  readonly limits: (query: LimitQuery, options?: CallOptions) => Promise<ApiLimit[]>;
  readonly decisions: (query: DecisionQuery, options?: CallOptions) => Promise<ApiDecisions>;
  readonly why: (query: WhyQuery, options?: CallOptions) => Promise<ApiWhy>;
  readonly nodes: (options?: CallOptions) => Promise<ApiNode[]>;
  readonly changeNode: (
    node: string,
    op: 'revoke' | 'restore' | 'unpin',
    change: ApiNodeChange,
    options?: CallOptions,
  ) => Promise<ApiNodeChanged>;
  readonly workflows: (options?: CallOptions) => Promise<ApiWorkflow[]>;
  readonly status: (options?: CallOptions) => Promise<ApiStatus>;
};

/** Longer than a coordinator needs to take the gate over from one that died. */
const PATIENCE_MS = 4_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_RECONNECTS = 6;
const RECONNECT_MS = 125;
/** The server sends a comment every 15 s, so a stream silent for so long is dead. Milliseconds. */
const STREAM_SILENCE_MS = 45_000;

/** Makes no connection yet. @throws when an address or the coordinator's id is invalid */
export function openCoordinatorClient(options: CoordinatorClientOptions): CoordinatorClient {
  const calls = new Calls(options);
  const get = <T>(path: string, call?: CallOptions): Promise<T> => calls.json<T>({ method: 'GET', path }, call);
  const post = <T>(path: string, body: unknown, call?: CallOptions, also: readonly number[] = []): Promise<T> =>
    calls.json<T>({ method: 'POST', path, body: JSON.stringify(body) }, call, also);
  return {
    request: (request, call) => {
      const repeatable = { request_id: randomUUID(), issued_at: new Date().toISOString(), ...request };
      return post<ApiDecision>('/v1/requests', repeatable, call, [409]);
    },
    reportEpisode: (report, call) => post('/v1/episodes', report, call),
    listExecutions: (query = {}, call) => get(`/v1/executions${queryText(query)}`, call),
    getExecution: async (id, call) => get(executionPath(id), call),
    executionEvents: (id, call) => streamEvents(calls, id, call),
    cancelExecution: async (id, reason, call) => post(`${executionPath(id)}/cancel`, { reason }, call),
    listPending: (call) => get('/v1/pending', call),
    getPending: async (id, call) => get(executionPath(id), call),
    cancelPending: async (id, reason, call) => post(`${executionPath(id)}/cancel`, { reason }, call),
    approve: async (id, approval, call) => post(`${executionPath(id)}/approve`, approval, call),
    deny: async (id, reason, call) => post(`${executionPath(id)}/deny`, { reason }, call),
    pause: (wish, call) => post('/v1/pause', { request_id: randomUUID(), ...wish }, call),
    resume: (wish, call) => post('/v1/resume', wish, call),
    windows: (call) => get('/v1/windows', call),
    addWindow: (wish, call) => post('/v1/windows', { request_id: randomUUID(), ...wish }, call),
    removeWindow: (name, reason, call) => post(`/v1/windows/${encodeURIComponent(name)}/remove`, { reason }, call),
    limits: (query, call) => get(`/v1/limits${queryText(query)}`, call),
    decisions: (query, call) => get(`/v1/decisions${queryText(query)}`, call),
    why: (query, call) => get(`/v1/why${queryText(query)}`, call),
    nodes: (call) => get('/v1/nodes', call),
    changeNode: (node, op, change, call) => post(`/v1/nodes/${encodeURIComponent(node)}/${op}`, change, call),
    workflows: (call) => get('/v1/workflows', call),
    status: (call) => get('/v1/status', call),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

type Call = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
};

/** Sends calls to the addresses in turn until one answers with anything but 503. */
class Calls implements AsyncDisposable {
  readonly #connections: readonly CoordinatorConnection[];
  readonly #timeoutMs: number;
  readonly #patienceMs: number;
  #first = 0;

  constructor(options: CoordinatorClientOptions) {
    const server = parseSpiffeId(options.coordinatorId);
    if (options.addresses.length === 0)
      throw new Error('no coordinator address is configured; write https://host:7443');
    this.#connections = options.addresses.map(
      (address) => new CoordinatorConnection(address, server, options.identity),
    );
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  /** The JSON of a 2xx answer, or of one of the statuses in `also` when it holds a decision. */
  json<T>(call: Call, options?: CallOptions, also: readonly number[] = []): Promise<T> {
    return this.#eachAddress(call, options, async (connection, signal) => {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]);
      const { statusCode, headers, body } = await connection.request(toRequest(call, deadline));
      const answer = parseAnswer(await readBounded(body), statusCode);
      // The coordinator checks its own answers against the very types of workflows/api.ts.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      if (statusCode < 300 || (also.includes(statusCode) && isDecision(answer))) return answer as T;
      throw toApiError(statusCode, headers, answer);
    });
  }

  /** The body of a 200 event stream; its reader must end it. */
  stream(call: Call, options?: CallOptions): Promise<Dispatcher.ResponseData['body']> {
    return this.#eachAddress(call, options, async (connection, signal) => {
      const request = { ...toRequest(call, signal), headersTimeout: this.#timeoutMs, bodyTimeout: STREAM_SILENCE_MS };
      const { statusCode, headers, body } = await connection.request(request);
      if (statusCode === 200 && String(headers['content-type']).startsWith('text/event-stream')) return body;
      throw toApiError(statusCode, headers, parseAnswer(await readBounded(body), statusCode));
    });
  }

  async #eachAddress<T>(
    call: Call,
    options: CallOptions | undefined,
    attempt: (connection: CoordinatorConnection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const start = this.#first;
    const indexOf = (place: number): number => (start + place) % this.#connections.length;
    try {
      const { place, answer } = await firstAnswer({
        places: this.#connections.length,
        patienceMs: mayBeAskedBeside(call) ? this.#patienceMs : null,
        signal: options?.signal ?? new AbortController().signal,
        isFinal: (error) => error instanceof ApiError && error.status !== 503,
        ask: (asked, signal) => {
          const connection = this.#connections[indexOf(asked)];
          if (connection === undefined) throw new Error(`there is no coordinator ${asked}`);
          return attempt(connection, signal).catch((error: unknown) => {
            if (signal.aborted || !wasCutOff(error)) throw error;
            return attempt(connection, signal);
          });
        },
      });
      this.#first = indexOf(place);
      return answer;
    } catch (error) {
      throw error instanceof AllFailedError ? this.#unreachable(error, indexOf) : error;
    }
  }

  /** A coordinator that says why it cannot decide tells more than those that say nothing. */
  #unreachable({ failures }: AllFailedError, indexOf: (place: number) => number): Error {
    const unavailable = failures.find(({ error }) => error instanceof ApiError)?.error;
    if (unavailable instanceof ApiError) return unavailable;
    const tried = failures.map(({ place, error }) => ({
      address: this.#connections[indexOf(place)]?.address ?? '',
      reason: describe(error, this.#timeoutMs),
    }));
    return new CoordinatorUnreachableError(tried, failures.at(-1)?.error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection[Symbol.asyncDispose]()));
  }
}

async function* streamEvents(calls: Calls, id: string, options?: CallOptions): AsyncGenerator<ApiEvent> {
  const path = `${executionPath(id)}/events`;
  const signal = options?.signal;
  let lastId: string | null = null;
  let opened = false;
  for (let failures = 0; ;) {
    const headers: Record<string, string> = {
      accept: 'text/event-stream',
      ...(lastId === null ? {} : { 'last-event-id': lastId }),
    };
    let body: Dispatcher.ResponseData['body'] | null = null;
    try {
      body = await calls.stream({ method: 'GET', path, headers }, options);
      opened = true;
      for await (const event of readEventStream(body)) {
        failures = 0;
        if (event.event === 'end') return;
        if (event.event === 'failure') throw toApiError(500, {}, JSON.parse(event.data));
        lastId = event.id ?? lastId;
        if (event.event === 'message') yield parseEvent(event.data);
      }
      // Ended without the word `end`: that coordinator is going down, or the connection's life is over. Go on with another.
      failures += 1;
    } catch (error) {
      signal?.throwIfAborted();
      const final = error instanceof ApiError && error.status !== 503;
      if (!opened || final || failures >= MAX_RECONNECTS) throw error;
      failures += 1;
    } finally {
      // Its own end or ours: an abort shows up above, not here.
      body?.on('error', () => undefined).destroy();
    }
    if (failures > MAX_RECONNECTS)
      throw new Error(`the story of ${id} broke off ${failures} times without anything new`);
    if (failures > 1) await sleep(RECONNECT_MS * 2 ** failures, undefined, { signal });
  }
}

/** @throws ApiError 422 when it cannot be an id: it would only be refused as a bad path */
function executionPath(id: string): string {
  if (/^[A-Za-z0-9._:-]{1,300}$/.test(id) && !id.includes('..')) return `/v1/executions/${id}`;
  throw new ApiError(
    422,
    'bad_execution_id',
    `${JSON.stringify(id.slice(0, 100))} is not an execution id; fettle ps lists them`,
  );
}

function queryText(query: ExecutionQuery | LimitQuery): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

const toRequest = (call: Call, signal: AbortSignal): Omit<Dispatcher.RequestOptions, 'origin'> => ({
  method: call.method,
  path: call.path,
  signal,
  headers: {
    accept: 'application/json',
    ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...call.headers,
  },
  body: call.body ?? null,
});

async function readBounded(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`its answer is larger than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @throws Error when it is not JSON: whatever answered is no coordinator, so the next address is tried */
function parseAnswer(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`answered ${status} with something that is not JSON; is this a coordinator?`);
  }
}

function toApiError(status: number, headers: Record<string, unknown>, answer: unknown): ApiError | Error {
  const { code, message, details } = record(answer);
  if (typeof code !== 'string' || typeof message !== 'string')
    return new Error(`answered ${status} without saying why; is this a coordinator?`);
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return new ApiError(status, code, message, { details, retryAfterS: Number.isFinite(seconds) ? seconds : null });
}

/** The coordinator's own words, checked there against its schemas. */
const parseEvent = (data: string): ApiEvent => JSON.parse(data);

/**
 * The connection ended under a request: it was an old one whose time was over. Every call may be repeated (requests carry their id), so
 * one more attempt on a new connection decides.
 */
function wasCutOff(error: unknown): boolean {
  if (error instanceof ApiError) return error.code === 'reconnect';
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** What two coordinators may work on at the same time: it changes nothing, or carries an id by which it is done once. */
const mayBeAskedBeside = ({ method, path }: Call): boolean =>
  method === 'GET' || path === '/v1/requests' || path === '/v1/episodes';

const isDecision = (answer: unknown): boolean => typeof record(answer)['decision'] === 'string';

const record = (value: unknown): Partial<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? value : {};

function describe(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  if (error instanceof AggregateError && error.message === '') return error.errors.map(String).join(', ');
  return error.message;
}

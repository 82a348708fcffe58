import { readFile } from 'node:fs/promises';
import https, { type RequestOptions } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { IncomingHttpHeaders } from 'node:http';
import { pino, type Logger } from 'pino';
import type { AccessConfig, RouteRule } from '../../config/coordinator.ts';
import { createApi } from '../../coordinator/http/api.ts';
import { requestPeer } from '../../coordinator/http/peer.ts';
import { startHttpServer, type HttpServer, type ServerLimits } from '../../coordinator/http/server.ts';
import { openSvidSource, type SvidSource } from '../../identity/svid-source.ts';
import type { IdentityConfig } from '../../config/connections.ts';
import { recordedService, type RecordedService } from './recorded-service.ts';

/** The coordinator's real listener and API, before a service that only records. */
export type ApiListener = AsyncDisposable & {
  readonly server: HttpServer;
  readonly source: SvidSource;
  readonly service: RecordedService;
  readonly port: number;
  /** Every log line written so far. */
  readonly log: readonly LogLine[];
  /** What decides about callers; may be replaced. */
  readonly access: { current: AccessConfig };
};
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

const PLACE = { file: 'test.hcl', line: 1, column: 1 };

/** A route rule with what matters of it. */
export const routeRule = (rule: Partial<RouteRule>): RouteRule => ({
  place: PLACE,
  name: 'rule',
  method: 'GET',
  routePatterns: ['/*'],
  uris: [],
  allowPublic: false,
  skipLogMatch: false,
  ...rule,
});

/** Reading and writing for those named, metrics for all, as DESIGN's example. */
export const openTo = (...uris: string[]): AccessConfig => ({
  routeRules: [
    routeRule({ name: 'get', uris }),
    routeRule({ name: 'post', method: 'POST', uris }),
    routeRule({ name: 'public', routePatterns: ['/metrics'], allowPublic: true, skipLogMatch: true }),
  ],
  workflowRules: [],
  sourceRules: [],
});

export type ListenerOptions = {
  readonly identity: IdentityConfig;
  readonly access: AccessConfig;
  readonly service?: RecordedService;
  readonly limits?: Partial<ServerLimits>;
};

export async function startApiListener(options: ListenerOptions): Promise<ApiListener> {
  const log: LogLine[] = [];
  const logger: Logger = pino({ level: 'debug' }, { write: (line: string) => void log.push(JSON.parse(line)) });
  const access = { current: options.access };
  const service = options.service ?? recordedService();
  await using stack = new AsyncDisposableStack();
  const source = stack.use(await openSvidSource(options.identity, { log: logger, pollMs: 1_000 }));
  const app = createApi({
    service,
    access: () => access.current,
    metrics: () => Promise.resolve('fettle_up 1\n'),
    log: logger,
    callerOf: requestPeer,
  });
  const server = stack.use(
    await startHttpServer({
      listen: { host: '127.0.0.1', port: 0 },
      identity: source,
      fetch: app.fetch,
      log: logger,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    }),
  );
  const undo = stack.move();
  return {
    server,
    source,
    service,
    port: server.address.port,
    log,
    access,
    [Symbol.asyncDispose]: () => undo[Symbol.asyncDispose](),
  };
}

/** PEM files of a client, and what it trusts. */
export type TestClient = {
  readonly certificate: string | null;
  readonly key: string | null;
  readonly bundle: string;
  readonly servername: string;
};

export async function tlsOptionsOf(client: TestClient): Promise<ConnectionOptions> {
  const read = async (file: string | null): Promise<Buffer | undefined> => (file === null ? undefined : readFile(file));
  return {
    host: '127.0.0.1',
    cert: await read(client.certificate),
    key: await read(client.key),
    ca: await readFile(client.bundle),
    servername: client.servername,
    // The server's own identity is tested with the real client.
    checkServerIdentity: () => undefined,
  };
}

/** An agent that keeps its connections; Node reuses none when `checkServerIdentity` is given with each request. */
export const keepingAgent = async (client: TestClient, maxSockets: number): Promise<https.Agent> =>
  new https.Agent({ ...(await tlsOptionsOf(client)), keepAlive: true, maxSockets });

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly reused: boolean;
};

/** One request over one connection of its own, unless an agent is given. */
export function ask(options: RequestOptions | (ConnectionOptions & RequestOptions), body?: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const headers =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const request = https.request({ agent: false, ...options, headers }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: Buffer.concat(chunks).toString(),
        reused: request.reusedSocket,
      }),
    );
  });
  request.on('error', reject);
  request.end(body);
  return promise;
}

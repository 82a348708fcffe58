import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext, TLSSocket } from 'node:tls';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import type { HostPort } from '../../config/connections.ts';
import type { Svid, SvidSource } from '../../identity/svid-source.ts';
import { contextOptions, domainOfName, secureContexts, tlsSettings } from '../identity/tls-contexts.ts';
import { Connections } from './connections.ts';
import { failureAnswer, HttpFailure, toResponse, type Answer } from './failure.ts';
import { setRequestPeer } from './peer.ts';
import { badTarget } from './target.ts';

/** Milliseconds, bytes and counts that keep one client from holding up the others. */
export const SERVER_LIMITS = {
  handshakeMs: 5_000,
  headersMs: 10_000,
  requestMs: 30_000,
  /** How often the two above are looked at. */
  checkMs: 2_000,
  keepAliveMs: 5_000,
  connectionLifeMs: 10 * 60_000,
  headerBytes: 16 * 1024,
  connections: 1_000,
  /** TLS handshakes under way; one more ends the oldest. */
  handshakes: 500,
  requestsPerConnection: 1_000,
  /** Within it a shutdown waits for answers under way. */
  shutdownMs: 10_000,
} as const;
export type ServerLimits = { readonly [Name in keyof typeof SERVER_LIMITS]: number };

export type HttpServerOptions = {
  readonly listen: HostPort;
  /** Null: plain HTTP, on loopback only, every caller anonymous. */
  readonly identity: SvidSource | null;
  readonly fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly limits?: Partial<ServerLimits>;
  /** A handshake came to nothing: who it was is not known, only from where. */
  readonly onTlsFailure?: (remote: string | undefined, reason: string) => void;
};

export type HttpServer = AsyncDisposable & {
  /** Where it listens, the port chosen when 0 was asked for. */
  readonly address: HostPort;
  /** `https://host:port` */
  readonly origin: string;
  /** Connections that stand now or are being made. */
  readonly connections: () => number;
};

export class HttpServerError extends Error {
  override readonly name = 'HttpServerError';
}

/**
 * Serves the API until disposed of: then it stops listening, lets answers under way finish, and cuts what is left at the deadline.
 * @throws HttpServerError when it cannot listen there
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const limits: ServerLimits = { ...SERVER_LIMITS, ...options.limits };
  const svid = options.identity?.current() ?? null;
  const dropped = reportDrops(options.log);
  const connections = new Connections(svid, limits, dropped);
  const inForce = svid === null ? null : { svid, contexts: secureContexts(svid) };
  const server = createServer(inForce, limits, requestListener(options, connections));
  server.on('connection', (socket: Socket) => connections.arrived(socket));
  server.on('secureConnection', (socket: TLSSocket) => connections.secured(socket));
  server.on('clientError', answerBadHttp);
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    options.log.info({ remote: socket.remoteAddress, reason: error.message }, 'a TLS handshake failed');
    options.onTlsFailure?.(socket.remoteAddress, error.message);
    connections.handshakeFailed(socket);
  });
  server.on('drop', dropped);
  const stopFollowing = followIdentity(server, inForce, options, connections);
  const address = await listen(server, options.listen, svid !== null);
  const host = net.isIPv6(address.host) ? `[${address.host}]` : address.host;
  return {
    address,
    origin: `${svid === null ? 'http' : 'https'}://${host}:${address.port}`,
    connections: () => connections.size,
    [Symbol.asyncDispose]: async () => {
      stopFollowing();
      await stop(server, connections, limits.shutdownMs);
    },
  };
}

/** The identity whose contexts new handshakes use; replaced as a whole. */
type InForce = { svid: Svid; contexts: ReadonlyMap<string, SecureContext> };

function createServer(
  inForce: InForce | null,
  limits: ServerLimits,
  listener: RequestListener,
): http.Server | https.Server {
  const common: http.ServerOptions = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
    keepAliveTimeout: limits.keepAliveMs,
    noDelay: true,
  };
  const server =
    inForce === null
      ? http.createServer(common, listener)
      : https.createServer({ ...common, ...tlsOptions(inForce), handshakeTimeout: limits.handshakeMs }, listener);
  // Above what Connections allows: it drops those that matter least, this drops whoever comes.
  server.maxConnections = 2 * (limits.connections + limits.handshakes);
  server.maxRequestsPerSocket = limits.requestsPerConnection;
  return server;
}

const tlsOptions = (inForce: InForce): https.ServerOptions => ({
  ...tlsSettings(inForce.svid),
  SNICallback: (name, done) => done(null, inForce.contexts.get(domainOfName(inForce.svid, name))),
});

function requestListener(options: HttpServerOptions, connections: Connections): RequestListener {
  const serve = getRequestListener((request, env) => options.fetch(request, onlyHttp1(env)), {
    overrideGlobalObjects: false,
    // The adapter's own complaints are about Host headers and targets that make no URL.
    errorHandler: () =>
      toResponse(failureAnswer(new HttpFailure(400, 'bad_request', 'the request line or Host header makes no URL'))),
  });
  return (incoming, outgoing) => {
    const found = connections.peerOf(incoming.socket);
    if (found === null) return void incoming.socket.destroy();
    setRequestPeer(incoming, found.peer);
    if (found.last) outgoing.shouldKeepAlive = false;
    const wrong = badTarget(incoming.url ?? '');
    if (wrong !== null)
      return refuse(
        outgoing,
        incoming,
        failureAnswer(new HttpFailure(400, 'bad_target', `the request target is refused: ${wrong}`)),
      );
    void serve(incoming, outgoing);
  };
}

function onlyHttp1(env: { incoming: unknown; outgoing: unknown }): HttpBindings {
  // This listener speaks HTTP/1.1 alone, so the bindings are never those of HTTP/2.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return env as HttpBindings;
}

function refuse(outgoing: ServerResponse, incoming: IncomingMessage, answer: Answer): void {
  outgoing.shouldKeepAlive = false;
  outgoing.writeHead(answer.status, { ...answer.headers, 'content-type': 'application/json' });
  outgoing.end(incoming.method === 'HEAD' ? undefined : JSON.stringify(answer.body));
}

/** What cannot be parsed as HTTP, or did not arrive in time, still gets a JSON answer when the socket takes one. */
function answerBadHttp(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, code, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'request_timeout', 'the request did not arrive in time']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'headers_too_large', 'the headers are too large']
        : ['400 Bad Request', 'bad_request', 'this is not a valid HTTP/1.1 request'];
  const body = JSON.stringify({ code, message });
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  socket.end(head + body, () => socket.destroy());
}

/** New certificates and bundles hold for new connections at once, without any request being dropped. */
function followIdentity(
  server: http.Server | https.Server,
  inForce: InForce | null,
  options: HttpServerOptions,
  connections: Connections,
): () => void {
  const { identity, log } = options;
  if (identity === null || inForce === null || !(server instanceof https.Server)) return () => undefined;
  return identity.onChange((svid) => {
    try {
      const contexts = secureContexts(svid);
      server.setSecureContext(contextOptions(svid, svid.id.trustDomain));
      Object.assign(inForce, { svid, contexts });
      connections.changed(svid);
      log.info({ spiffe_id: svid.id.text }, 'the listener uses the new identity');
    } catch (error) {
      log.error({ err: error }, 'the listener cannot use the new identity and keeps the old one');
    }
  });
}

/** @returns to be called for each connection dropped */
function reportDrops(log: HttpServerOptions['log']): () => void {
  let dropped = 0;
  return () => {
    // One line for the first of each burst: a flood must not fill the disk too.
    if (dropped === 0)
      setTimeout(() => {
        log.warn({ dropped }, 'connections were refused: the limit of open connections is reached');
        dropped = 0;
      }, 1_000).unref();
    dropped += 1;
  };
}

async function listen(server: net.Server, at: HostPort, secure: boolean): Promise<HostPort> {
  if (!secure && !isLoopback(at.host)) {
    throw new HttpServerError(
      `enable_tls = false listens on loopback only, not on ${at.host}; write listen = "127.0.0.1:${at.port}"`,
    );
  }
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen({ host: at.host, port: at.port }, () => resolve(undefined));
  try {
    await promise;
  } catch (error) {
    throw new HttpServerError(
      `cannot listen on ${at.host}:${at.port}: ${error instanceof Error ? error.message : 'unknown'}`,
      { cause: error },
    );
  }
  server.removeListener('error', reject);
  const address = server.address();
  if (!isAddressInfo(address)) throw new HttpServerError(`cannot listen on ${at.host}:${at.port}`);
  return { host: address.address, port: address.port };
}

const isAddressInfo = (address: string | AddressInfo | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;

/** `localhost` is left out: what it resolves to is not ours to say. */
const isLoopback = (host: string): boolean => host === '::1' || (net.isIPv4(host) && host.startsWith('127.'));

async function stop(server: http.Server | https.Server, connections: Connections, deadlineMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  server.close(() => resolve(undefined));
  connections.endAll();
  server.closeIdleConnections();
  const deadline = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await promise;
  clearTimeout(deadline);
}

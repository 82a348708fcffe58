import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { HostPort } from '../config/connections.ts';

export type MetricsServer = { readonly address: string; readonly close: () => Promise<void> };

/** A scraper is one of ours, local and quick; these only keep a stuck one from holding a socket. */
const LIMITS = { requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 65_000, maxHeaderSize: 8 * 1024 };
const MAX_CONNECTIONS = 50;

/**
 * Serves `GET /metrics` and `GET /healthz` of roles that have no HTTP of their own.
 * @throws Error naming the address when it cannot be listened on.
 */
export async function serveMetrics(listen: HostPort, registry: Registry): Promise<MetricsServer> {
  const server = createServer(LIMITS, (request, response) => {
    const path = request.url?.split('?', 1)[0];
    const send = (status: number, type: string, body: string): void => {
      response
        .writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
        .end(request.method === 'HEAD' ? '' : body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'text/plain', 'only GET\n');
    if (path === '/healthz') return send(200, 'text/plain', 'ok\n');
    if (path !== '/metrics') return send(404, 'text/plain', 'only /metrics and /healthz\n');
    return void registry.metrics().then(
      (text) => send(200, registry.contentType, text),
      () => send(500, 'text/plain', 'metrics could not be collected\n'),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, listen);
  const { address, port, family } = server.address() as AddressInfo;
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () => closed(server),
  };
}

const listening = (server: Server, { host, port }: HostPort): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new Error(`cannot serve metrics on ${host}:${port} (${cause.code ?? cause.message}); change metrics.listen`, {
          cause,
        }),
      );
    });
    server.listen(port, host, () => resolve());
  });

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

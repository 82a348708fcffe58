/** Metrics and status of the trigger daemon over plain HTTP, read only; meant for loopback or a scrape network. */
import { createServer, type RequestListener } from 'node:http';
import type { Registry } from 'prom-client';
import type { HostPort } from '../config/connections.ts';
import type { TriggerDaemonStatus } from './trigger-daemon.ts';

type Served = { readonly registry: Registry; readonly status: () => TriggerDaemonStatus };

/** @throws when the address cannot be listened on. */
export async function serveStatus(
  listen: HostPort,
  served: Served,
): Promise<{ address: HostPort; close: () => Promise<void> }> {
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, maxHeaderSize: 8_192 },
    answerWith(served),
  );
  server.maxConnections = 100;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (cause) =>
    reject(new Error(`cannot serve metrics on ${listen.host}:${listen.port}`, { cause })),
  );
  server.listen(listen.port, listen.host, resolve);
  await promise;
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port;
  return {
    address: { host: listen.host, port },
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

function answerWith({ registry, status }: Served): RequestListener {
  return (request, response) => {
    const send = (code: number, type: string, body: string): void => {
      response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
    };
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET') return send(405, 'text/plain', 'only GET\n');
    if (path === '/healthz') return send(200, 'text/plain', 'ok\n');
    if (path === '/readyz') {
      const waiting = status().triggers.filter((trigger) => trigger.state === 'never_looked');
      if (waiting.length === 0) return send(200, 'text/plain', 'ok\n');
      return send(503, 'text/plain', `no look yet: ${waiting.map((trigger) => trigger.trigger).join(', ')}\n`);
    }
    if (path === '/status') return send(200, 'application/json', `${JSON.stringify(status(), null, 2)}\n`);
    if (path !== '/metrics') return send(404, 'text/plain', 'try /metrics /status /healthz /readyz\n');
    registry.metrics().then(
      (text) => send(200, registry.contentType, text),
      () => send(500, 'text/plain', 'metrics could not be collected\n'),
    );
  };
}

/** The public keys over plain HTTP, for Temporal's key provider, which has no client certificate. Nothing else is served there. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { HostPort } from '../../config/connections.ts';
import type { TokenKeys } from './token-keys.ts';

export class JwksListenerError extends Error {
  override readonly name = 'JwksListenerError';
}

export const JWKS_PATH = '/v1/jwks';

/** @throws JwksListenerError when it cannot listen there */
export async function serveJwks(
  { host, port }: HostPort,
  jwks: TokenKeys['jwks'],
  log: Pick<Logger, 'info'>,
): Promise<AsyncDisposable & { readonly port: number }> {
  const body = JSON.stringify(jwks);
  const server = http.createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const known = request.url === JWKS_PATH && (request.method === 'GET' || request.method === 'HEAD');
    const text = known ? body : JSON.stringify({ code: 'no_such_route', message: `only GET ${JWKS_PATH} is here` });
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/json', connection: 'close' });
    response.end(request.method === 'HEAD' ? undefined : text);
  });
  server.maxConnections = 64;
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen({ host, port }, () => resolve(undefined));
  try {
    await promise;
  } catch (cause) {
    throw new JwksListenerError(`cannot serve the token keys at ${host}:${port} (agent_tokens.jwks_listen)`, { cause });
  }
  const bound = (server.address() as AddressInfo).port;
  log.info({ url: `http://${host}:${bound}${JWKS_PATH}` }, 'token keys are served');
  return {
    port: bound,
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

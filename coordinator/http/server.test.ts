import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import {
  ask,
  keepingAgent,
  openTo,
  startApiListener,
  tlsOptionsOf,
  type ApiListener,
  type TestClient,
} from '../../test/support/api-listener.ts';
import { readCa } from '../../identity/dev-ca.ts';
import { CA, LEAF, mint, type MintOptions } from '../../identity/mint.ts';
import { makeTestPki, type TestPki, type TestSvid } from '../../test/support/ca.ts';
import { recordedService } from '../../test/support/recorded-service.ts';
import { startHttpServer } from './server.ts';

const ANN = 'spiffe://example.com/person/ann';
const EVE = 'spiffe://friend.test/person/eve';
const client = (svid: TestSvid, bundle: string, servername: string): TestClient => ({
  certificate: svid.certificate,
  key: svid.key,
  bundle,
  servername,
});

/** Waits until the condition holds; fails after ten seconds. */
async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `not within 10 s: ${what}`);
    await sleep(20);
  }
}

describe('the listener', () => {
  const stack = new AsyncDisposableStack();
  let own: TestPki;
  let friend: TestPki;
  let ann: TestClient;
  before(async () => {
    own = stack.use(await makeTestPki('example.com'));
    friend = stack.use(await makeTestPki('friend.test'));
    ann = client(await own.issue('/person/ann'), own.bundle, 'example.com');
  });
  after(() => stack.disposeAsync());

  const start = async (
    options: Partial<Parameters<typeof startApiListener>[0]> & { readonly name: string },
  ): Promise<ApiListener> => {
    const { name, ...rest } = options;
    const server = await own.issue('/coordinator', { name });
    return startApiListener({ identity: server.identity, access: openTo(ANN, EVE), ...rest });
  };

  test('speaks TLS 1.3 and HTTP/1.1 only', async () => {
    await using listener = await start({ name: 'versions' });
    const base = { ...(await tlsOptionsOf(ann)), port: listener.port };
    const socket = tls.connect({ ...base, ALPNProtocols: ['h2', 'http/1.1'] });
    await once(socket, 'secureConnect');
    assert.equal(socket.getProtocol(), 'TLSv1.3');
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
    await assert.rejects(ask({ ...base, maxVersion: 'TLSv1.2' }), /alert|EPROTO|ECONNRESET/);
  });

  test('gives out no session that could be resumed', async () => {
    await using listener = await start({ name: 'sessions' });
    const options = { ...(await tlsOptionsOf(ann)), port: listener.port };
    const reused: boolean[] = [];
    for (let round = 0; round < 3; round += 1) {
      const socket = tls.connect({ ...options, ALPNProtocols: ['http/1.1'] });
      let session: Buffer | undefined;
      socket.on('session', (ticket) => (session = ticket));
      await once(socket, 'secureConnect');
      socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      socket.resume();
      await once(socket, 'close');
      const again = tls.connect({ ...options, ...(session === undefined ? {} : { session }) });
      await once(again, 'secureConnect');
      reused.push(again.isSessionReused());
      again.destroy();
    }
    assert.deepEqual(reused, [false, false, false]);
  });

  test('judges the dates of a certificate at each request, not only at the handshake', async () => {
    await using listener = await start({ name: 'expiry' });
    const short = await own.issue('/person/ann', {
      name: 'short',
      override: { notAfter: new Date(Date.now() + 3_000) },
    });
    const agent = await keepingAgent(client(short, own.bundle, 'example.com'), 1);
    const options = { host: '127.0.0.1', port: listener.port, path: '/healthz', agent };
    assert.equal((await ask(options)).status, 200);
    // Keep the one connection in use until the certificate is over.
    let answer = await ask(options);
    await until(async () => (answer = await ask(options)).status !== 200, 'the certificate expires');
    assert.equal(answer.status, 401);
    assert.ok(answer.reused, 'the connection is the one that was fine before');
    assert.equal(JSON.parse(answer.text).code, 'certificate_expired');
    assert.equal(answer.headers.connection, 'close');
    agent.destroy();
  });

  test('drops no request while its certificate is renewed', async () => {
    await using listener = await start({ name: 'rotation' });
    const agent = await keepingAgent(ann, 4);
    const options = { host: '127.0.0.1', port: listener.port, path: '/v1/nodes', agent };
    const serials = new Set<string>();
    agent.on('free', (socket: tls.TLSSocket) => serials.add(socket.getPeerX509Certificate()?.serialNumber ?? ''));
    const stop = new AbortController();
    let answered = 0;
    const load = Array.from({ length: 4 }, async () => {
      while (!stop.signal.aborted) {
        assert.equal((await ask(options)).status, 200);
        answered += 1;
      }
    });
    for (let round = 0; round < 4; round += 1) {
      const seen = serials.size;
      await own.issue('/coordinator', { name: 'rotation', renew: true });
      await until(() => serials.size > seen, 'connections with the new certificate');
    }
    stop.abort();
    await Promise.all(load);
    assert.ok(answered > 0 && serials.size >= 5);
    agent.destroy();
  });

  test('keeps the old identity when key and certificate do not fit, and says so', async () => {
    const { key } = await own.issue('/elsewhere');
    const server = await own.issue('/coordinator', { name: 'misfit2' });
    await using second = await startApiListener({ identity: server.identity, access: openTo(ANN) });
    await writeFile(server.key, await readFile(key));
    await until(() => second.source.problem() !== null, 'the misfit is noticed');
    assert.match(second.source.problem() ?? '', /does not belong to the certificate/);
    const options = { ...(await tlsOptionsOf(ann)), path: '/healthz' };
    assert.equal((await ask({ ...options, port: second.port })).status, 200);
  });

  test('takes clients whose chain leads over an intermediate, and none whose intermediate may not sign', async () => {
    await using listener = await start({ name: 'intermediates' });
    const issuer = await readCa(own.caDir);
    const dates = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
    const over = async (name: string, override: Partial<MintOptions>): Promise<TestClient> => {
      const between = mint({ ...CA, ...dates, issuer, commonName: name, uris: [], ...override });
      const { certificate, key } = mint({ ...LEAF, ...dates, issuer: between, commonName: 'ann', uris: [ANN] });
      const files = { certificate: join(own.dir, `${name}.pem`), key: join(own.dir, `${name}.key`) };
      await writeFile(files.certificate, certificate.toString() + between.certificate.toString());
      await writeFile(files.key, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      return { ...files, bundle: own.bundle, servername: 'example.com' };
    };
    const status = async (who: TestClient): Promise<[number, string | undefined]> => {
      const answer = await ask({ ...(await tlsOptionsOf(who)), port: listener.port, path: '/healthz' });
      return [answer.status, JSON.parse(answer.text).code];
    };
    assert.deepEqual(await status(await over('good', {})), [200, undefined]);
    assert.deepEqual(await status(await over('no-ca', { ca: false })), [401, 'certificate_untrusted']);
    assert.deepEqual(await status(await over('no-sign', { keyUsage: ['cRLSign'] })), [401, 'certificate_untrusted']);
  });

  test('ends connections of a trust domain that has left, and no others', async () => {
    const server = await own.issue('/coordinator', { name: 'leaving' });
    const federated = [{ trustDomain: 'friend.test', bundle: friend.bundle }];
    await using listener = await startApiListener({
      identity: { ...server.identity, federated },
      access: openTo(ANN, EVE),
    });
    const eve = client(await friend.issue('/person/eve'), own.bundle, 'friend.test');
    const connect = async (who: TestClient): Promise<tls.TLSSocket> => {
      const socket = tls.connect({ ...(await tlsOptionsOf(who)), port: listener.port });
      await once(socket, 'secureConnect');
      socket.resume();
      return socket;
    };
    const [hers, anns] = [await connect(eve), await connect(ann)];
    await until(() => listener.server.connections() === 2, 'both connections stand');
    const gone = once(hers, 'close');
    hers.on('error', () => undefined);
    // The domain leaves with a new configuration: the same source, without it.
    federated.length = 0;
    await listener.source.reload();
    await gone;
    assert.equal(anns.destroyed, false);
    anns.destroy();
  });

  test('asks for a new connection when the CA behind one has left the bundle', async () => {
    const other = await makeTestPki('example.com');
    await using _ = other;
    const server = await own.issue('/coordinator', { name: 'roots' });
    await writeFile(server.bundle, (await readFile(own.bundle, 'utf8')) + (await readFile(other.bundle, 'utf8')));
    await using listener = await startApiListener({ identity: server.identity, access: openTo(ANN) });
    const theirs = client(await other.issue('/person/ann'), own.bundle, 'example.com');
    const agent = await keepingAgent(theirs, 1);
    const options = { host: '127.0.0.1', port: listener.port, path: '/healthz', agent };
    assert.equal((await ask(options)).status, 200);
    await writeFile(server.bundle, await readFile(own.bundle));
    await listener.source.reload();
    const answer = await ask(options);
    assert.equal(answer.status, 503);
    assert.equal(JSON.parse(answer.text).code, 'reconnect');
    const again = await ask({ ...(await tlsOptionsOf(theirs)), port: listener.port, path: '/healthz' });
    assert.equal(JSON.parse(again.text).code, 'certificate_untrusted');
    agent.destroy();
  });

  test('ends connections whose life is over, streams included', async () => {
    const service = recordedService({
      executionEvents: async function* (_id, signal) {
        yield { at: '2026-05-01T12:00:00Z', event: 'started', message: 'started' };
        await once(signal, 'abort');
      },
    });
    await using listener = await start({ name: 'life', service, limits: { connectionLifeMs: 500 } });
    const answer = await ask({ ...(await tlsOptionsOf(ann)), port: listener.port, path: '/v1/executions/1-1/events' });
    assert.match(answer.text, /^id: 1$/m);
    assert.ok(!answer.text.includes('event: end'), 'the story has not ended, only the connection');
    await until(() => listener.server.connections() === 0, 'the connection is closed');
  });

  test('a stream lives longer than a request may take', async () => {
    const service = recordedService({
      executionEvents: async function* () {
        yield { at: '2026-05-01T12:00:00Z', event: 'started', message: 'started' };
        await sleep(1_500);
        yield { at: '2026-05-01T12:00:01Z', event: 'ended', message: 'ended' };
      },
    });
    await using listener = await start({
      name: 'stream',
      service,
      limits: { requestMs: 400, headersMs: 300, checkMs: 100, keepAliveMs: 300 },
    });
    const answer = await ask({ ...(await tlsOptionsOf(ann)), port: listener.port, path: '/v1/executions/1-1/events' });
    assert.match(answer.text, /"event":"ended"/);
    assert.match(answer.text, /event: end/);
  });

  test('refuses hostile request targets before routing', async () => {
    await using listener = await start({ name: 'targets' });
    const options = { ...(await tlsOptionsOf(ann)), port: listener.port };
    const targets = [
      '//v1/nodes',
      '/v1/../v1/nodes',
      '/v1/%6eodes',
      '/v1/nodes;x',
      '/v1\\nodes',
      '/v1/nodes%00',
      'http://evil.test/v1/nodes',
      '*',
    ];
    for (const target of targets) {
      const answer = await raw(options, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 400 /, target);
      assert.match(answer, /"code":"bad_(target|request)"/, target);
    }
    assert.deepEqual(listener.service.calls, []);
  });

  test('cuts clients that send nothing, half a header or half a body', async () => {
    const limits = { handshakeMs: 400, headersMs: 400, requestMs: 600, checkMs: 100, keepAliveMs: 300 };
    await using listener = await start({ name: 'slow', limits });
    const options = { ...(await tlsOptionsOf(ann)), port: listener.port };
    const silent = net.connect({ host: '127.0.0.1', port: listener.port });
    silent.on('error', () => undefined);
    silent.resume();
    const closed = once(silent, 'close');
    assert.match(await raw(options, 'GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow'), /408[\s\S]*request_timeout/);
    const half =
      'POST /v1/requests HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"work';
    assert.match(await raw(options, half), /408|400/);
    await closed;
    assert.equal((await ask({ ...options, path: '/healthz' })).status, 200);
    assert.deepEqual(listener.service.calls, []);
  });

  test('refuses too large bodies and headers, with a told length and without', async () => {
    await using listener = await start({ name: 'large' });
    const options = { ...(await tlsOptionsOf(ann)), port: listener.port };
    const head = 'POST /v1/requests HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    const told = await raw(options, `${head}content-length: 10485760\r\n\r\n${'a'.repeat(100_000)}`);
    assert.match(told, /^HTTP\/1\.1 413 [\s\S]*body_too_large/);
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
    assert.match(
      await raw(options, `${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(10)}`),
      /^HTTP\/1\.1 413 /,
    );
    assert.match(
      await raw(options, `GET / HTTP/1.1\r\nhost: x\r\nx-big: ${'a'.repeat(20_000)}\r\n\r\n`),
      /^HTTP\/1\.1 431 /,
    );
    assert.match(await raw(options, 'this is no HTTP\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*bad_request/);
    assert.equal((await ask({ ...options, path: '/healthz' })).status, 200);
  });

  test('bounds its connections, and serves again when they are gone', async () => {
    await using listener = await start({ name: 'many', limits: { connections: 50, handshakes: 50, handshakeMs: 500 } });
    const options = { ...(await tlsOptionsOf(ann)), port: listener.port, path: '/healthz' };
    const sockets = Array.from({ length: 1_000 }, () =>
      net
        .connect({ host: '127.0.0.1', port: listener.port })
        .on('error', () => undefined)
        .resume(),
    );
    await Promise.all(sockets.map((socket) => once(socket, 'close')));
    await until(() => listener.server.connections() === 0, 'nothing is remembered of them');
    assert.equal((await ask(options)).status, 200);
    await until(
      () => listener.log.some((line) => line.msg.includes('limit of open connections')),
      'the drops are reported',
    );
  });

  test('serves who shows a certificate while all its connections are held by others', async () => {
    const limits = { connections: 20, handshakes: 20, headersMs: 60_000, requestMs: 60_000, handshakeMs: 60_000 };
    await using listener = await start({ name: 'held', limits });
    const { ca } = await tlsOptionsOf(ann);
    const held: tls.TLSSocket[] = [];
    for (let index = 0; index < 20; index += 1) {
      const socket = tls.connect({ host: '127.0.0.1', port: listener.port, ca, rejectUnauthorized: false });
      socket.on('error', () => undefined);
      held.push(socket);
      await once(socket, 'secureConnect');
    }
    const silent = Array.from({ length: 40 }, () =>
      net.connect({ host: '127.0.0.1', port: listener.port }).on('error', () => undefined),
    );
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    const options = { ...(await tlsOptionsOf(ann)), port: listener.port, path: '/healthz' };
    assert.equal((await ask(options)).status, 200);
    for (const socket of [...held, ...silent]) socket.destroy();
  });

  test('waits for answers under way when it stops, and cuts the rest at its deadline', async () => {
    const asked = Promise.withResolvers<undefined>();
    const stuck = Promise.withResolvers<undefined>();
    const release = Promise.withResolvers<undefined>();
    const service = recordedService({
      nodes: async () => {
        asked.resolve(undefined);
        await release.promise;
        return [];
      },
      workflows: () => {
        stuck.resolve(undefined);
        return Promise.withResolvers<never>().promise;
      },
    });
    const listener = await start({ name: 'stop', service, limits: { shutdownMs: 800 } });
    const options = { ...(await tlsOptionsOf(ann)), port: listener.port };
    const slow = ask({ ...options, path: '/v1/nodes' });
    const hangs = assert.rejects(ask({ ...options, path: '/v1/workflows' }));
    await Promise.all([asked.promise, stuck.promise]);
    const stopped = listener[Symbol.asyncDispose]();
    await assert.rejects(ask({ ...options, path: '/healthz' }), /ECONNREFUSED/);
    release.resolve(undefined);
    const answer = await slow;
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.connection, 'close');
    await hangs;
    await stopped;
  });

  test('without TLS it listens on loopback only, and every caller is anonymous', async () => {
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const fetch = (): Response => new Response('x');
    await assert.rejects(
      startHttpServer({ listen: { host: '0.0.0.0', port: 0 }, identity: null, fetch, log }),
      /loopback only/,
    );
    await using server = await startHttpServer({ listen: { host: '127.0.0.1', port: 0 }, identity: null, fetch, log });
    assert.match(server.origin, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(await (await globalThis.fetch(`${server.origin}/x`)).text(), 'x');
    const { port } = server.address;
    await assert.rejects(
      startHttpServer({ listen: { host: '127.0.0.1', port }, identity: null, fetch, log }),
      new RegExp(`cannot listen on 127.0.0.1:${port}`),
    );
  });
});

/** Writes bytes as they are and reads until the other side ends. */
async function raw(options: tls.ConnectionOptions, text: string): Promise<string> {
  const socket = tls.connect({ ...options, ALPNProtocols: ['http/1.1'] });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A server that has said no may reset what is still being sent.
  socket.on('error', () => undefined);
  socket.once('secureConnect', () => socket.write(text));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ApiFailure } from '../coordinator/service.ts';
import { openTo, startApiListener, type ApiListener } from '../test/support/api-listener.ts';
import { makeTestPki, type TestPki } from '../test/support/ca.ts';
import { EVENTS, EXECUTION, recordedService, type RecordedService } from '../test/support/recorded-service.ts';
import type { ApiEvent } from '../workflows/api.ts';
import { openClientIdentity, type ClientIdentity } from './client-identity.ts';
import {
  ApiError,
  CoordinatorUnreachableError,
  openCoordinatorClient,
  type CoordinatorClient,
} from './coordinator-client.ts';

const COORDINATOR = 'spiffe://example.com/coordinator';
const ANN = 'spiffe://example.com/person/ann';
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe('the client of the coordinator', () => {
  const stack = new AsyncDisposableStack();
  let pki: TestPki;
  let identity: ClientIdentity;
  let listeners = 0;
  before(async () => {
    pki = stack.use(await makeTestPki('example.com'));
    const ann = await pki.issue('/person/ann');
    identity = stack.use(await openClientIdentity({ ...ann, coordinatorId: COORDINATOR }, { log }));
  });
  after(() => stack.disposeAsync());

  const serve = async (service: RecordedService = recordedService(), path = '/coordinator'): Promise<ApiListener> => {
    const svid = await pki.issue(path, { name: `server-${(listeners += 1)}` });
    return startApiListener({ identity: svid.identity, access: openTo(ANN), service });
  };
  const open = (
    addresses: string[],
    options: { identity?: ClientIdentity; timeoutMs?: number; patienceMs?: number } = {},
  ): CoordinatorClient => openCoordinatorClient({ addresses, coordinatorId: COORDINATOR, identity, ...options });
  /** A port on which nothing listens. */
  const deadAddress = async (): Promise<string> => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return `https://127.0.0.1:${port}`;
  };

  test('calls every route', async () => {
    await using listener = await serve();
    await using client = open([listener.server.origin]);
    assert.equal(
      (await client.request({ workflow: 'restart-service', target: { node: 'web-1' } })).decision,
      'admitted',
    );
    const report = { source: 'prometheus.main/x', labels: {}, began_at: '2026-05-01T12:00:00Z', gap_s: 30 };
    assert.equal((await client.reportEpisode({ identity: report, state: 'seen' })).open, true);
    assert.equal(
      (await client.listExecutions({ workflow: 'restart-service', since: '2026-05-01T12:00:00+00:00', limit: 5 }))
        .length,
      1,
    );
    assert.equal((await client.getExecution(EXECUTION.id)).id, EXECUTION.id);
    assert.equal((await client.cancelExecution(EXECUTION.id, 'wrong host')).id, EXECUTION.id);
    assert.equal((await client.nodes())[0]?.node, 'web-1');
    assert.equal((await client.workflows())[0]?.name, 'restart-service');
    assert.equal((await client.status()).coordinator, 'c1');
    assert.deepEqual(await Array.fromAsync(client.executionEvents(EXECUTION.id)), EVENTS);
    const filter = listener.service.calls.find((call) => call.method === 'listExecutions')?.args[0];
    assert.deepEqual(
      { ...(filter as object) },
      { workflow: 'restart-service', since: '2026-05-01T12:00:00+00:00', limit: 5 },
    );
    assert.ok(
      listener.service.calls.every(
        ({ caller }) => caller === null || (caller.kind === 'identified' && caller.id.text === ANN),
      ),
    );
  });

  test('takes a refusal with its reasons as an answer, other errors as errors', async () => {
    const reasons = [
      { constraint: 'maxExecution', scope: 'target', name: null, limit: 1, current: 1, retry_after_s: 42 },
    ];
    const service = recordedService({
      request: () =>
        Promise.resolve({ decision: 'refused', request_id: 'r', code: 'limits', message: 'too often', reasons }),
      nodes: () =>
        Promise.reject(new ApiFailure(422, 'strange', 'say it otherwise', { details: { a: 1 }, retryAfterS: 7 })),
      workflows: () => Promise.reject(new Error('a secret of the inside')),
    });
    await using listener = await serve(service);
    await using client = open([listener.server.origin]);
    const decision = await client.request({ workflow: 'w', target: { node: 'n' } });
    assert.deepEqual(decision.decision === 'refused' ? decision.reasons : null, reasons);
    await assert.rejects(client.nodes(), (error) => {
      assert.ok(error instanceof ApiError);
      const { status, code, details, retryAfterS, message } = error;
      assert.deepEqual(
        { status, code, details, retryAfterS, message },
        { status: 422, code: 'strange', details: { a: 1 }, retryAfterS: 7, message: 'say it otherwise' },
      );
      return true;
    });
    await assert.rejects(
      client.workflows(),
      (error) => error instanceof ApiError && error.status === 500 && !error.message.includes('secret'),
    );
  });

  test('repeats the same request id at the next address when one is dead or cannot decide', async () => {
    const asked: (string | undefined)[] = [];
    const unable = recordedService({
      request: (_caller, body) => {
        asked.push(body.request_id);
        return Promise.reject(new ApiFailure(503, 'gate_unreachable', 'no decision', { retryAfterS: 3 }));
      },
    });
    await using first = await serve(unable);
    await using second = await serve();
    await using client = open([await deadAddress(), first.server.origin, second.server.origin]);
    await client.request({ workflow: 'w', target: { node: 'n' } });
    await client.request({ workflow: 'w', target: { node: 'n' } });
    // The one that answered is asked first afterwards, so the one that could not was asked once.
    const answered = second.service.calls.map((call) => JSON.parse(JSON.stringify(call.args[0])).request_id);
    assert.equal(answered.length, 2);
    assert.deepEqual(answered.slice(0, 1), asked);
    await using alone = open([first.server.origin, await deadAddress()]);
    await assert.rejects(
      alone.request({ workflow: 'w', target: { node: 'n' } }),
      (error) => error instanceof ApiError && error.code === 'gate_unreachable' && error.retryAfterS === 3,
    );
  });

  test('asks the next address as well when one says nothing, and stays with the one that answered', async () => {
    const accepted: net.Socket[] = [];
    const silent = net
      .createServer((socket) => accepted.push(socket.on('error', () => undefined)))
      .listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    const service = recordedService();
    await using listener = await serve(service);
    await using client = open([`https://127.0.0.1:${port}`, listener.server.origin], { patienceMs: 50 });
    const request = { workflow: 'restart-service', target: { node: 'web-1' } };
    assert.equal((await client.request(request)).decision, 'admitted');
    const before = accepted.length;
    assert.equal((await client.status()).coordinator, 'c1');
    assert.equal(accepted.length, before, 'the silent one is not asked first again');
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  test('asks once more when a connection was cut under a request', async () => {
    let asked = 0;
    const server = http.createServer((request, response) => {
      asked += 1;
      if (asked === 1) request.socket.destroy();
      else response.setHeader('content-type', 'application/json').end('[]');
    });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const client = open([`http://127.0.0.1:${port}`], { identity: { kind: 'none' } });
    assert.deepEqual(await client.nodes(), []);
    assert.equal(asked, 2);
    await client[Symbol.asyncDispose]();
    await new Promise((resolve) => server.close(resolve));
  });

  test('names every address that it tried and why each failed', async () => {
    const [one, two] = [await deadAddress(), await deadAddress()];
    await using client = open([one, two]);
    await assert.rejects(client.nodes(), (error) => {
      assert.ok(error instanceof CoordinatorUnreachableError);
      assert.deepEqual(
        error.tried.map(({ address }) => address),
        [one, two],
      );
      assert.match(error.message, /ECONNREFUSED/);
      return true;
    });
  });

  test('talks to no server but one of the id expected', async () => {
    await using other = await serve(recordedService(), '/agent/dc1/web/web-1');
    await using client = open([other.server.origin]);
    await assert.rejects(
      client.nodes(),
      /the server is spiffe:\/\/example\.com\/agent\/dc1\/web\/web-1, not spiffe:\/\/example\.com\/coordinator/,
    );
    assert.deepEqual(other.service.calls, []);
  });

  test('talks to no server whose certificate another CA signed, or that is no SVID', async () => {
    await using stranger = await makeTestPki('example.com');
    const forged = await stranger.issue('/coordinator');
    await using forger = await startApiListener({ identity: forged.identity, access: openTo(ANN) });
    await using client = open([forger.server.origin]);
    await assert.rejects(
      client.nodes(),
      (error) => error instanceof CoordinatorUnreachableError && /certificate|signature|issuer/i.test(error.message),
    );
    assert.deepEqual(forger.service.calls, []);
  });

  test('uses its renewed certificate without a restart', async () => {
    await using listener = await serve();
    const files = await pki.issue('/person/bob', { name: 'renewed' });
    const next = await pki.issue('/person/ann', { name: 'next' });
    await using own = await openClientIdentity({ ...files, coordinatorId: COORDINATOR }, { log });
    assert.ok(own.kind === 'svid');
    await using client = open([listener.server.origin], { identity: own });
    await assert.rejects(client.nodes(), /does not name spiffe:\/\/example\.com\/person\/bob/);
    await writeFile(files.key, await readFile(next.key));
    await writeFile(files.certificate, await readFile(next.certificate));
    await own.source.reload();
    assert.equal((await client.nodes()).length, 1);
  });

  test('without a certificate it is anonymous, and still checks the server', async () => {
    await using listener = await serve();
    const none = { certificate: null, key: null, bundle: pki.bundle, coordinatorId: COORDINATOR };
    await using anonymous = await openClientIdentity(none, { log });
    await using client = open([listener.server.origin], { identity: anonymous });
    await assert.rejects(
      client.nodes(),
      (error) => error instanceof ApiError && error.status === 403 && /show a client certificate/.test(error.message),
    );
  });

  test('follows the story over lost connections, each event once', async () => {
    let visits = 0;
    const story = ['admitted', 'began', 'ended'].map((event): ApiEvent => ({
      at: '2026-05-01T12:00:00Z',
      event,
      message: event,
    }));
    const service = recordedService({
      executionEvents: async function* (_id, signal) {
        visits += 1;
        yield* story.slice(0, visits);
        if (visits < story.length) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
    const svid = await pki.issue('/coordinator', { name: 'story' });
    await using listener = await startApiListener({
      identity: svid.identity,
      access: openTo(ANN),
      service,
      limits: { connectionLifeMs: 200 },
    });
    await using client = open([listener.server.origin]);
    assert.deepEqual(await Array.fromAsync(client.executionEvents('1-1')), story);
    assert.equal(visits, 3);
  });

  test('ends a story when its signal does, and tells that an execution does not exist', async () => {
    const service = recordedService({
      executionEvents: async function* (_id, signal) {
        yield { at: '2026-05-01T12:00:00Z', event: 'began', message: 'began' };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
      getExecution: (id) =>
        id === '1-1'
          ? recordedService().getExecution(id)
          : Promise.reject(new ApiFailure(404, 'unknown_execution', 'no such execution')),
    });
    await using listener = await serve(service);
    await using client = open([listener.server.origin]);
    const stop = new AbortController();
    const seen: string[] = [];
    await assert.rejects(async () => {
      for await (const event of client.executionEvents('1-1', { signal: stop.signal })) {
        seen.push(event.event);
        stop.abort(new Error('enough'));
      }
    }, /enough/);
    assert.deepEqual(seen, ['began']);
    await assert.rejects(
      Array.fromAsync(client.executionEvents('2-2')),
      (error) => error instanceof ApiError && error.status === 404,
    );
    await assert.rejects(client.getExecution('../v1/nodes'), /is not an execution id/);
  });

  test('gives up on a server that does not answer, answers no JSON, redirects, or never ends', async () => {
    const answers: Record<string, http.RequestListener> = {
      silent: () => undefined,
      html: (_, response) => void response.end('<html>login</html>'),
      redirect: (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      endless: (_, response) => {
        const write = (): void =>
          void response.write(Buffer.alloc(65_536, 0x20), (error) => (error ? undefined : write()));
        write();
      },
    };
    for (const [name, listener] of Object.entries(answers)) {
      const server = http.createServer(listener).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      const client = open([`http://127.0.0.1:${port}`], { identity: { kind: 'none' }, timeoutMs: 1_000 });
      await assert.rejects(client.nodes(), CoordinatorUnreachableError, name);
      await client[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('refuses addresses that are none, and plain http off loopback', () => {
    for (const address of [
      'c1:7443',
      'https://c1:7443/v1',
      'https://u:p@c1',
      'http://c1:7443',
      'http://127.0.0.1.evil.test',
      'ftp://c1',
      '',
    ]) {
      assert.throws(() => open([address]), /coordinator address/, address);
    }
    assert.throws(() => open([]), /no coordinator address/);
    assert.throws(() => open(['https://c1:7443'], { identity: { kind: 'none' } }), /needs a bundle/);
  });
});

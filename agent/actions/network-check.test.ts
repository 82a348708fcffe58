import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { Args } from '../../workflows/contract.ts';
import { RefusalError } from '../refusal.ts';
import type { ActionEnd } from './action.ts';
import { networkCheck } from './network-check.ts';

const look = async (args: Args, run = actionRun()): Promise<ActionEnd> =>
  documented('network.check', await networkCheck.prepare(args, BARE_HOST).run(run));
const good = async (args: Args): Promise<ActionEnd['output']['facts']> => {
  const end = await look(args);
  assert.equal(end.status, 'done', JSON.stringify(end));
  assert.equal(typeof end.output.facts['latency_ms'], 'number');
  return end.output.facts;
};
const bad = async (args: Args): Promise<string> => {
  const end = await look(args);
  assert.ok(end.status === 'failed', JSON.stringify(end));
  assert.equal(end.output.facts['ok'], false);
  return `${end.code}: ${end.message}`;
};

const opened: Server[] = [];
async function listening(server: Server): Promise<number> {
  opened.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
const answer: RequestListener = (request, response) => {
  if (request.url === '/moved') response.writeHead(302, { location: '/healthy' }).end();
  else if (request.url === '/down') response.writeHead(503).end('sorry');
  else if (request.url === '/silent') return;
  else if (request.url === '/endless') {
    response.on('error', () => undefined);
    const send = (): void =>
      void (response.writable && response.write(Buffer.alloc(65_536, 'x')) && setImmediate(send));
    response.on('drain', send);
    send();
  } else response.end('status: healthy\n');
};

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let http: number;
let https: number;
let dns: { port: number; close: () => void };

before(async () => {
  home = await temporaryDirectory('fettle-network-');
  http = await listening(createServer(answer));
  const at = (name: string): string => join(home.path, name);
  const openssl = (line: string): Buffer => execFileSync('openssl', line.split(' '), { cwd: home.path, stdio: 'pipe' });
  openssl(
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Test-CA',
  );
  openssl(
    'req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=localhost',
  );
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,DNS:web.example.com');
  openssl('x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 20 -extfile names -out cert.pem');
  // Read when the authorities of the host are first asked for.
  process.env['SSL_CERT_FILE'] = at('ca.pem');
  https = await listening(
    createHttps({ key: readFileSync(at('key.pem')), cert: readFileSync(at('cert.pem')) }, answer),
  );
  dns = await nameServer();
});
after(async () => {
  dns.close();
  for (const server of opened) {
    if ('closeAllConnections' in server) (server.closeAllConnections as () => void)();
    server.close();
  }
  await home[Symbol.asyncDispose]();
});

/** Answers 192.0.2.7 for every name but those that begin with "no" (no such name) and "mute" (no answer). */
async function nameServer(): Promise<typeof dns> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const name = query.toString('latin1', 13);
    if (name.startsWith('mute')) return;
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const none = name.startsWith('no');
    const answers = none || question.readUInt16BE(question.length - 4) !== 1 ? 0 : 1;
    const header = Buffer.from([query[0]!, query[1]!, 0x81, none ? 0x83 : 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    socket.send(Buffer.concat([header, question, ...(answers === 1 ? [record] : [])]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { port: socket.address().port, close: () => socket.close() };
}

describe('network.check', () => {
  it('finds names as programs of this host do, and as one server says', async () => {
    assert.match(String((await good({ kind: 'dns', host: 'localhost' }))['addresses']), /127\.0\.0\.1|::1/);
    const server = { server: '127.0.0.1', server_port: dns.port };
    const facts = await good({ kind: 'dns', host: 'web.example.com', address: '192.0.2.7', ...server });
    assert.deepEqual([facts['answers'], facts['addresses']], [1, '192.0.2.7']);
    assert.match(
      await bad({ kind: 'dns', host: 'web.example.com', address: '192.0.2.8', ...server }),
      /exit: dns: web.example.com does not stand for 192.0.2.8/,
    );
    assert.match(await bad({ kind: 'dns', host: 'none.example.com', ...server }), /exit: dns: no answer \(ENOTFOUND\)/);
    assert.match(
      await bad({ kind: 'dns', host: 'mute.example.com', timeout_ms: 100, ...server }),
      /timeout: dns: no answer within 100 ms/,
    );
  });

  it('tells an open port from a closed one', async () => {
    assert.equal((await good({ kind: 'tcp', host: '127.0.0.1', port: http }))['address'], '127.0.0.1');
    const server = createTcp();
    const closed = await listening(server);
    server.close();
    assert.match(await bad({ kind: 'tcp', host: '127.0.0.1', port: closed }), /exit: tcp: no answer \(ECONNREFUSED\)/);
  });

  it('asks for status, text and speed of an answer, and follows no redirect', async () => {
    const url = `http://127.0.0.1:${http}`;
    const facts = await good({ kind: 'http', url: `${url}/healthy`, body_contains: 'status: healthy' });
    assert.deepEqual([facts['status'], facts['body_contains'], facts['body_bytes']], [200, true, 16]);
    assert.equal((await good({ kind: 'http', url: `${url}/healthy`, method: 'HEAD' }))['body_bytes'], 0);
    assert.match(await bad({ kind: 'http', url: `${url}/healthy`, body_contains: 'ill' }), /does not hold the text/);
    assert.match(await bad({ kind: 'http', url: `${url}/down` }), /has status 503, and 200 to 299 would be good/);
    assert.match(await bad({ kind: 'http', url: `${url}/moved` }), /has status 302/);
    assert.equal((await good({ kind: 'http', url: `${url}/moved`, expect_status: 302 }))['status'], 302);
    assert.match(await bad({ kind: 'http', url: `${url}/silent`, timeout_ms: 100 }), /timeout: http: no answer within/);
  });

  it('reads no more than a megabyte of an answer', async () => {
    const facts = await good({ kind: 'http', url: `http://127.0.0.1:${http}/endless` });
    assert.equal(facts['body_bytes'], 1024 * 1024);
  });

  it('tells whether a certificate is trusted, for which name, and how long it holds', async () => {
    const at = { kind: 'tls', host: '127.0.0.1', port: https };
    const facts = await good({ ...at, server_name: 'web.example.com' });
    assert.deepEqual([facts['trusted'], facts['valid_days'], facts['issuer']], [true, 19, 'Test-CA']);
    assert.match(
      await bad({ ...at, server_name: 'web.example.com', min_valid_days: 21 }),
      /holds for 19 days more, and 21 were asked for/,
    );
    assert.match(
      await bad({ ...at, server_name: 'other.example.com' }),
      /does not trust the certificate \(ERR_TLS_CERT_ALTNAME_INVALID\)/,
    );
    const blind = await good({ ...at, server_name: 'other.example.com', trusted: false });
    assert.deepEqual([blind['trusted'], blind['valid_days']], [false, 19]);
    assert.match(await bad({ kind: 'tls', host: '127.0.0.1', port: http, timeout_ms: 2000 }), /tls: no answer/);
  });

  it('asks over https only those it trusts, unless told otherwise', async () => {
    const facts = await good({ kind: 'http', url: `https://localhost:${https}/healthy`, body_contains: 'healthy' });
    assert.deepEqual([facts['status'], facts['valid_days']], [200, 19]);
    const url = `https://127.0.0.1:${https}/healthy`;
    assert.match(await bad({ kind: 'http', url }), /http: no answer \(ERR_TLS_CERT_ALTNAME_INVALID\)/);
    assert.equal((await good({ kind: 'http', url, trusted: false }))['status'], 200);
  });

  it('ends when it is told to', async () => {
    const cancel = new AbortController();
    const url = `http://127.0.0.1:${http}/silent`;
    const end = look({ kind: 'http', url }, actionRun(30_000, cancel.signal));
    setImmediate(() => cancel.abort());
    const ended = await end;
    assert.deepEqual(ended.status === 'failed' && ended.code, 'cancelled');
    const short = await look({ kind: 'http', url }, actionRun(50));
    assert.deepEqual(short.status === 'failed' && short.code, 'timeout');
  });

  it('takes for each kind what belongs to it, and no credentials in an address', () => {
    const refused = (args: Args): string => {
      try {
        networkCheck.prepare(args, BARE_HOST);
      } catch (error) {
        assert.ok(error instanceof RefusalError && error.code === 'args_invalid', String(error));
        return error.message;
      }
      throw new Error(`was not refused: ${JSON.stringify(args)}`);
    };
    assert.match(refused({ kind: 'tcp', host: 'a' }), /kind = "tcp" needs port/);
    assert.match(refused({ kind: 'dns', host: 'a', url: 'http://a/' }), /does not take url; it takes kind/);
    assert.match(refused({ kind: 'icmp' }), /"kind" must be a string that matches/);
    for (const url of [
      'http://user:word@a/',
      'ftp://a/',
      'file:///etc/passwd',
      'http://a b/',
      'http://',
      'http://a\\@b/',
    ])
      assert.match(refused({ kind: 'http', url }), /"url" must be/, url);
    for (const host of ['a b', '-a', 'a/b', '$(id)', '[::1]', '']) refused({ kind: 'tcp', host, port: 80 });
    for (const port of [0, 65_536, 1.5, '80']) refused({ kind: 'tcp', host: 'a', port });
    assert.ok(networkCheck.prepare({ kind: 'tcp', host: '::1', port: 80 }, BARE_HOST));
  });
});

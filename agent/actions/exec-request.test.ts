import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { HttpCommand } from '../../config/commands.ts';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { Args } from '../../workflows/contract.ts';
import { RefusalError } from '../refusal.ts';
import { exec } from './exec.ts';

type Seen = Pick<IncomingMessage, 'method' | 'url' | 'headers'> & { readonly body: string };
const seen: Seen[] = [];
let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: Server;
let address: string;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url, headers } = request;
  seen.push({ method, url, headers, body: await text(request) });
  if (url === '/silent') return;
  if (url === '/moved') response.writeHead(302, { location: '/elsewhere' }).end();
  else if (url === '/busy') response.writeHead(409).end('no: hush-hush-7');
  else response.writeHead(202).end('drained\n');
}

before(async () => {
  home = await temporaryDirectory('fettle-request-');
  await writeFile(join(home.path, 'lb-token'), 'hush-hush-7\n');
  server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => void (seen.length = 0));
after(async () => {
  server.closeAllConnections();
  server.close();
  await home[Symbol.asyncDispose]();
});

const drain = (more: Partial<HttpCommand> = {}): HttpCommand => ({
  place: { file: 'actions.hcl', line: 1, column: 1 },
  kind: 'http',
  name: 'drain',
  inputs: [
    { name: 'pool', pattern: '[^]*' },
    { name: 'why', pattern: '[^]*' },
  ],
  timeoutMs: 10_000,
  secrets: { LB_TOKEN: 'lb-token' },
  method: 'PUT',
  url: `${address}/pools/{pool}/self?why={why}`,
  headers: { Authorization: 'Bearer {LB_TOKEN}', 'Content-Type': 'application/json' },
  body: '{"state":"drain","why":"{why}"}',
  expectStatus: null,
  ...more,
});
const prepare = (definition: HttpCommand, args: Args = {}) =>
  exec.prepare(
    { command: 'drain', pool: 'web', why: 'test', ...args },
    { ...BARE_HOST, commands: new Map([['drain', definition]]), secretsDir: home.path },
  );
const send = async (definition = drain(), args: Args = {}) =>
  documented('exec', await prepare(definition, args).run(actionRun()));
const refused = (args: Args, definition = drain()): string => {
  try {
    prepare(definition, args);
  } catch (error) {
    assert.ok(error instanceof RefusalError && error.code === 'args_invalid', String(error));
    return error.message;
  }
  throw new Error('was not refused');
};

describe('exec of a request', () => {
  it('sends what the definition says, with inputs and secrets where they belong', async () => {
    const end = await send();
    assert.deepEqual([end.status, end.output.facts['status'], end.output.tail], ['done', 202, 'drained\n']);
    const [request] = seen;
    assert.deepEqual(
      [request?.method, request?.url, request?.headers.authorization, request?.body],
      ['PUT', '/pools/web/self?why=test', 'Bearer hush-hush-7', '{"state":"drain","why":"test"}'],
    );
  });

  it('keeps a hostile value within its part of the path, its query and its JSON text', async () => {
    const hostile = 'a/../../admin?x=1&y="}#\n\\ü';
    const end = await send(drain(), { pool: hostile, why: hostile });
    assert.equal(end.status, 'done', JSON.stringify(end));
    const url = new URL(`http://host${seen[0]?.url ?? ''}`);
    assert.deepEqual(url.pathname.split('/').map(decodeURIComponent), ['', 'pools', hostile, 'self']);
    assert.deepEqual([...url.searchParams], [['why', hostile]]);
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ''), { state: 'drain', why: hostile });
  });

  it('refuses values that would lead elsewhere or end a header', () => {
    for (const pool of ['..', '.']) assert.match(refused({ pool }), /would lead elsewhere/);
    const header = drain({ headers: { 'X-Why': '{why}' } });
    for (const why of ['a\r\nX-Evil: 1', 'ü', 'a\u0000'.slice(0, 1) + '\u007f'])
      assert.match(refused({ why }, header), /would hold more than plain characters/);
    assert.match(refused({ pool: 'a\ud800' }), /holds what is no text/);
  });

  it('follows no redirect, and takes no other status for success than the definition does', async () => {
    const moved = await send(drain({ url: `${address}/moved` }), {});
    assert.match(moved.status === 'failed' ? moved.message : '', /has status 302, and 200 to 299 would be good/);
    assert.deepEqual(
      seen.map(({ url }) => url),
      ['/moved'],
    );
    const other = await send(drain({ expectStatus: [200, 204] }));
    assert.match(other.status === 'failed' ? other.message : '', /has status 202, and 200, 204 would be good/);
  });

  it('strikes secrets out of the answer and out of a rehearsal, which sends nothing', async () => {
    const busy = await send(drain({ url: `${address}/busy` }));
    assert.deepEqual([busy.status, busy.output.tail], ['failed', 'no: [secret]']);
    seen.length = 0;
    const would = await prepare(drain()).rehearse(actionRun());
    assert.equal(
      would.tail,
      `would send PUT ${address}/pools/web/self?why=test\nAuthorization: Bearer [secret]\nContent-Type: application/json\n\n{"state":"drain","why":"test"}`,
    );
    assert.equal(seen.length, 0);
  });

  it('strikes out a secret among the arguments in whatever way it is spelt', async () => {
    const run = actionRun(10_000, undefined, ['a "b"/c']);
    const prepared = prepare(drain(), { pool: 'a "b"/c', why: 'a "b"/c' });
    const end = await prepared.run(run);
    assert.equal(end.status, 'done', JSON.stringify(end));
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ''), { state: 'drain', why: 'a "b"/c' });
    for (const said of [end, await prepared.rehearse(run)]) assert.doesNotMatch(JSON.stringify(said), /%22b|"b\\|b\\"/);
    assert.equal(end.output.facts['url'], `${address}/pools/[secret]/self?why=[secret]`);
  });

  it('says how it failed, and that the other side may have acted', async () => {
    const late = await send(drain({ url: `${address}/silent`, timeoutMs: 50 }));
    assert.match(
      late.status === 'failed' ? `${late.code}: ${late.message}` : '',
      /^timeout: no answer within 50 ms; the other side may/,
    );
    const closed = await send(drain({ url: 'http://127.0.0.1:1/' }));
    assert.match(closed.status === 'failed' ? closed.message : '', /^no answer \(ECONNREFUSED\)/);
    const cancelled = await prepare(drain()).run(actionRun(1000, AbortSignal.abort()));
    assert.equal(cancelled.status === 'failed' && cancelled.code, 'cancelled');
  });
});

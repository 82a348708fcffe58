/** Clients that behave badly towards a whole coordinator: those that behave well are answered all the while. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { admitted, drillRequest, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';

const MANY = 1_000;

describe('a coordinator with bad clients', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;
  let secure: () => Promise<TLSSocket>;
  let where: { host: string; port: number };

  before(async () => {
    drill = stack.use(await startDrillSite({ nodes: [{ name: 'web-1', type: 'web' }] }));
    await drill.begin(['web-1'], ['c1']);
    client = await drill.client(drill.site.address);
    const { hostname, port } = new URL(drill.site.address);
    where = { host: hostname, port: Number(port) };
    const svid = await drill.site.person('oncall');
    const [cert, key] = await Promise.all([readFile(svid.certificate), readFile(svid.key)]);
    secure = () =>
      new Promise((resolve, reject) => {
        const socket = connect({ ...where, cert, key, rejectUnauthorized: false }, () => resolve(socket));
        socket.on('error', reject);
        stack.defer(() => void socket.destroy());
      });
  });
  after(() => stack.disposeAsync());

  const stillGood = async (mark: string): Promise<void> => {
    const id = await admitted(client, drillRequest('quick', mark));
    assert.equal((await ended(client, id)).outcome, 'healed');
  };
  const head = (length: number): string =>
    `POST /v1/requests HTTP/1.1\r\nhost: c1\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
  /** What it is told until the connection ends. */
  const told = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      socket.on('data', (part: Buffer) => (text += part.toString('utf8')));
      socket.on('error', () => resolve(text));
      socket.on('close', () => resolve(text));
    });

  it('that send nothing, or half a body: the others are answered, these are told and let go', async () => {
    const silent = connectTcp(where);
    const silentSecure = await secure();
    const half = await secure();
    half.write(`${head(1_000)}{"workflow":"quick"`);
    const answers = [silent, silentSecure, half].map(told);
    await stillGood('beside-silence');
    const [, nothing, halfTold] = await Promise.all(answers);
    assert.match(halfTold ?? '', /^HTTP\/1\.1 408 /);
    assert.match(`${nothing}HTTP/1.1 408 `, /^HTTP\/1\.1 408 /, 'no answer but that');
  });

  it('that send ten megabytes: refused as they come, whatever they say of their length', async () => {
    const big = Buffer.alloc(10 * 1024 * 1024, 'x');
    const said = await secure();
    const answer = told(said);
    said.write(head(big.length));
    assert.match(await answer, /^HTTP\/1\.1 413 .*body_too_large/s);
    const unsaid = await secure();
    const other = told(unsaid);
    unsaid.write(head(0).replace('content-length: 0', 'transfer-encoding: chunked'));
    unsaid.write(`${big.length.toString(16)}\r\n`);
    unsaid.write(big);
    // Cut in the middle of its sending, it may not hear the answer.
    assert.match(await other, /^(HTTP\/1\.1 413 .*)?$/s);
    await stillGood('beside-megabytes');
  });

  it(`that hold ${MANY} connections: none of the others' requests is lost`, async () => {
    const sockets = Array.from({ length: MANY }, () => connectTcp(where));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      stack.defer(() => void socket.destroy());
    }
    const standing = (socket: Socket): Promise<void> =>
      new Promise((resolve) => {
        socket.once('connect', resolve);
        socket.once('close', () => resolve());
      });
    await Promise.all(sockets.map(standing));
    await stillGood('beside-many');
    for (const socket of sockets) socket.destroy();
    await stillGood('after-many');
    assert.deepEqual(await drill.marks('beside-many'), ['done']);
  });
});

/** Certificates that change or run out under way, and answers that were not signed by whom they should be. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { createReceiptSigner, type ReceiptSigner } from '../agent/receipts.ts';
import { openSvidSource } from '../identity/svid-source.ts';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import {
  AGENT_ACTIVITIES,
  nodeQueue,
  type ActionOrder,
  type GrantClaims,
  type SettleClaims,
  type SignedOrder,
} from '../workflows/contract.ts';
import { sha256 } from '../agent/digest.ts';
import {
  admitted,
  allFree,
  drillRequest,
  drillStep,
  metricOf,
  startDrillSite,
  type DrillSite,
} from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';

const ALARM = 'fettle_coordinator_unverified_answers_total';
const NODES = ['web-1', 'web-2', 'stolen-1', 'stolen-2', 'stolen-3'].map((name) => ({ name, type: 'web' }));

const drilled = async (): Promise<DrillSite> =>
  startDrillSite({
    nodes: NODES,
    workflows: {
      gated: drillStep('gated', '', '40s'),
      brief: drillStep('gated', '', '2s'),
      quick: drillStep('mark', '', '2s'),
    },
  });

describe('certificates', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;

  before(async () => {
    drill = stack.use(await drilled());
    await drill.begin(['web-1', 'web-2'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  it('replaced by renewed ones under way: no request is dropped, and receipts still check', async () => {
    const id = await admitted(client, drillRequest('gated', 'renewed'));
    await eventually(async () => (await drill.marks('renewed')).length > 0, { what: 'the action to begin' });
    const before = await shownSerial(drill.site.address);
    const stop = new AbortController();
    let answered = 0;
    const asking = Array.from({ length: 4 }, async () => {
      while (!stop.signal.aborted) {
        await client.status();
        answered += 1;
      }
    });
    await drill.site.pki.issue('/coordinator', { name: 'coordinator-c1', renew: true });
    await drill.site.pki.issue('/agent/dc1/web/web-1', { renew: true });
    await drill.site.pki.issue('/person/oncall', { renew: true });
    const changed = async (): Promise<boolean> => (await shownSerial(drill.site.address)) !== before;
    await eventually(changed, { what: 'the listener to show the new certificate', timeoutMs: 30_000 });
    const then = answered;
    await eventually(() => answered > then + 20, { what: 'further answers' });
    stop.abort();
    await Promise.all(asking);
    await drill.open('renewed');
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.equal(await metricOf(drill.site.address, ALARM), 0);
  });

  it('of an agent that ran out: its receipt is an alarm, its limits stay held until it proves itself again', async () => {
    const agentPath = '/agent/dc1/web/web-2';
    const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 4_000);
    await drill.site.pki.issue(agentPath, { renew: true, override: { notAfter } });
    const id = await admitted(client, drillRequest('gated', 'expired', 'web-2'));
    await eventually(async () => (await drill.marks('expired')).length > 0, { what: 'the action to begin' });
    await eventually(() => Date.now() > notAfter.getTime() + 1_500, { what: 'the end of the certificate' });
    await drill.open('expired');
    await eventually(async () => (await metricOf(drill.site.address, ALARM)) > 0, { what: 'the alarm' });
    assert.equal((await client.getExecution(id)).outcome, null, 'what does not check is no answer');
    await drill.site.pki.issue(agentPath, { renew: true });
    const detail = await ended(client, id);
    assert.deepEqual(await drill.marks('expired'), ['begun', 'ended']);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    await allFree(client);
  });
});

describe('a host that answers for another, with what it could steal', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;

  before(async () => {
    drill = stack.use(await drilled());
    await drill.begin(['web-1'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  it('is not believed, whatever it says: alarms, limits held, and the truth from the real agent', async () => {
    const genuine = await genuineReceipts(drill, client);
    const signer = await signerOf(drill, '/agent/dc1/web/web-1');
    const own = stack.use(await impostor(drill, 'stolen-1', otherSvid(signer)));
    const altered = stack.use(await impostor(drill, 'stolen-2', () => genuine));
    const nothing = stack.use(await impostor(drill, 'stolen-3', () => '{"status":"done"}'));
    const nodes = ['stolen-1', 'stolen-2', 'stolen-3'];
    const polled = (node: string) => client.request({ workflow: 'site-ping', target: { node }, dry_run: true });
    for (const node of nodes) await eventually(() => polled(node), { what: `${node} to be polled` });
    const before = await metricOf(drill.site.address, ALARM);
    const ids = await Promise.all(nodes.map((node) => admitted(client, drillRequest('quick', node, node))));
    for (const id of ids) {
      const detail = await ended(client, id);
      assert.equal(detail.outcome, 'failed', `${id}: ${detail.message}`);
      assert.match(detail.message ?? '', /does not check/);
    }
    assert.ok((await metricOf(drill.site.address, ALARM)) >= before + 2 * nodes.length, 'each of them is an alarm');
    assert.ok(((await client.status()).gate.orphaned ?? 0) >= nodes.length);
    const seen = await metricOf(drill.site.address, ALARM);
    const alarmed = async (): Promise<boolean> => (await metricOf(drill.site.address, ALARM)) > seen;
    await eventually(alarmed, { what: 'an alarm from the sweep, which asks on' });
    for (const one of [own, altered, nothing]) await one[Symbol.asyncDispose]();
    await Promise.all(nodes.map((node) => drill.startAgent(node)));
    await allFree(client);
    for (const node of nodes) assert.deepEqual(await drill.marks(node), [], 'nothing ever ran');
  });
});

const quiet = pino({ level: 'silent' });

async function signerOf(drill: DrillSite, agentPath: string): Promise<ReceiptSigner> {
  const svid = await drill.site.pki.issue(agentPath, { name: `stolen${agentPath.replaceAll('/', '-')}` });
  await using source = await openSvidSource(svid.identity, { log: quiet });
  const held = source.current();
  return createReceiptSigner({ current: () => held });
}

type Order = ActionOrder & SignedOrder;
type Says = (order: Order) => string | Promise<string>;

/** Well-formed answers to each order, signed by a host of the fleet that is not the one asked. */
const otherSvid =
  (signer: ReceiptSigner): Says =>
  (order) => {
    const at = Date.now();
    const output = { facts: {}, exitCode: 0, tail: '', digest: null, bytes: 0 };
    const result = { status: 'done', output } as const;
    if (order.grant === undefined) {
      const claims: SettleClaims = payloadOf(order.order);
      const { jti: nonce, execution, step, attempt } = claims;
      return signer.settlement({
        nonce,
        execution,
        step,
        boot_id: 'b',
        at,
        answer: { state: 'ended', attempt, result },
      });
    }
    const { execution, step, attempt, jti }: GrantClaims = payloadOf(order.grant);
    const hosts = { boot_id: 'b', machine_id: 'm', agent_version: '1' };
    const grant_digest = sha256(order.grant);
    return signer.receipt({ execution, step, attempt, nonce: jti, grant_digest, ...hosts, from: at, to: at, result });
  };

const payloadOf = (jws: string) => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));

/** What the real agent of stolen-2 once signed, for another order. */
async function genuineReceipts(drill: DrillSite, client: CoordinatorClient): Promise<string> {
  await drill.startAgent('stolen-2');
  const ask = () => admitted(client, drillRequest('quick', 'genuine', 'stolen-2'));
  const id = await eventually(ask, { what: 'the agent of stolen-2', timeoutMs: 30_000, everyMs: 200 });
  assert.equal((await ended(client, id)).outcome, 'healed');
  await drill.roles.get('stolen-2')?.stop();
  const agents = new Client({ connection: drill.control.connection, namespace: 'fettle-agents' });
  for await (const one of agents.activity.list('')) {
    if (one.activityId.startsWith(`${id}/`)) return String(await agents.activity.getHandle(one.activityId).result());
  }
  throw new Error('no receipt');
}

/** A Worker on the queue of a node, as anybody may start who holds a credential of `fettle-agents`. */
async function impostor(drill: DrillSite, node: string, says: Says): Promise<AsyncDisposable> {
  const connection = await NativeConnection.connect({ address: drill.site.temporal.address });
  const answer = async (order: Order): Promise<string> => says(order);
  const worker = await Worker.create({
    connection,
    namespace: 'fettle-agents',
    taskQueue: nodeQueue('dc1', node),
    activities: {
      [AGENT_ACTIVITIES.action]: answer,
      [AGENT_ACTIVITIES.settle]: answer,
      [AGENT_ACTIVITIES.claim]: answer,
    },
    shutdownGraceTime: '1s',
  });
  const running = worker.run();
  let ending: Promise<void> | null = null;
  const end = async (): Promise<void> => {
    worker.shutdown();
    await running;
    await connection.close();
  };
  return { [Symbol.asyncDispose]: () => (ending ??= end()) };
}

/** Serial number of the certificate that the listener shows to a new connection. */
function shownSerial(address: string): Promise<string> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      resolve(new X509Certificate(raw).serialNumber);
    });
    socket.on('error', reject);
  });
}

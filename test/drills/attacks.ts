/** What somebody can do who holds the credential of one agent: all of `fettle-agents`, and that host's certificate. */
import { generateKeyPairSync } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { CompactSign, decodeProtectedHeader } from 'jose';
import { pino } from 'pino';
import { sha256 } from '../../agent/digest.ts';
import { installTemporalRuntime } from '../../agent/temporal-runtime.ts';
import { createReceiptSigner, type ReceiptSigner } from '../../agent/receipts.ts';
import { openSvidSource } from '../../identity/svid-source.ts';
import {
  AGENT_ACTIVITIES,
  agentSpiffePath,
  GRANT_TYPE,
  nodeQueue,
  RECEIPT_TYPE,
  type ActionOrder,
  type GrantClaims,
  type SettleClaims,
  type SignedOrder,
} from '../../workflows/contract.ts';
import { makeTestPki } from '../support/ca.ts';
import { metricOf } from '../support/drill-site.ts';
import { eventually } from '../support/processes.ts';
import { placeOf, VICTIMS, type Guest, type House } from './house.ts';
import { ALARM } from './papers.ts';
import { resultOf, type DrillResult } from './trial.ts';
import { setClock } from './weather.ts';

const silent = pino({ level: 'silent' });
let silenced = false;
/** Temporal's SDK takes its log once for each process. */
function quiet(): void {
  if (!silenced) installTemporalRuntime(silent);
  silenced = true;
}

type Order = ActionOrder & SignedOrder;
type Says = (order: Order) => string | Promise<string>;
const AGENTS = 'fettle-agents';

const payloadOf = (jws: string) => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));

type Impostor = AsyncDisposable & {
  readonly heard: Order[];
  /** Takes no more; what it holds it goes on holding. */
  readonly leave: () => void;
};

/** A Worker on another node's queue; it keeps what it is sent. */
async function impostor(house: House, node: string, says: Says): Promise<Impostor> {
  quiet();
  const connection = await NativeConnection.connect({ address: house.site.temporal.address });
  const heard: Order[] = [];
  const answer = async (order: Order): Promise<string> => {
    heard.push(order);
    return says(order);
  };
  const worker = await Worker.create({
    connection,
    namespace: AGENTS,
    taskQueue: nodeQueue(placeOf(node).datacenter, node),
    activities: {
      [AGENT_ACTIVITIES.action]: answer,
      [AGENT_ACTIVITIES.settle]: answer,
      [AGENT_ACTIVITIES.claim]: answer,
    },
    shutdownGraceTime: '1s',
  });
  const running = worker.run();
  let left = false;
  const leave = (): void => {
    if (!left) worker.shutdown();
    left = true;
  };
  return {
    heard,
    leave,
    [Symbol.asyncDispose]: async () => {
      leave();
      await running;
      await connection.close();
    },
  };
}

/** "Done" for every order, signed with that key under that certificate. */
const doneBy =
  (signer: ReceiptSigner): Says =>
  (order) => {
    const at = Date.now();
    const output = { facts: {}, exitCode: 0, tail: '', digest: null, bytes: 0 };
    const result = { status: 'done', output } as const;
    if (order.grant === undefined) {
      const { jti: nonce, execution, step, attempt }: SettleClaims = payloadOf(order.order);
      const answer = { state: 'ended', attempt, result } as const;
      return signer.settlement({ nonce, execution, step, boot_id: 'b', at, answer });
    }
    const { execution, step, attempt, jti }: GrantClaims = payloadOf(order.grant);
    const hosts = { boot_id: 'b', machine_id: 'm', agent_version: '1' };
    const grant_digest = sha256(order.grant);
    return signer.receipt({ execution, step, attempt, nonce: jti, grant_digest, ...hosts, from: at, to: at, result });
  };

async function signerOf(identity: Parameters<typeof openSvidSource>[0]): Promise<ReceiptSigner> {
  await using source = await openSvidSource(identity, { log: silent });
  const held = source.current();
  return createReceiptSigner({ current: () => held });
}

/** A genuine answer with its outcome turned round, under the genuine signature. */
function altered(genuine: string): string {
  const [header, , signature] = genuine.split('.');
  const claims = {
    ...payloadOf(genuine),
    result: { status: 'done', output: { facts: {}, exitCode: 0, tail: '', digest: null, bytes: 0 } },
  };
  return `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
}

/** A genuine answer's certificates above a signature of one's own. */
async function resigned(genuine: string, order: Order): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x5c = [] } = decodeProtectedHeader(genuine);
  const claims = { ...payloadOf(genuine), ...(order.grant === undefined ? {} : { grant_digest: sha256(order.grant) }) };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ES256', typ: RECEIPT_TYPE, x5c })
    .sign(privateKey);
}

/**
 * `guest` is the thief's own host; its agent, which is honest, is stopped meanwhile. Each forgery answers the order of a remedy for a
 * node whose agent is not running, and all questions that follow.
 */
export async function forgeReceipts(house: House, guest: Guest): Promise<DrillResult> {
  const { site, client } = house;
  const genuine = await genuineReceipt(house, guest);
  const own = await signerOf((await site.pki.issue(agentSpiffePath(guest.agent.place), { renew: true })).identity);
  await using foreign = await makeTestPki(site.pki.trustDomain);
  const forgeries = await forgeriesOf(guest.agent.place.node, genuine, own, async (victim) =>
    signerOf((await foreign.issue(agentSpiffePath(placeOf(victim)))).identity),
  );
  await guest.agent.stop();
  const alarmsBefore = await metricOf(site.address, ALARM);
  const heldBefore = (await client.status()).gate.orphaned ?? 0;
  const believed: string[] = [];
  let answers = 0;
  const tried = forgeries.map(async ({ name, victim, says }) => {
    await using thief = await impostor(house, victim, says);
    const execution = await house.ask(victim, victim, 0.5, 'brief');
    const trial = await house.trial({ execution, mark: victim, point: name, guests: [guest], provenLater: true });
    house.say(`${name}: ${trial.outcome}: ${trial.message}`);
    if (trial.status === 'done' || trial.outcome === 'healed') believed.push(`${name}: ${trial.outcome}`);
    answers += thief.heard.length;
    return trial;
  });
  const trials = await Promise.all(tried);
  const held = ((await client.status()).gate.orphaned ?? 0) - heldBefore;
  await guest.agent.start();
  const alarms = (await metricOf(site.address, ALARM)) - alarmsBefore;
  const findings = [];
  if (alarms < answers) findings.push(`${answers} forged answers and only ${alarms} alarms`);
  if (held < forgeries.length) findings.push(`of ${forgeries.length} leases only ${held} stayed held`);
  return resultOf({
    drill: 'forged answers',
    did: `a Worker on another node's queue, with the credential of an agent, answered: ${forgeries.map(({ name }) => name).join('; ')}`,
    trials,
    happened: `${answers} forged answers, ${alarms} alarms; ${believed.length} believed; the limits of ${held} of ${forgeries.length} nodes stayed held`,
    believed,
    findings,
  });
}

type Forgery = { readonly name: string; readonly victim: string; readonly says: Says };

async function forgeriesOf(
  honest: string,
  genuine: string,
  own: ReceiptSigner,
  nameOf: (victim: string) => Promise<ReceiptSigner>,
): Promise<Forgery[]> {
  const [, second = ''] = VICTIMS;
  const all: [string, Says][] = [
    ["signed with the thief's own certificate", doneBy(own)],
    ["under the victim's name, by a certificate of the thief's making", doneBy(await nameOf(second))],
    ['a genuine receipt, its result altered', () => altered(genuine)],
    ['a genuine receipt of another order', () => genuine],
    ["a genuine receipt's certificates above another signature", (order) => resigned(genuine, order)],
    ['no signature at all', () => JSON.stringify({ status: 'done' })],
  ];
  const others = all.map(([name, says], index) => ({ name, says, victim: VICTIMS[index] ?? '' }));
  return [
    ...others,
    { name: "the node's own genuine receipt of an earlier order", says: () => genuine, victim: honest },
  ];
}

async function genuineReceipt(house: House, guest: Guest): Promise<string> {
  const execution = await house.ask(guest.agent.place.node, 'genuine', 0.2);
  const trial = await house.trial({ execution, mark: 'genuine', point: 'genuine', guests: [guest] });
  if (trial.outcome !== 'healed') throw new Error(`the genuine order ended as ${trial.outcome}: ${trial.message}`);
  await using connection = await openConnection(house);
  const client = new Client({ connection, namespace: AGENTS });
  for await (const one of client.activity.list(''))
    if (one.activityId.startsWith(`${execution}/`))
      return String(await client.activity.getHandle(one.activityId).result());
  throw new Error('no receipt');
}

async function openConnection(house: House): Promise<Connection & AsyncDisposable> {
  const connection = await Connection.connect({ address: house.site.temporal.address });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

/** `guest` is an honest host; the thief sends it orders through Temporal. */
export async function sendOrders(house: House, guest: Guest): Promise<DrillResult> {
  const { node, datacenter } = guest.agent.place;
  await using connection = await openConnection(house);
  const client = new Client({ connection, namespace: AGENTS });
  let sent = 0;
  const send = async (order: unknown, queue = nodeQueue(datacenter, node)): Promise<string> => {
    sent += 1;
    try {
      return await client.activity.execute<string>(AGENT_ACTIVITIES.action, {
        id: `thief-${sent}`,
        taskQueue: queue,
        args: [order],
        startToCloseTimeout: '20s',
        scheduleToStartTimeout: '20s',
        retry: { maximumAttempts: 1 },
      });
    } catch (error) {
      return `failed: ${(error as Error).message}`;
    }
  };
  const victim = VICTIMS.at(-1) ?? '';
  await using theft = await catchOrder(house, victim, 'caught');
  const caught = theft.order;
  const claims: GrantClaims = payloadOf(caught.grant);
  const mine = { ...claims, sub: claims.sub.replace(victim, node) };
  const { privateKey } = generateKeyPairSync('ed25519');
  const signed = (payload: object, header: object = {}) =>
    new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'Ed25519', typ: GRANT_TYPE, ...header })
      .sign(privateKey);
  const unsigned = `${Buffer.from(JSON.stringify({ alg: 'none', typ: GRANT_TYPE })).toString('base64url')}.${Buffer.from(JSON.stringify(mine)).toString('base64url')}.`;
  const [head = '', , tail = ''] = caught.grant.split('.');
  const turned = `${head}.${Buffer.from(JSON.stringify(mine)).toString('base64url')}.${tail}`;
  const orders: Record<string, unknown> = {
    'no grant': { ...caught, grant: '' },
    'a grant without signature (alg none)': { ...caught, grant: unsigned },
    "a grant signed with the thief's own key": { ...caught, grant: await signed(mine) },
    'a grant for another node, sent to this one': caught,
    'a grant for another node, its subject rewritten': { ...caught, grant: turned },
    'a grant with other arguments': { ...caught, args: { ...caught.args, seconds: '0.1' } },
  };
  const findings: string[] = [];
  const happened: string[] = [];
  for (const [name, order] of Object.entries(orders)) {
    const answer = await send(order);
    const refused = !answer.startsWith('failed') && payloadOf(answer).result.status === 'refused';
    const verdict = verdictOf(answer);
    happened.push(`${name}: ${verdict}`);
    house.say(`${name}: ${verdict}`);
    if (!refused) findings.push(`${name}: ${verdict} instead of a refusal`);
  }
  const began = (await guest.marks('caught')).length;
  if (began > 0) findings.push(`${began} actions began`);
  return resultOf({
    drill: 'orders of a thief',
    did: `activities started in fettle-agents with an agent's credential`,
    trials: [],
    happened: happened.join('; '),
    findings,
  });
}

type Caught = AsyncDisposable & { readonly order: ActionOrder; readonly execution: string };

/** What a thief gets who polls the queue of a node whose agent is away: a grant, good for fifteen seconds. He answers nothing. */
async function catchOrder(house: House, victim: string, mark: string): Promise<Caught> {
  await using stack = new AsyncDisposableStack();
  const over = Promise.withResolvers<string>();
  const thief = stack.use(await impostor(house, victim, () => over.promise));
  stack.defer(async () => over.resolve(''));
  const execution = await house.ask(victim, mark, 0.3, 'brief');
  const caught = () => thief.heard.find((order) => order.grant !== undefined);
  const order = await eventually(caught, { what: 'an order to catch' });
  thief.leave();
  const owned = stack.move();
  return { order, execution, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** What was carried out once is sent again. The guest has `FAKED_CLOCK`. */
export async function replayOrders(house: House, guest: Guest): Promise<DrillResult> {
  const { node, datacenter } = guest.agent.place;
  await using connection = await openConnection(house);
  const client = new Client({ connection, namespace: AGENTS });
  let sent = 0;
  const send = (activity: string, order: unknown): Promise<string> => {
    sent += 1;
    return client.activity
      .execute<string>(activity, {
        id: `replay-${sent}`,
        taskQueue: nodeQueue(datacenter, node),
        args: [order],
        startToCloseTimeout: '20s',
        scheduleToStartTimeout: '20s',
        retry: { maximumAttempts: 1 },
      })
      .catch((error: unknown) => `failed: ${(error as Error).message}`);
  };
  await guest.agent.stop();
  const theft = await catchOrder(house, node, 'replayed');
  const { order } = theft;
  await guest.agent.start();
  const answers = await Promise.all([1, 2, 3].map(() => send(AGENT_ACTIVITIES.action, order)));
  await theft[Symbol.asyncDispose]();
  const point = 'sent three times at once by the thief';
  const trials = [await house.trial({ execution: theft.execution, mark: 'replayed', point, guests: [guest] })];
  await guest.agent.start();
  answers.push(await send(AGENT_ACTIVITIES.action, order));
  await guest.host.powerCut();
  await guest.host.boot();
  await guest.agent.connected();
  answers.push(await send(AGENT_ACTIVITIES.action, order));
  await setClock(guest, '-1h');
  answers.push(await send(AGENT_ACTIVITIES.action, order));
  await setClock(guest, '+0');
  const began = (await guest.marks('replayed')).filter((line) => line.startsWith('begun')).length;
  const statuses = answers.map(verdictOf);
  house.say(`replayed ${answers.length} times: began ${began}; ${statuses.join(', ')}; ${trials[0]?.outcome}`);
  return resultOf({
    drill: 'replayed orders',
    did: 'a genuine order, caught before its node saw it, sent to that node three times at once, again after a restart, after a power cut, and under a clock that is an hour behind',
    trials,
    happened: `the action began ${began === 1 ? 'once' : `${began} times`}; answers: ${statuses.join(', ')}; the execution: ${trials[0]?.outcome}`,
    findings: began > 1 ? [`the action began ${began} times`] : [],
  });
}

/** What a host answered: `done`, the code of a refusal, or that it failed. */
function verdictOf(answer: string): string {
  if (answer.startsWith('failed')) return answer;
  const { result } = payloadOf(answer);
  return result.code ?? result.status;
}

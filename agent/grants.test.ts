import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { calculateJwkThumbprint } from 'jose';
import { type AgentBench, digest, makeAgentBench, WEB_1 } from '../test/support/agent-bench.ts';
import {
  type ActionOrder,
  type AgentRefusal,
  GRANT_TYPE,
  type GrantClaims,
  ORDER_TYPE,
  PROTOCOL,
} from '../workflows/contract.ts';
import { type Addressee, createOrderVerifier, type OrderVerifier } from './grants.ts';
import { RefusalError } from './refusal.ts';

let bench: AgentBench;
let verifier: OrderVerifier;
let to: Addressee;
const stranger = generateKeyPairSync('ed25519');
const strangerPem = stranger.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

before(async () => {
  bench = await makeAgentBench();
  verifier = await createOrderVerifier(bench.issuer, [await readFile(bench.pki.grantKeys.publicKey, 'utf8')]);
  to = { id: bench.idOf(WEB_1), machineId: 'machine-1', queues: ['dc1/general', 'dc1/type/web', 'dc1/node/web-1'] };
});
after(() => bench[Symbol.asyncDispose]());

async function codeOf(order: unknown, now = Date.now()): Promise<AgentRefusal | 'accepted'> {
  try {
    const claims = await verifier.openGrant(order as ActionOrder, to);
    verifier.checkGrant(claims, order as ActionOrder, to, now);
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof RefusalError, String(error));
    assert.doesNotMatch(error.message, /swordfish/);
    return error.code;
  }
}

const args = { unit: 'web.service', password: 'swordfish' };
const signed = async (more: Record<string, unknown>): Promise<ActionOrder> => ({
  protocol: PROTOCOL,
  grant: await bench.sign({ ...bench.claims({ args_digest: digest(args) }), ...more }),
  args,
});

describe('a grant', () => {
  it('is accepted as it was signed, with fields of a later version too', async () => {
    assert.equal(await codeOf(await signed({})), 'accepted');
    assert.equal(await codeOf(await signed({ colour: 'green' })), 'accepted');
    assert.equal(await codeOf(await signed({ machine_id: 'machine-1' })), 'accepted');
    assert.equal(await codeOf(await signed({ attempt: 2, supersedes: 1 })), 'accepted');
  });

  const altered: readonly [name: string, claims: Record<string, unknown>, code: AgentRefusal][] = [
    ['another issuer', { iss: 'spiffe://example.com/other' }, 'grant_other_issuer'],
    ['another node', { sub: 'spiffe://example.com/agent/dc1/web/web-2' }, 'grant_other_node'],
    ['a node of the same name elsewhere', { sub: 'spiffe://example.com/agent/dc2/web/web-1' }, 'grant_other_node'],
    ['a node that only begins alike', { sub: 'spiffe://example.com/agent/dc1/web/web-11' }, 'grant_other_node'],
    ['another machine of the same name', { machine_id: 'machine-2' }, 'grant_other_machine'],
    ['other arguments', { args_digest: digest({ unit: 'db.service' }) }, 'grant_args_differ'],
    ['a begin-by that has passed', { begin_by: Date.now() - 1 }, 'grant_expired'],
    ['a time of issue ahead of the clock', { iat: Math.floor(Date.now() / 1000) + 60 }, 'grant_from_future'],
    ['no attempt', { attempt: undefined }, 'grant_malformed'],
    ['attempt 0', { attempt: 0 }, 'grant_malformed'],
    ['a broken attempt', { attempt: 1.5 }, 'grant_malformed'],
    ['an attempt as text', { attempt: '1' }, 'grant_malformed'],
    ['superseding itself', { attempt: 2, supersedes: 2 }, 'grant_malformed'],
    ['no nonce', { jti: undefined }, 'grant_malformed'],
    ['an empty nonce', { jti: '' }, 'grant_malformed'],
    ['no execution', { execution: undefined }, 'grant_malformed'],
    ['an endless execution', { execution: 'x'.repeat(600) }, 'grant_malformed'],
    ['no step', { step: undefined }, 'grant_malformed'],
    ['no action', { action: null }, 'grant_malformed'],
    ['no plan', { plan: undefined }, 'grant_malformed'],
    ['no begin-by', { begin_by: undefined }, 'grant_malformed'],
    ['a begin-by as text', { begin_by: '9999999999999' }, 'grant_malformed'],
    ['no time of issue', { iat: undefined }, 'grant_malformed'],
    ['no timeout', { timeout_ms: undefined }, 'grant_malformed'],
    ['a timeout of nothing', { timeout_ms: 0 }, 'grant_malformed'],
    ['a timeout of years', { timeout_ms: 1e12 }, 'grant_malformed'],
    ['no word on dry run', { dry_run: undefined }, 'grant_malformed'],
    ['dry run as text', { dry_run: 'false' }, 'grant_malformed'],
  ];
  for (const [name, claims, code] of altered) {
    it(`with ${name} is refused as ${code}`, async () => {
      assert.equal(await codeOf(await signed(claims)), code);
    });
  }

  it('is refused when any byte of it was changed on the way', async () => {
    const { grant } = await signed({});
    const [header, payload, signature] = grant.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as GrantClaims;
    const changed = Buffer.from(JSON.stringify({ ...claims, attempt: 2 })).toString('base64url');
    assert.equal(
      await codeOf({ protocol: PROTOCOL, grant: `${header}.${changed}.${signature}`, args }),
      'grant_signature',
    );
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
    assert.equal(
      await codeOf({ protocol: PROTOCOL, grant: `${header}.${payload}.${flipped}`, args }),
      'grant_signature',
    );
  });

  it('is refused from a foreign key, by name when it names its key', async () => {
    const claims = bench.claims({ args_digest: digest(args) });
    const plain = await bench.sign(claims, {}, strangerPem);
    assert.equal(await codeOf({ protocol: PROTOCOL, grant: plain, args }), 'grant_signature');
    const kid = await calculateJwkThumbprint(stranger.publicKey.export({ format: 'jwk' }));
    const named = await bench.sign(claims, { kid }, strangerPem);
    assert.equal(await codeOf({ protocol: PROTOCOL, grant: named, args }), 'grant_unknown_key');
  });

  it('is refused without a signature, under another algorithm or another type', async () => {
    const payload = Buffer.from(JSON.stringify(bench.claims({ args_digest: digest(args) }))).toString('base64url');
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: GRANT_TYPE })).toString('base64url');
    assert.equal(await codeOf({ protocol: PROTOCOL, grant: `${none}.${payload}.`, args }), 'grant_signature');
    const hmac = Buffer.from(JSON.stringify({ alg: 'HS256', typ: GRANT_TYPE })).toString('base64url');
    assert.equal(await codeOf({ protocol: PROTOCOL, grant: `${hmac}.${payload}.AAAA`, args }), 'grant_signature');
    const order = await bench.sign(bench.claims({ args_digest: digest(args) }), { typ: ORDER_TYPE });
    assert.equal(await codeOf({ protocol: PROTOCOL, grant: order, args }), 'grant_malformed');
  });

  it('is refused when absent or no JWS at all', async () => {
    for (const grant of [undefined, null, ''])
      assert.equal(await codeOf({ protocol: PROTOCOL, grant, args }), 'grant_missing');
    for (const grant of [7, {}, 'x', 'a.b', 'a.b.c', '..', 'x'.repeat(100_000), '\u0000.\ud800.\n']) {
      assert.equal(await codeOf({ protocol: PROTOCOL, grant, args }), 'grant_malformed');
    }
    for (const order of [undefined, null, 3, 'order', []]) assert.notEqual(await codeOf(order), 'accepted');
  });

  it('is refused with arguments that were exchanged, added to or taken away', async () => {
    const order = await signed({});
    for (const other of [{ ...args, unit: 'db.service' }, { ...args, more: 1 }, {}, { unit: 'web.service' }]) {
      assert.equal(await codeOf({ ...order, args: other }), 'grant_args_differ');
    }
    for (const other of [undefined, null, 'text', []])
      assert.equal(await codeOf({ ...order, args: other }), 'args_invalid');
  });

  it('does not mind the order of the arguments', async () => {
    assert.equal(
      await codeOf({ ...(await signed({})), args: { password: 'swordfish', unit: 'web.service' } }),
      'accepted',
    );
  });

  it('is refused in a protocol that this agent does not speak', async () => {
    for (const protocol of [PROTOCOL + 1, 0, -1, '1', null, undefined, NaN]) {
      assert.equal(await codeOf({ ...(await signed({})), protocol }), 'protocol_unsupported');
    }
  });

  it('is judged by the later clock: too late by the server is too late', async () => {
    const order = await signed({ begin_by: Date.now() + 15_000 });
    assert.equal(await codeOf(order, Date.now() + 14_000), 'accepted');
    assert.equal(await codeOf(order, Date.now() + 16_000), 'grant_expired');
  });

  it('may be issued five seconds ahead of the clock, and no more', async () => {
    const now = 1_800_000_000_000;
    const order = async (ahead: number) => signed({ iat: now / 1000 + ahead, begin_by: now + 60_000 });
    assert.equal(await codeOf(await order(5), now), 'accepted');
    assert.equal(await codeOf(await order(6), now), 'grant_from_future');
  });
});

describe('grant keys', () => {
  it('two of them are good at once, so that one can replace the other', async () => {
    const spki = stranger.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const both = await createOrderVerifier(bench.issuer, [await readFile(bench.pki.grantKeys.publicKey, 'utf8'), spki]);
    for (const key of [undefined, strangerPem]) {
      const grant = await bench.sign(bench.claims({ args_digest: digest(args) }), {}, key);
      assert.ok(await both.openGrant({ protocol: PROTOCOL, grant, args }, to));
    }
  });

  it('none, a private one, another kind and plain text are refused at the start', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString();
    await assert.rejects(createOrderVerifier(bench.issuer, []), /no grant key/);
    await assert.rejects(createOrderVerifier(bench.issuer, [strangerPem]), /grant key 1 is a private key/);
    await assert.rejects(createOrderVerifier(bench.issuer, [rsa]), /of the kind rsa/);
    await assert.rejects(createOrderVerifier(bench.issuer, ['hello']), /cannot be read/);
  });
});

describe('a settle or claim order', () => {
  const refusal = (code: AgentRefusal) => (error: unknown) => error instanceof RefusalError && error.code === code;

  it('is accepted by the agent it is for', async () => {
    const settle = await verifier.settle(await bench.settle({ attempt: 3 }), to, Date.now());
    assert.equal(settle.attempt, 3);
    assert.equal((await verifier.claim(await bench.claim(), to, Date.now())).queue, 'dc1/general');
  });

  it('is refused for another node, another queue, too late, too early, and one for the other', async () => {
    const settle = async (more: object) => verifier.settle(await bench.settle(more), to, Date.now());
    const claim = async (more: object) => verifier.claim(await bench.claim(more), to, Date.now());
    await assert.rejects(settle({ sub: 'spiffe://example.com/agent/dc1/web/web-2' }), refusal('grant_other_node'));
    await assert.rejects(settle({ until: Date.now() - 1 }), refusal('grant_expired'));
    await assert.rejects(settle({ iat: Math.floor(Date.now() / 1000) + 60 }), refusal('grant_from_future'));
    await assert.rejects(settle({ iss: 'spiffe://example.com/other' }), refusal('grant_other_issuer'));
    await assert.rejects(settle({ attempt: 100_000 }), refusal('grant_malformed'));
    await assert.rejects(claim({ queue: 'dc1/type/database' }), refusal('grant_other_node'));
    await assert.rejects(claim({ until: Date.now() - 1 }), refusal('grant_expired'));
    await assert.rejects(verifier.claim(await bench.settle(), to, Date.now()), refusal('grant_malformed'));
    await assert.rejects(verifier.settle(await bench.claim(), to, Date.now()), refusal('grant_malformed'));
  });

  it('is no grant, and a grant is no order', async () => {
    const grant = { protocol: PROTOCOL, order: (await signed({})).grant };
    await assert.rejects(verifier.settle(grant, to, Date.now()), refusal('grant_malformed'));
    assert.equal(await codeOf({ protocol: PROTOCOL, grant: (await bench.settle()).order, args }), 'grant_malformed');
  });
});

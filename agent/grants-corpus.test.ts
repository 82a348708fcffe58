import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose';
import { pino } from 'pino';
import { type AgentBench, digest, makeAgentBench, script, WEB_1 } from '../test/support/agent-bench.ts';
import { type ActionOrder, type ActionResult, GRANT_TYPE, type GrantClaims, PROTOCOL } from '../workflows/contract.ts';
import { PROGRAMS } from './actions/action.ts';
import { createActionSlots } from './action-slots.ts';
import { createAllowList } from './allow-list.ts';
import { createAttempts } from './attempts.ts';
import { createOrderVerifier, type OrderVerifier, unprovenClaims } from './grants.ts';
import { openLedger } from './ledger.ts';
import { createPerformer } from './perform.ts';
import { createTurns } from './turns.ts';
import { ownProcess } from './procfs.ts';
import { RefusalError } from './refusal.ts';

/**
 * What a thief of anything but the signing key can send to a host: every order that was ever signed, altered in every part, at any time
 * by any clock. Each is refused with its stable code, or answered as it was, and never done again.
 */
const HOUR = 3_600_000;
const ARGS = { command: 'count' };
const log = pino({ level: 'silent' });
const place = { file: 'agent.hcl', line: 1, column: 1 };

type Keys = { readonly secret: KeyObject; readonly pem: string; readonly spki: string; readonly kid: string };
let bench: AgentBench;
/** The coordinators' key, the one it will be replaced by, and a stranger's. */
let [present, next, foreign]: Keys[] = [];

before(async () => {
  bench = await makeAgentBench();
  present = await keysOf(createPrivateKey(await readFile(bench.pki.grantKeys.privateKey, 'utf8')));
  next = await keysOf(generateKeyPairSync('ed25519').privateKey);
  foreign = await keysOf(generateKeyPairSync('ed25519').privateKey);
});
after(() => bench[Symbol.asyncDispose]());

async function keysOf(secret: KeyObject): Promise<Keys> {
  const pem = secret.export({ type: 'pkcs8', format: 'pem' }).toString();
  const open = createPublicKey(secret);
  const spki = open.export({ type: 'spki', format: 'pem' }).toString();
  return { secret, pem, spki, kid: await calculateJwkThumbprint(open.export({ format: 'jwk' })) };
}

/** A host as it is between two restarts: what it remembers lies in `dir`. */
async function host(dir: string, keys: readonly Keys[] = [present!], clock = Date.now) {
  const verifier: OrderVerifier = await createOrderVerifier(
    bench.issuer,
    keys.map(({ spki }) => spki),
  );
  const count = join(dir, 'count');
  const program = await script(dir, 'count.sh', `#!/bin/sh\necho x >> ${count}\n`);
  const definition = { place, kind: 'program', name: 'count', argv: [program], inputs: [], secrets: {} } as const;
  const ledger = await openLedger(dir);
  const facts = { bootId: 'boot', machineId: 'machine-1', agentVersion: '1' };
  const attempts = createAttempts({
    ledger,
    bootId: 'boot',
    owner: ownProcess(),
    log,
    worksOn: async () => false,
    launcher: null,
  });
  const performer = createPerformer({
    host: {
      facts,
      commands: new Map([['count', { ...definition, timeoutMs: 60_000, environment: {}, workingDirectory: '/' }]]),
      clean: new Map(),
      secretsDir: null,
      diagnosticsDir: dir,
      ...PROGRAMS,
    },
    ledger,
    attempts,
    allow: createAllowList([{ place, action: '*', args: {}, perHour: null, concurrent: null }]),
    turns: createTurns(),
    launcher: null,
    slots: createActionSlots(4),
    owner: ownProcess(),
    brakeFile: join(dir, 'stop'),
    secretsDir: null,
    log,
  });
  const to = { id: bench.idOf(WEB_1), machineId: 'machine-1', queues: [] };
  const { signal } = new AbortController();
  const answer = async (order: ActionOrder): Promise<ActionResult> => {
    try {
      const claims = await verifier.openGrant(order, to);
      const check = (): void => verifier.checkGrant(claims, order, to, clock());
      return (await performer.perform({ claims, order, now: clock, check }, signal)).result;
    } catch (error) {
      if (!(error instanceof RefusalError)) throw error;
      const claims = unprovenClaims(order.grant);
      const recalled = claims && (await performer.recall(claims, order.grant, signal));
      return recalled?.result ?? { status: 'refused', code: error.code, message: error.message };
    }
  };
  const codeOf = async (order: ActionOrder): Promise<string> => {
    const result = await answer(order);
    return result.status === 'refused' ? result.code : result.status;
  };
  return { codeOf, runs: () => (existsSync(count) ? readFileSync(count, 'utf8').split('\n').length - 1 : 0) };
}

const fresh = (): Promise<string> => mkdtemp(join(bench.dir, 'host-'));
const claimsOf = (more: object = {}): GrantClaims => ({
  ...bench.claims({ action: 'exec', args_digest: digest(ARGS) }),
  ...more,
});
const order = (grant: string, args: ActionOrder['args'] = ARGS): ActionOrder => ({ protocol: PROTOCOL, grant, args });
const signed = async (more: object = {}, keys: Keys = present!): Promise<ActionOrder> =>
  order(await bench.sign(claimsOf(more), {}, keys.pem));

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** Signed by hand, so that header and payload may be anything at all. */
function forged(header: unknown, payload: unknown, key: KeyObject = present!.secret): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

const LETTERS = ['A', 'b', '0', '-', '_', '.', '=', '+', '/', ' ', '\n', '\u00e9'] as const;

describe('an order altered on its way', () => {
  it('is refused for its signature, whichever claim was changed', async () => {
    const on = await host(await fresh());
    const { grant } = await signed();
    const [header, payload, signature] = grant.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<
      string,
      string | number | boolean | null
    >;
    for (const name of Object.keys(claims)) {
      const old = claims[name] ?? null;
      const other = typeof old === 'number' ? old + 1 : typeof old === 'boolean' ? !old : old === null ? 1 : `${old}x`;
      for (const changed of [{ ...claims, [name]: other }, withoutMember(claims, name)])
        assert.equal(await on.codeOf(order(`${header}.${encode(changed)}.${signature}`)), 'grant_signature', name);
    }
    assert.equal(on.runs(), 0);
    assert.equal(await on.codeOf(order(grant)), 'done');
  });

  it('is refused whichever byte was changed', async () => {
    const on = await host(await fresh());
    const { grant } = await signed();
    const codes = ['grant_signature', 'grant_malformed', 'grant_unknown_key'];
    // The last letter of a signature has four spellings of one value.
    const anywhere = fc.integer({ min: 0, max: grant.length - 2 });
    await fc.assert(
      fc.asyncProperty(anywhere, fc.constantFrom(...LETTERS), async (at, letter) => {
        if (grant[at] === letter) return;
        const code = await on.codeOf(order(grant.slice(0, at) + letter + grant.slice(at + 1)));
        assert.ok(codes.includes(code), code);
      }),
      { numRuns: 300 },
    );
    assert.equal(on.runs(), 0);
  });

  it('is refused with parts of another order, signed as they are', async () => {
    const on = await host(await fresh());
    const [one, other] = [await signed(), await signed({ step: 'other' })];
    const [a, b] = [one.grant.split('.'), other.grant.split('.')];
    assert.equal(await on.codeOf(order([a[0], a[1], b[2]].join('.'))), 'grant_signature');
    assert.equal(await on.codeOf({ ...one, args: { command: 'other' } }), 'grant_args_differ');
    assert.equal(await on.codeOf({ ...one, protocol: 7 }), 'grant_args_differ');
    assert.equal(on.runs(), 0);
  });
});

const withoutMember = (claims: Record<string, unknown>, name: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(claims).filter(([other]) => other !== name));

describe('an order signed for something else', () => {
  const swapped: [what: string, claims: object, code: string][] = [
    ['another node', { sub: 'spiffe://example.com/agent/dc1/web/web-2' }, 'grant_other_node'],
    ['the node of that name elsewhere', { sub: 'spiffe://example.com/agent/dc2/web/web-1' }, 'grant_other_node'],
    ['a clone of this machine', { machine_id: 'machine-2' }, 'grant_other_machine'],
    ['another fleet', { iss: 'spiffe://example.com/other' }, 'grant_other_issuer'],
    ['other arguments', { args_digest: digest({ command: 'other' }) }, 'grant_args_differ'],
    ['an action that is not', { action: 'exec2' }, 'action_unknown'],
    ['an action by the name of a member', { action: 'constructor' }, 'action_unknown'],
    ['yesterday', { iat: Math.floor(Date.now() / 1000) - 86_400, begin_by: Date.now() - 86_000_000 }, 'grant_expired'],
    [
      'tomorrow',
      { iat: Math.floor(Date.now() / 1000) + 86_400, begin_by: Date.now() + 86_500_000 },
      'grant_from_future',
    ],
    ['ever', { begin_by: Date.now() + 16 * 60_000 }, 'grant_malformed'],
  ];
  for (const [what, claims, code] of swapped)
    it(`(${what}) is refused as ${code}, and stays so after a restart`, async () => {
      const dir = await fresh();
      const given = await signed(claims);
      for (const on of [await host(dir), await host(dir)]) {
        assert.equal(await on.codeOf(given), code);
        assert.equal(on.runs(), 0);
      }
    });

  const kinds: Record<string, unknown[]> = {
    text: [undefined, null, '', 7, {}, [], 'x'.repeat(600), true],
    number: [undefined, null, '1', 1.5, -1, Number.MAX_VALUE, [], true],
    flag: [undefined, null, 'true', 0, 1],
  };
  it('is refused as malformed with a claim of another kind, whichever', async () => {
    const on = await host(await fresh());
    const claims = claimsOf();
    for (const [name, value] of Object.entries(claims)) {
      if (name === 'machine_id' || name === 'supersedes') continue;
      const kind = typeof value === 'string' ? 'text' : typeof value === 'number' ? 'number' : 'flag';
      for (const wrong of kinds[kind]!)
        assert.equal(await on.codeOf(await signed({ [name]: wrong })), 'grant_malformed', `${name} ${String(wrong)}`);
    }
    for (const wrong of [undefined, 7, {}, 'x'.repeat(200)])
      assert.equal(await on.codeOf(await signed({ machine_id: wrong })), 'grant_malformed');
    for (const wrong of [undefined, '1', 0, 1, 5])
      assert.equal(await on.codeOf(await signed({ supersedes: wrong, step: `s${wrong}` })), 'grant_malformed');
    assert.equal(on.runs(), 0);
  });
});

describe('an order that was used', () => {
  it('is answered as it was, over restarts and steps of the clock, and never done again', async () => {
    const dir = await fresh();
    const given = await signed();
    assert.equal(await (await host(dir)).codeOf(given), 'done');
    for (const step of [0, HOUR, -HOUR, 40 * 24 * HOUR]) {
      const on = await host(dir, [present!], () => Date.now() + step);
      assert.equal(await on.codeOf(given), 'done');
      assert.equal(on.runs(), 1);
    }
  });

  it('uses up its attempt: no other order for it is taken, whatever it holds', async () => {
    const dir = await fresh();
    assert.equal(await (await host(dir)).codeOf(await signed()), 'done');
    const on = await host(dir);
    for (const more of [{ jti: 'other' }, { plan: 'other' }, { timeout_ms: 1 }])
      assert.equal(await on.codeOf(await signed(more)), 'grant_used');
    assert.equal(on.runs(), 1);
  });

  it('is for one execution and step: as many steps as were signed, each once', async () => {
    const dir = await fresh();
    const on = await host(dir);
    const orders = [await signed(), await signed({ step: 'b' }), await signed({ execution: 'run:web-1:1-2' })];
    for (const given of [...orders, ...orders]) assert.equal(await on.codeOf(given), 'done');
    assert.equal(on.runs(), 3);
  });
});

describe('an order kept back until the clock is stepped', () => {
  it('back is refused, once a later one was taken', async () => {
    const dir = await fresh();
    const now = Date.now();
    const kept = await signed({ step: 'kept', iat: Math.floor(now / 1000) - 3600, begin_by: now - 3_585_000 });
    assert.equal(await (await host(dir)).codeOf(await signed()), 'done');
    const on = await host(dir, [present!], () => Date.now() - HOUR);
    assert.equal(await on.codeOf(kept), 'grant_expired');
    assert.equal(on.runs(), 1);
  });

  it('forward is too late, and stays refused when the clock is right again', async () => {
    const dir = await fresh();
    const given = await signed();
    assert.equal(await (await host(dir, [present!], () => Date.now() + HOUR)).codeOf(given), 'grant_expired');
    const on = await host(dir);
    assert.equal(await on.codeOf(given), 'grant_expired');
    assert.equal(await on.codeOf(await signed({ step: 'next' })), 'done');
  });
});

describe('keys', () => {
  it('overlap during a rotation, and an old one is good no longer behind it', async () => {
    const phases: [keys: Keys[], old: string, young: string][] = [
      [[present!], 'done', 'grant_signature'],
      [[present!, next!], 'done', 'done'],
      [[next!], 'grant_signature', 'done'],
    ];
    for (const [keys, old, young] of phases) {
      const on = await host(await fresh(), keys);
      assert.deepEqual(
        [await on.codeOf(await signed()), await on.codeOf(await signed({ step: 'b' }, next))],
        [old, young],
      );
      assert.equal(await on.codeOf(await signed({ step: 'c' }, foreign)), 'grant_signature');
    }
  });

  it('that were replaced still have their answers on record', async () => {
    const dir = await fresh();
    const given = await signed();
    assert.equal(await (await host(dir)).codeOf(given), 'done');
    const on = await host(dir, [next!]);
    assert.equal(await on.codeOf(given), 'done');
    assert.equal(await on.codeOf(await signed({ step: 'new' })), 'grant_signature');
    assert.equal(on.runs(), 1);
  });

  it('are those that their names say, and no others', async () => {
    const on = await host(await fresh(), [present!, next!]);
    const named = async (kid: unknown, by: Keys, step: string): Promise<string> =>
      on.codeOf(order(forged({ alg: 'Ed25519', typ: GRANT_TYPE, kid }, claimsOf({ step }), by.secret)));
    assert.equal(await named(present!.kid, present!, 'a'), 'done');
    assert.equal(await named(next!.kid, present!, 'b'), 'grant_signature');
    assert.equal(await named(present!.kid, foreign!, 'c'), 'grant_signature');
    assert.equal(await named(foreign!.kid, foreign!, 'd'), 'grant_unknown_key');
    assert.equal(await named('../../etc/passwd', present!, 'e'), 'grant_unknown_key');
    assert.equal(await named('', present!, 'f'), 'grant_unknown_key');
    for (const kid of [7, null, { kty: 'OKP' }]) assert.equal(await named(kid, present!, 'g'), 'grant_malformed');
    assert.equal(on.runs(), 1);
  });
});

describe('a header', () => {
  it('that names another algorithm is refused, also when it is signed so', async () => {
    const on = await host(await fresh());
    const payload = encode(claimsOf());
    for (const alg of ['none', 'None', '', 'HS256', 'RS256', 'ES256', 'EdDSA2', null, 7, undefined]) {
      const header = { alg, typ: GRANT_TYPE };
      for (const signature of ['', 'AAAA']) {
        const code = await on.codeOf(order(`${encode(header)}.${payload}.${signature}`));
        assert.equal(code, 'grant_signature', String(alg));
      }
      assert.equal(await on.codeOf(order(forged(header, claimsOf()))), 'grant_signature', String(alg));
    }
    assert.equal(on.runs(), 0);
  });

  it('with HMAC over the public key, in any spelling of it, is refused', async () => {
    const on = await host(await fresh());
    const input = `${encode({ alg: 'HS256', typ: GRANT_TYPE })}.${encode(claimsOf())}`;
    const open = createPublicKey(present!.spki);
    const raw = Buffer.from((open.export({ format: 'jwk' }) as { x: string }).x, 'base64url');
    for (const secret of [present!.spki, open.export({ type: 'spki', format: 'der' }), raw]) {
      const mac = createHmac('sha256', secret).update(input).digest('base64url');
      assert.equal(await on.codeOf(order(`${input}.${mac}`)), 'grant_signature');
    }
  });

  it('that brings its own key is not believed', async () => {
    const on = await host(await fresh());
    const jwk = createPublicKey(foreign!.secret).export({ format: 'jwk' });
    for (const more of [{ jwk }, { jku: 'https://example.net/keys' }, { x5u: 'https://example.net/cert' }]) {
      const header = { alg: 'Ed25519', typ: GRANT_TYPE, ...more };
      assert.equal(await on.codeOf(order(forged(header, claimsOf(), foreign!.secret))), 'grant_signature');
    }
  });

  it('of another type, or one that demands what nobody knows, is refused', async () => {
    const on = await host(await fresh());
    for (const typ of ['fettle-order+jwt', 'fettle-receipt+jwt', 'JWT', '', undefined])
      assert.equal(await on.codeOf(order(forged({ alg: 'Ed25519', typ }, claimsOf()))), 'grant_malformed');
    for (const more of [{ crit: ['exp'], exp: 1 }, { crit: ['b64'], b64: false }, { crit: [] }, { crit: 'x' }]) {
      const header = { alg: 'Ed25519', typ: GRANT_TYPE, ...more };
      assert.equal(await on.codeOf(order(forged(header, claimsOf()))), 'grant_malformed');
    }
    assert.equal(on.runs(), 0);
  });
});

describe('a payload', () => {
  const header = { alg: 'Ed25519', typ: GRANT_TYPE };
  it('that says one thing twice, or is spelled as no coordinator does, is refused', async () => {
    const on = await host(await fresh());
    const text = JSON.stringify(claimsOf());
    const spellings = [
      text.replace('{', '{"sub":"spiffe://example.com/agent/dc1/web/web-2",'),
      text.replace('}', ',"attempt":2}'),
      text.replace('"attempt":1', '"attempt":1e0'),
      text.replace('"attempt"', String.raw`"\u0061ttempt"`),
      text.replace('{', '{ '),
      `${text}\n`,
      text.replace('{', '{"__proto__":{"dry_run":true},').replace('"dry_run":false,', ''),
    ];
    for (const spelling of spellings)
      assert.equal(await on.codeOf(order(forged(header, spelling))), 'grant_malformed', spelling);
    assert.equal(await on.codeOf(order(forged(header, text))), 'done');
  });

  it('that is no object, no text or too large is refused', async () => {
    const on = await host(await fresh());
    for (const payload of ['null', '[]', '7', '""', '', '{', '\u0000', 'x'.repeat(64)])
      assert.equal(await on.codeOf(order(forged(header, payload))), 'grant_malformed', JSON.stringify(payload));
    const large = forged(header, { ...claimsOf(), ballast: 'x'.repeat(20_000) });
    assert.equal(await on.codeOf(order(large)), 'grant_malformed');
    const deep = forged(header, `{"a":${'['.repeat(4000)}${']'.repeat(4000)}}`);
    assert.equal(await on.codeOf(order(deep)), 'grant_malformed');
  });
});

import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { describe, it } from 'node:test';
import { compactVerify } from 'jose';
import { parseSpiffeId } from '../config/spiffe-id.ts';
import { CLAIM_TYPE, RECEIPT_TYPE, type ReceiptClaims, SETTLEMENT_TYPE } from '../workflows/contract.ts';
import { createReceiptSigner } from './receipts.ts';

const id = parseSpiffeId('spiffe://example.com/agent/dc1/web/web-1');
const signerFor = (pair: KeyPairKeyObjectResult) =>
  createReceiptSigner({
    current: () => ({ id, chainDer: [Buffer.from('leaf'), Buffer.from('issuer')], key: pair.privateKey }),
  });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const claims: Omit<ReceiptClaims, 'iss'> = {
  execution: 'restart:web-1:1-1',
  step: 'restart',
  attempt: 1,
  nonce: 'nonce',
  grant_digest: 'digest',
  boot_id: 'boot',
  machine_id: 'machine',
  agent_version: '1',
  from: 1,
  to: 2,
  result: { status: 'unknown', message: 'lost' },
};

async function read(jws: string, pair: KeyPairKeyObjectResult) {
  const { payload, protectedHeader } = await compactVerify(jws, pair.publicKey);
  return { header: protectedHeader, claims: JSON.parse(new TextDecoder().decode(payload)) as Record<string, never> };
}

describe('what an agent signs', () => {
  it('carries its type, its chain and its id, under the algorithm of its key', async () => {
    const kinds: [KeyPairKeyObjectResult, string][] = [
      [p256, 'ES256'],
      [generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ES384'],
      [generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'],
    ];
    for (const [pair, alg] of kinds) {
      const signed = await read(await signerFor(pair).receipt(claims), pair);
      const x5c = ['leaf', 'issuer'].map((text) => Buffer.from(text).toString('base64'));
      assert.deepEqual(signed.header, { alg, typ: RECEIPT_TYPE, x5c });
      assert.deepEqual(signed.claims, { iss: id.text, ...claims });
    }
  });

  it('tells receipts, settlements and claims apart by type', async () => {
    const signer = signerFor(p256);
    const answer = { state: 'never_begun' } as const;
    const settled = await read(
      await signer.settlement({ nonce: 'n', execution: 'e', step: 's', boot_id: 'b', at: 1, answer }),
      p256,
    );
    const claimed = await read(await signer.claim({ nonce: 'n', boot_id: 'b', at: 1 }), p256);
    assert.deepEqual([settled.header.typ, claimed.header.typ], [SETTLEMENT_TYPE, CLAIM_TYPE]);
  });

  it('stays small, whatever an action says', async () => {
    const facts = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`fact_${n}`, 'ü'.repeat(5000)]));
    const output = { facts, exitCode: 1, tail: '🦀'.repeat(50_000), digest: 'd', bytes: 200_000 };
    const result = { status: 'failed', code: 'exit', message: '🦀'.repeat(50_000), output } as const;
    const jws = await signerFor(p256).receipt({ ...claims, result });
    assert.ok(jws.length < 64 * 1024, String(jws.length));
    assert.ok(JSON.stringify((await read(jws, p256)).claims).isWellFormed());
  });

  it('is not attempted with a key of a kind that nobody checks', () => {
    assert.throws(() => signerFor(generateKeyPairSync('ed25519')), /P-256, P-384 or RSA/);
    assert.throws(() => signerFor(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), /secp256k1/);
  });
});

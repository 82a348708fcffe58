/** Checks what agents sign. An answer that does not check is an alarm, and counts as unknown (docs/protocol.md §5.6). */
import type { z } from 'zod';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { errorMessage } from '../../identity/error-message.ts';
import { verifySvidChain } from '../../identity/svid.ts';
import type { TrustBundles } from '../../identity/trust-bundle.ts';
import type { SpiffeId } from '../../config/spiffe-id.ts';
import {
  CLAIM_TYPE,
  RECEIPT_TYPE,
  SETTLEMENT_TYPE,
  type ReceiptClaims,
  type SettlementClaims,
} from '../../workflows/contract.ts';
import { sha256 } from '../digest.ts';
import { claimedClaims, receiptClaims, settlementClaims } from './signed-claims.ts';

export class ReceiptError extends Error {
  override readonly name = 'ReceiptError';
}

/** The trust domains that agents' certificates are judged against, each with its own bundle. */
export type AgentBundle = () => TrustBundles;

const MAX_BYTES = 64 * 1024;
const ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256'];

async function verifySigned<T>(
  jws: unknown,
  typ: string,
  shape: z.ZodType<T>,
  bundle: AgentBundle,
  at: Date,
): Promise<{ signer: SpiffeId; claims: T }> {
  if (typeof jws !== 'string' || jws.length > MAX_BYTES) throw new ReceiptError('not a signed answer');
  try {
    const header = decodeProtectedHeader(jws);
    if (header.typ !== typ) throw new ReceiptError(`its type is ${String(header.typ)}, not ${typ}`);
    const chain = (header.x5c ?? []).map((der) => Buffer.from(der, 'base64'));
    const svid = verifySvidChain(chain, bundle(), at);
    const { payload } = await compactVerify(jws, svid.publicKey, { algorithms: ALGORITHMS });
    const claims = shape.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
    if (!claims.success) throw new ReceiptError('its content is not what an agent signs');
    return { signer: svid.id, claims: claims.data };
  } catch (cause) {
    if (cause instanceof ReceiptError) throw cause;
    throw new ReceiptError(`its signature does not check: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

const expect = (what: string, actual: unknown, wanted: unknown): void => {
  if (actual !== wanted) throw new ReceiptError(`it is for another ${what}: ${String(actual).slice(0, 200)}`);
};

export type ExpectedReceipt = {
  readonly signer: string;
  readonly execution: string;
  readonly step: string;
  readonly attempt: number;
  readonly nonce: string;
  /** Those that may have been sent. */
  readonly grants: readonly string[];
};

/** @throws ReceiptError unless it is the named agent's answer to exactly this grant. */
export async function checkReceipt(
  jws: unknown,
  expected: ExpectedReceipt,
  bundle: AgentBundle,
  at: Date,
): Promise<ReceiptClaims> {
  const { signer, claims } = await verifySigned(jws, RECEIPT_TYPE, receiptClaims, bundle, at);
  expect('agent', signer.text, expected.signer);
  expect('execution', claims.execution, expected.execution);
  expect('step', claims.step, expected.step);
  expect('attempt', claims.attempt, expected.attempt);
  expect('permit', claims.nonce, expected.nonce);
  const digests = expected.grants.map(sha256);
  if (!digests.includes(claims.grant_digest)) expect('grant', claims.grant_digest, digests[0]);
  return claims;
}

/** @throws ReceiptError unless it answers this question by this agent. */
export async function checkSettlement(
  jws: unknown,
  expected: { readonly signer: string; readonly execution: string; readonly step: string; readonly nonce: string },
  bundle: AgentBundle,
  at: Date,
): Promise<SettlementClaims> {
  const { signer, claims } = await verifySigned(jws, SETTLEMENT_TYPE, settlementClaims, bundle, at);
  expect('agent', signer.text, expected.signer);
  expect('execution', claims.execution, expected.execution);
  expect('step', claims.step, expected.step);
  expect('question', claims.nonce, expected.nonce);
  return claims;
}

/** Who claims; whether its SVID fits the queue is for the caller to judge. @throws ReceiptError */
export async function checkClaim(jws: unknown, nonce: string, bundle: AgentBundle, at: Date): Promise<SpiffeId> {
  const { signer, claims } = await verifySigned(jws, CLAIM_TYPE, claimedClaims, bundle, at);
  expect('question', claims.nonce, nonce);
  return signer;
}

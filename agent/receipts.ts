import type { KeyObject } from 'node:crypto';
import { CompactSign } from 'jose';
import type { SpiffeId } from '../config/spiffe-id.ts';
import {
  type ActionOutput,
  type ActionResult,
  CLAIM_TYPE,
  type ClaimedClaims,
  RECEIPT_TYPE,
  type ReceiptClaims,
  SETTLEMENT_TYPE,
  type SettlementClaims,
} from '../workflows/contract.ts';
import { beginningWithin, endWithin } from './output-tail.ts';

/** This host's own proof of who it is, as it stands now; replaced when its files change. */
export type OwnSvid = {
  readonly id: SpiffeId;
  /** Leaf first. */ readonly chainDer: readonly Uint8Array[];
  readonly key: KeyObject;
};
export type SvidHolder = { readonly current: () => OwnSvid };

/** Signs this agent's answers as compact JWS that carry the certificate chain. */
export type ReceiptSigner = {
  readonly receipt: (claims: Omit<ReceiptClaims, 'iss'>) => Promise<string>;
  readonly settlement: (claims: Omit<SettlementClaims, 'iss'>) => Promise<string>;
  readonly claim: (claims: Omit<ClaimedClaims, 'iss'>) => Promise<string>;
};

/** @throws Error when the SVID's key is of a kind that receipts are not signed with. */
export function createReceiptSigner(svid: SvidHolder): ReceiptSigner {
  algorithmOf(svid.current().key);
  const sign = async (type: string, claims: object): Promise<string> => {
    const { id, chainDer, key } = svid.current();
    const payload = new TextEncoder().encode(JSON.stringify({ iss: id.text, ...claims }));
    const x5c = chainDer.map((certificate) => Buffer.from(certificate).toString('base64'));
    return new CompactSign(payload).setProtectedHeader({ alg: algorithmOf(key), typ: type, x5c }).sign(key);
  };
  return {
    receipt: (claims) => sign(RECEIPT_TYPE, { ...claims, result: boundedResult(claims.result) }),
    settlement: ({ answer, ...claims }) => sign(SETTLEMENT_TYPE, { ...claims, answer: boundedAnswer(answer) }),
    claim: (claims) => sign(CLAIM_TYPE, claims),
  };
}

function algorithmOf(key: KeyObject): string {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1') return 'ES256';
  if (curve === 'secp384r1') return 'ES384';
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const kind = curve ?? key.asymmetricKeyType ?? 'unknown';
  throw new Error(
    `the SVID's key is of the kind ${kind}; receipts are signed with P-256, P-384 or RSA keys: issue another`,
  );
}

const MESSAGE_BYTES = 1024;
const TAIL_BYTES = 4096;
const HEAD_BYTES = 2048;
const MAX_FACTS = 64;
const FACT_BYTES = 256;

/** Whatever an action says, an answer stays small enough for every queue on its way. */
export function boundedResult(result: ActionResult): ActionResult {
  switch (result.status) {
    case 'done':
      return { ...result, output: boundedOutput(result.output) };
    case 'failed':
      return {
        ...result,
        message: beginningWithin(result.message, MESSAGE_BYTES),
        output: boundedOutput(result.output),
      };
    default:
      return { ...result, message: beginningWithin(result.message, MESSAGE_BYTES) };
  }
}

function boundedAnswer(answer: SettlementClaims['answer']): SettlementClaims['answer'] {
  return answer.state === 'ended' ? { ...answer, result: boundedResult(answer.result) } : answer;
}

function boundedOutput(output: ActionOutput): ActionOutput {
  const facts = Object.entries(output.facts).slice(0, MAX_FACTS);
  return {
    ...output,
    facts: Object.fromEntries(
      facts.map(([name, value]) => [name, typeof value === 'string' ? beginningWithin(value, FACT_BYTES) : value]),
    ),
    ...(typeof output.head === 'string' && { head: beginningWithin(output.head, HEAD_BYTES) }),
    tail: output.tail === null ? null : endWithin(output.tail, TAIL_BYTES),
  };
}

import { createPublicKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import { z } from 'zod';
import {
  type ActionOrder,
  type ClaimClaims,
  GRANT_TYPE,
  type GrantClaims,
  ORDER_TYPE,
  PROTOCOL,
  type SettleClaims,
  type SignedOrder,
} from '../workflows/contract.ts';
import { digestOf } from './digest.ts';
import { RefusalError } from './refusal.ts';

/** How far ahead a coordinator's clock may be. */
const SKEW_MS = 5000;
const MAX_JWS = 16 * 1024;
const MAX_ATTEMPT = 1000;
const MAX_TIMEOUT_MS = 24 * 3_600_000;
/** No order is good for longer: a grant that asks for more could raise the ledger's floor above honest ones. */
const MAX_VALID_MS = 15 * 60_000;

/** Whom and what an order must be for. */
export type Addressee = {
  /** This agent's SPIFFE id. */
  readonly id: string;
  readonly machineId: string;
  /** Task queues that this agent's SVID fits. */
  readonly queues: readonly string[];
};

/** Checks orders of coordinators. Each method @throws RefusalError with a stable code. */
export type OrderVerifier = {
  /** What is signed, by whom and for whom. What holds for it now is `checkGrant`'s to say, after a look into the ledger. */
  readonly openGrant: (order: ActionOrder, to: Addressee) => Promise<GrantClaims>;
  /** `now`: the later of the own clock and the server's, in milliseconds. */
  readonly checkGrant: (claims: GrantClaims, order: ActionOrder, to: Addressee, now: number) => void;
  readonly settle: (order: SignedOrder, to: Addressee, now: number) => Promise<SettleClaims>;
  readonly claim: (order: SignedOrder, to: Addressee, now: number) => Promise<ClaimClaims>;
};

const id = z.string().min(1).max(512);
const instant = z.number().int().nonnegative();
const attempt = z.number().int().min(1).max(MAX_ATTEMPT);
const grantClaims = z.object({
  iss: id,
  sub: id,
  jti: id,
  iat: instant,
  machine_id: z.string().max(128).nullable(),
  execution: id,
  step: id,
  attempt,
  action: id,
  args_digest: id,
  plan: id,
  begin_by: instant,
  timeout_ms: z.number().int().min(1).max(MAX_TIMEOUT_MS),
  dry_run: z.boolean(),
  supersedes: attempt.nullable(),
});
const orderShared = { iss: id, jti: id, iat: instant, until: instant, execution: id, step: id };
const settleClaims = z.object({ kind: z.literal('settle'), sub: id, attempt, ...orderShared });
const claimClaims = z.object({ kind: z.literal('claim'), queue: id, ...orderShared });

/**
 * @param grantKeys SPKI PEM of the coordinators' Ed25519 public keys: one, or two during a rotation.
 * @throws Error when a key is not an Ed25519 public key.
 */
export async function createOrderVerifier(issuer: string, grantKeys: readonly string[]): Promise<OrderVerifier> {
  const keys = await Promise.all(grantKeys.map(readKey));
  if (keys.length === 0)
    throw new Error('no grant key is configured; name at least one file in coordinator.grant_keys');
  const open = async <T extends { iss: string }>(jws: unknown, type: string, schema: z.ZodType<T>): Promise<T> => {
    const claims = parseClaims(await verifySignature(jws, type, keys), schema);
    if (claims.iss === issuer) return claims;
    throw new RefusalError(
      'grant_other_issuer',
      `the order was issued by ${claims.iss}; this agent takes orders of ${issuer}`,
    );
  };
  return {
    async openGrant(order, to) {
      try {
        const claims = await open(order?.grant, GRANT_TYPE, grantClaims);
        checkSubject(claims.sub, to);
        return claims;
      } catch (error) {
        // Another protocol may well have other claims: say that, not that they are wrong.
        if (error instanceof RefusalError && error.code === 'grant_malformed') checkProtocol(order);
        throw error;
      }
    },
    checkGrant(claims, order, to, now) {
      checkProtocol(order);
      checkIssued(claims, now);
      if (claims.machine_id !== null && claims.machine_id !== to.machineId) {
        throw new RefusalError(
          'grant_other_machine',
          'the order is for another machine of this name; its machine id is not the pinned one',
        );
      }
      if (digestOfArgs(order) !== claims.args_digest) {
        throw new RefusalError('grant_args_differ', 'the arguments are not those that the order was signed for');
      }
      if (claims.supersedes !== null && claims.supersedes >= claims.attempt) {
        throw new RefusalError('grant_malformed', 'the order supersedes an attempt that does not come before it');
      }
      if (claims.begin_by > claims.iat * 1000 + MAX_VALID_MS) {
        throw new RefusalError('grant_malformed', 'the order may begin later than 15 minutes after it was issued');
      }
      checkBeginBy(claims, now);
    },
    async settle(order, to, now) {
      checkProtocol(order);
      const claims = await open(order.order, ORDER_TYPE, settleClaims);
      checkSubject(claims.sub, to);
      checkIssued(claims, now);
      checkUntil(claims.until, now);
      return claims;
    },
    async claim(order, to, now) {
      checkProtocol(order);
      const claims = await open(order.order, ORDER_TYPE, claimClaims);
      if (!to.queues.includes(claims.queue)) {
        throw new RefusalError(
          'grant_other_node',
          `the order asks the queue ${claims.queue}; this agent polls ${to.queues.join(', ')}`,
        );
      }
      checkIssued(claims, now);
      checkUntil(claims.until, now);
      return claims;
    },
  };
}

function checkIssued({ iat }: { readonly iat: number }, now: number): void {
  if (iat * 1000 <= now + SKEW_MS) return;
  throw new RefusalError('grant_from_future', `the order was issued ${iat * 1000 - now} ms ahead of this host's clock`);
}

/** @throws RefusalError `grant_expired` when it is too late to begin. */
export function checkBeginBy(claims: Pick<GrantClaims, 'begin_by'>, now: number): void {
  if (now <= claims.begin_by) return;
  throw new RefusalError('grant_expired', `the action had to begin ${now - claims.begin_by} ms ago`);
}

/** What a grant says of itself, unproven: so that even a refusal names what it refuses. Null when it says nothing readable. */
export function unprovenClaims(jws: unknown): GrantClaims | null {
  try {
    const payload = String(jws).slice(0, MAX_JWS).split('.')[1] ?? '';
    const claims = grantClaims.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    return claims.success ? claims.data : null;
  } catch {
    return null;
  }
}

type GrantKey = { readonly key: KeyObject; readonly thumbprint: string };

async function readKey(pem: string, index: number): Promise<GrantKey> {
  const refuse = (why: string, cause?: unknown): Error =>
    new Error(`grant key ${index + 1} ${why}; give an Ed25519 public key as PEM ("BEGIN PUBLIC KEY")`, { cause });
  if (pem.includes('PRIVATE KEY')) throw refuse('is a private key, which must stay on the coordinators');
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw refuse('cannot be read', error);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw refuse(`is of the kind ${key.asymmetricKeyType ?? 'unknown'}`);
  return { key, thumbprint: await calculateJwkThumbprint(key.export({ format: 'jwk' })) };
}

function checkProtocol(order: { readonly protocol: number }): void {
  const spoken: unknown = order?.protocol;
  if (spoken === PROTOCOL || (PROTOCOL > 1 && spoken === PROTOCOL - 1)) return;
  throw new RefusalError(
    'protocol_unsupported',
    `the order speaks protocol ${String(spoken).slice(0, 20)}; this agent speaks ${PROTOCOL}`,
  );
}

async function verifySignature(jws: unknown, type: string, keys: readonly GrantKey[]): Promise<Uint8Array> {
  if (jws === undefined || jws === null || jws === '')
    throw new RefusalError('grant_missing', 'the order carries no signed grant');
  const { kid } = readHeader(jws);
  if (kid !== undefined && !keys.some(({ thumbprint }) => thumbprint === kid)) {
    throw new RefusalError(
      'grant_unknown_key',
      'the order is signed with a key that is not among coordinator.grant_keys of this agent',
    );
  }
  for (const { key } of keys.filter(({ thumbprint }) => kid === undefined || thumbprint === kid)) {
    const verified = await compactVerify(jws as string, key, { algorithms: ['Ed25519'] }).catch(() => null);
    if (verified === null) continue;
    if (verified.protectedHeader.typ === type) return verified.payload;
    throw new RefusalError(
      'grant_malformed',
      `the order is of the type ${JSON.stringify(verified.protectedHeader.typ ?? '')}, not ${type}`,
    );
  }
  throw new RefusalError('grant_signature', "the order's signature is not one of this agent's coordinators");
}

function readHeader(jws: unknown): ProtectedHeaderParameters {
  const malformed = (why: string): RefusalError => new RefusalError('grant_malformed', `the order ${why}`);
  if (typeof jws !== 'string') throw malformed('is not a text');
  if (jws.length > MAX_JWS) throw malformed(`is longer than ${MAX_JWS} characters`);
  if (!COMPACT.test(jws)) throw malformed('is not a compact JWS');
  let header: ProtectedHeaderParameters;
  try {
    header = decodeProtectedHeader(jws);
  } catch {
    throw malformed('has no readable header');
  }
  const { kid, crit } = header;
  // Whoever signs a header that must be understood means something that this agent does not know.
  if (crit !== undefined) throw malformed('demands header fields that this agent does not know');
  if (kid !== undefined && typeof kid !== 'string') throw malformed('names its key by something else than a text');
  return header;
}

/** Three parts of base64url; an unsigned one is refused for its missing signature. */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

function parseClaims<T>(payload: Uint8Array, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
    value = JSON.parse(text);
    // Two members of one name would mean one thing to one reader and another to the next. Coordinators write with this very function.
    if (JSON.stringify(value) !== text) throw new Error('not as JSON.stringify writes it');
  } catch {
    throw new RefusalError('grant_malformed', "the order's payload is not JSON as coordinators write it");
  }
  const claims = schema.safeParse(value);
  if (claims.success) return claims.data;
  const names = [...new Set(claims.error.issues.map((issue) => String(issue.path[0] ?? '')))].join(', ');
  throw new RefusalError('grant_malformed', `the order's claims are missing or wrong: ${names}`);
}

function checkSubject(sub: string, to: Addressee): void {
  if (sub === to.id) return;
  throw new RefusalError('grant_other_node', `the order is for ${sub}; this agent is ${to.id}`);
}

function checkUntil(until: number, now: number): void {
  if (now > until) throw new RefusalError('grant_expired', `the order had to be answered ${now - until} ms ago`);
}

function digestOfArgs(order: ActionOrder): string {
  const args: unknown = order.args;
  const plain = typeof args === 'object' && args !== null && !Array.isArray(args);
  if (!plain) throw new RefusalError('args_invalid', 'the order carries no arguments object');
  try {
    return digestOf(args);
  } catch (error) {
    throw new RefusalError('args_invalid', `the arguments cannot be written exactly: ${(error as Error).message}`);
  }
}

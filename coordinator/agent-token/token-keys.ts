/** The key that signs agents' Temporal credentials, and what Temporal checks them by. Temporal's own provider knows RS256 and ES256 only. */
import { createPrivateKey, createPublicKey, randomUUID, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose';
import type { AgentTokensConfig } from '../../config/coordinator.ts';

export class TokenKeyError extends Error {
  override readonly name = 'TokenKeyError';
}

export type TokenKeys = {
  readonly key: KeyObject;
  readonly alg: 'ES256' | 'RS256';
  readonly kid: string;
  /** Public halves only: of the key that signs, and of the previous ones. */
  readonly jwks: { readonly keys: readonly JWK[] };
};

const MIN_RSA_BITS = 2048;
const NEXT = 'make one with: fettle ca token-key';

/** @throws TokenKeyError for a file that is missing, of another kind, or readable by others */
export async function readTokenKeys({
  key: file,
  previousKeys,
}: Pick<AgentTokensConfig, 'key' | 'previousKeys'>): Promise<TokenKeys> {
  const key = await readPrivate(file);
  const own = await toJwk(createPublicKey(key), file);
  const previous = await Promise.all(previousKeys.map(async (one) => toJwk(await readPublic(one), one)));
  const others = previous.filter(({ kid }) => kid !== own.kid);
  return { key, alg: own.alg, kid: own.kid, jwks: { keys: [own, ...others] } };
}

async function readPrivate(file: string): Promise<KeyObject> {
  const pem = await readPem(file);
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) throw new TokenKeyError(`${file} can be read by others; run: chmod 600 ${file}`);
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's own words stay out of it: they may quote the text of a key.
    throw new TokenKeyError(`${file} holds no private key in PEM; ${NEXT}`);
  }
}

async function readPublic(file: string): Promise<KeyObject> {
  const pem = await readPem(file);
  try {
    return createPublicKey(pem);
  } catch {
    throw new TokenKeyError(`${file} holds no key in PEM; name the file of the key before, or of its public half`);
  }
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TokenKeyError(`cannot read the token key ${file}; ${NEXT}`, { cause });
  }
}

async function toJwk(key: KeyObject, file: string): Promise<JWK & { alg: 'ES256' | 'RS256'; kid: string }> {
  const alg = algorithmOf(key, file);
  const jwk = key.export({ format: 'jwk' }) as JWK;
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), use: 'sig', alg };
}

function algorithmOf(key: KeyObject, file: string): 'ES256' | 'RS256' {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ES256';
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS) return 'RS256';
  const kind = details?.namedCurve ?? (type === 'rsa' ? `RSA of ${details?.modulusLength} bits` : type);
  throw new TokenKeyError(`${file} holds a key of the kind ${kind}; Temporal checks P-256 and RSA keys only; ${NEXT}`);
}

/** A server whose clock is a little behind would refuse a token of its future. */
const CLOCK_SLACK_S = 30;

export type TemporalToken = {
  readonly subject: string;
  readonly issuer?: string;
  /** As Temporal's authorizer reads them: `NAMESPACE:read|write|admin`. */
  readonly permissions: readonly string[];
  readonly expires: Date;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

export function signToken(
  { key, alg, kid }: Pick<TokenKeys, 'key' | 'alg' | 'kid'>,
  { subject, issuer, permissions, expires, now }: TemporalToken,
): Promise<string> {
  const token = new SignJWT({ permissions })
    .setProtectedHeader({ alg, typ: 'JWT', kid })
    .setSubject(subject)
    .setJti(randomUUID())
    .setIssuedAt(Math.floor(now / 1000) - CLOCK_SLACK_S)
    .setExpirationTime(Math.floor(expires.getTime() / 1000));
  if (issuer !== undefined) token.setIssuer(issuer);
  return token.sign(key);
}

/** @throws TokenKeyError */
export const signTemporalToken = async (keyFile: string, token: TemporalToken): Promise<string> =>
  signToken(await readTokenKeys({ key: keyFile, previousKeys: [] }), token);

/** Signs the coordinator's orders: grants for actions, questions to settle or to claim. The key stays in this process. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { SignJWT } from 'jose';
import {
  GRANT_TYPE,
  ORDER_TYPE,
  type ClaimClaims,
  type GrantClaims,
  type SettleClaims,
} from '../../workflows/contract.ts';

export class GrantKeyError extends Error {
  override readonly name = 'GrantKeyError';
}

/** @throws GrantKeyError for a file that is missing, no Ed25519 private key, or readable by others. */
export async function readGrantKey(file: string): Promise<KeyObject> {
  const next = 'make one with: fettle ca grant-key';
  let pem: string;
  try {
    pem = await readFile(file, 'utf8');
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) throw new GrantKeyError(`${file} can be read by others; run: chmod 600 ${file}`);
  } catch (cause) {
    if (cause instanceof GrantKeyError) throw cause;
    throw new GrantKeyError(`cannot read the grant key ${file}; ${next}`, { cause });
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new GrantKeyError(`${file} holds no private key in PEM; ${next}`, { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new GrantKeyError(`${file} holds a ${key.asymmetricKeyType} key, not Ed25519; ${next}`);
  return key;
}

export type Signer = {
  readonly issuer: string;
  /** Deterministic: the same claims give the same grant, so re-signing never moves a begin-by. */
  readonly grant: (claims: Omit<GrantClaims, 'iss'>) => Promise<string>;
  readonly settle: (claims: Omit<SettleClaims, 'iss'>) => Promise<string>;
  readonly claim: (claims: Omit<ClaimClaims, 'iss'>) => Promise<string>;
};

export function createSigner(key: KeyObject, issuer: string): Signer {
  const sign = (typ: string, claims: object): Promise<string> =>
    new SignJWT({ ...claims, iss: issuer }).setProtectedHeader({ alg: 'Ed25519', typ }).sign(key);
  return {
    issuer,
    grant: (claims) => sign(GRANT_TYPE, claims),
    settle: (claims) => sign(ORDER_TYPE, claims),
    claim: (claims) => sign(ORDER_TYPE, claims),
  };
}

import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { parseSpiffeId, type SpiffeId } from '../config/spiffe-id.ts';
import { errorMessage } from './error-message.ts';
import { CA, LEAF, mint, type Issuer, type MintOptions } from './mint.ts';

/** A certificate authority of files, for development and small fleets: one P-256 key without any protection but its mode. */
export class DevCaError extends Error {
  override readonly name = 'DevCaError';
}

/** Marks our own CAs; `issue` signs with no other, lest a real CA's key come to lie here. */
const MARK = 'Fettle development CA';
const CA_YEARS = 5;
const HOUR_MS = 3_600_000;
/** Certificates begin a little in the past, so that a host whose clock is behind accepts them. */
const BACKDATE_MS = 5 * 60_000;

export type WrittenCa = { readonly bundle: string; readonly key: string; readonly trustDomain: string };
export type WrittenSvid = {
  readonly id: SpiffeId;
  readonly certificate: string;
  readonly key: string;
  readonly bundle: string;
  readonly notAfter: Date;
};
export type WrittenGrantKey = { readonly privateKey: string; readonly publicKey: string };

/**
 * Makes a CA for one trust domain: `bundle.pem` (to hand out) and `ca.key` (0600) in `dir`.
 * @throws DevCaError when there is one already, or the name is no trust domain
 */
export async function initCa(dir: string, trustDomain: string): Promise<WrittenCa> {
  checkTrustDomain(trustDomain);
  const now = Date.now();
  const { certificate, key } = mint({
    ...CA,
    issuer: null,
    commonName: `${MARK} of ${trustDomain}`,
    uris: [`spiffe://${trustDomain}`],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + CA_YEARS * 365 * 24 * HOUR_MS),
    pathLength: 1,
  });
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const written = { bundle: join(dir, 'bundle.pem'), key: join(dir, 'ca.key'), trustDomain };
  await writeAllNew([
    { file: written.key, text: keyPem(key), mode: 0o600 },
    { file: written.bundle, text: certificate.toString(), mode: 0o644 },
  ]);
  return written;
}

export type IssueOptions = {
  readonly caDir: string;
  readonly id: string;
  /** Folder for `svid.pem`, `svid.key` (0600) and `bundle.pem`; made when absent. */
  readonly out: string;
  /** Life of the certificate; default 24. */
  readonly hours?: number;
  /** Replaces an SVID of the same id that is there already; without it nothing is ever overwritten. */
  readonly renew?: boolean;
  /** Tests: anything of the certificate that shall be otherwise. */
  readonly override?: Partial<MintOptions>;
};

/** Issues one SVID. @throws DevCaError saying what is in the way */
export async function issue(options: IssueOptions): Promise<WrittenSvid> {
  const issuer = await readCa(options.caDir);
  const id = parseId(options.id);
  if (id.trustDomain !== issuer.trustDomain) {
    throw new DevCaError(
      `this CA is for ${issuer.trustDomain}, the id is of ${id.trustDomain}; write spiffe://${issuer.trustDomain}${id.path}`,
    );
  }
  const hours = options.hours ?? 24;
  if (!(hours > 0 && hours <= 24 * 366))
    throw new DevCaError(`${hours} hours is not a life for a certificate; write 1 to 8784`);
  const { certificate, key } = mint({
    ...LEAF,
    issuer,
    commonName: id.path.slice(1).split('/').at(-1) ?? null,
    uris: [id.text],
    notBefore: new Date(Date.now() - BACKDATE_MS),
    notAfter: new Date(Date.now() + hours * HOUR_MS),
    ...options.override,
  });
  const { out } = options;
  const written = { certificate: join(out, 'svid.pem'), key: join(out, 'svid.key'), bundle: join(out, 'bundle.pem') };
  await mkdir(out, { recursive: true, mode: 0o755 });
  if (options.renew === true) await refuseOtherId(written.certificate, id);
  const files = [
    { file: written.key, text: keyPem(key), mode: 0o600 },
    { file: written.certificate, text: certificate.toString(), mode: 0o644 },
    { file: written.bundle, text: issuer.certificate.toString(), mode: 0o644 },
  ];
  await (options.renew === true ? replaceAll(files) : writeAllNew(files));
  return { id, ...written, notAfter: new Date(certificate.validTo) };
}

/** The coordinators' grant key pair: `grant.key` (Ed25519, PKCS#8, 0600) and `grant.pub` (SPKI), for every agent. */
export async function makeGrantKey(out: string): Promise<WrittenGrantKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  await mkdir(out, { recursive: true, mode: 0o755 });
  const written = { privateKey: join(out, 'grant.key'), publicKey: join(out, 'grant.pub') };
  await writeAllNew([
    { file: written.privateKey, text: keyPem(privateKey), mode: 0o600 },
    { file: written.publicKey, text: publicKey.export({ type: 'spki', format: 'pem' }).toString(), mode: 0o644 },
  ]);
  return written;
}

export type WrittenTokenKey = { readonly privateKey: string; readonly jwks: string };

/**
 * The coordinators' token key: `agent-token.key` (ECDSA P-256, PKCS#8, 0600), and `agent-token.jwks.json`, by which Temporal's authorizer checks
 * what it signed.
 */
export async function makeTokenKey(out: string): Promise<WrittenTokenKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' }) as JWK;
  const keys = [{ ...jwk, kid: await calculateJwkThumbprint(jwk), use: 'sig', alg: 'ES256' }];
  await mkdir(out, { recursive: true, mode: 0o755 });
  const written = { privateKey: join(out, 'agent-token.key'), jwks: join(out, 'agent-token.jwks.json') };
  await writeAllNew([
    { file: written.privateKey, text: keyPem(privateKey), mode: 0o600 },
    { file: written.jwks, text: `${JSON.stringify({ keys }, null, 2)}\n`, mode: 0o644 },
  ]);
  return written;
}

/** The CA in a folder, as `initCa` made it. @throws DevCaError */
export async function readCa(dir: string): Promise<Issuer & { readonly trustDomain: string }> {
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(await readFile(join(dir, 'bundle.pem')));
    key = createPrivateKey(await readFile(join(dir, 'ca.key')));
  } catch (error) {
    throw new DevCaError(`${dir}: no usable CA in it (bundle.pem, ca.key); make one with: fettle ca init`, {
      cause: error,
    });
  }
  const trustDomain = new RegExp(`^CN=${MARK} of ([a-z0-9._-]+)$`, 'm').exec(certificate.subject)?.[1];
  const uri = /URI:spiffe:\/\/([a-z0-9._-]+)/.exec(certificate.subjectAltName ?? '')?.[1];
  if (trustDomain === undefined || uri === undefined) {
    throw new DevCaError(`${dir}: this CA was not made by fettle ca init; keep real CAs out of reach of this command`);
  }
  return { certificate, key, trustDomain: uri };
}

function parseId(text: string): SpiffeId {
  try {
    return parseSpiffeId(text);
  } catch (error) {
    throw new DevCaError(errorMessage(error), { cause: error });
  }
}

function checkTrustDomain(trustDomain: string): void {
  if (/^[a-z0-9._-]{1,255}$/.test(trustDomain)) return;
  throw new DevCaError(
    `${JSON.stringify(trustDomain)} is not a trust domain; write 1-255 of a-z 0-9 . _ -, such as example.com`,
  );
}

async function refuseOtherId(file: string, id: SpiffeId): Promise<void> {
  let pem: Buffer;
  try {
    pem = await readFile(file);
  } catch {
    return;
  }
  if (new X509Certificate(pem).subjectAltName === `URI:${id.text}`) return;
  throw new DevCaError(`${file}: holds another id than ${id.text}; choose another folder`);
}

type NewFile = { readonly file: string; readonly text: string; readonly mode: number };

/** Writes all files or none; never over one that is there. */
async function writeAllNew(files: readonly NewFile[]): Promise<void> {
  const made: string[] = [];
  for (const { file, text, mode } of files) {
    try {
      await using handle = await open(file, 'wx', mode);
      made.push(file);
      await handle.writeFile(text);
      await handle.sync();
    } catch (error) {
      for (const done of made) await rm(done, { force: true });
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      const why = exists ? 'is there already and is not overwritten' : `cannot be written: ${errorMessage(error)}`;
      throw new DevCaError(`${file}: ${why}`, { cause: error });
    }
  }
}

/** Replaces each file by rename. Between key and certificate they do not fit: readers keep their old pair for that moment. */
async function replaceAll(files: readonly NewFile[]): Promise<void> {
  for (const { file, text, mode } of files) {
    const next = `${file}.new`;
    await rm(next, { force: true });
    await writeAllNew([{ file: next, text, mode }]);
    await rename(next, file);
  }
}

const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** A file of mode 0600; one that is there is replaced only when that is meant. @throws DevCaError */
export const writeSecret = (file: string, text: string, replace: boolean): Promise<void> =>
  (replace ? replaceAll : writeAllNew)([{ file, text, mode: 0o600 }]);

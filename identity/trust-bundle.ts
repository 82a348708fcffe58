import { X509Certificate } from 'node:crypto';
import { readCertificateFacts } from './certificate-facts.ts';
import { errorMessage } from './error-message.ts';

/** The certificates that may sign for one trust domain. */
export type TrustBundle = {
  readonly trustDomain: string;
  readonly pem: string;
  readonly certificates: readonly X509Certificate[];
};

/** One bundle for each trust domain. Merging them would let one domain's CA forge the ids of another. */
export type TrustBundles = ReadonlyMap<string, TrustBundle>;

export class TrustBundleError extends Error {
  override readonly name = 'TrustBundleError';
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** The certificates in a PEM text, in their order; whatever stands between them is ignored. @throws when one cannot be read. */
export const parsePemCertificates = (pem: string): X509Certificate[] =>
  (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block));

/** @throws TrustBundleError when the text holds no certificate, or one that is not a CA of this trust domain. */
export function parseTrustBundle(trustDomain: string, pem: string): TrustBundle {
  const refuse = (why: string, cause?: unknown): never => {
    throw new TrustBundleError(`the bundle of ${trustDomain} ${why}`, { cause });
  };
  let certificates: X509Certificate[];
  try {
    certificates = parsePemCertificates(pem);
  } catch (error) {
    return refuse(`holds a certificate that cannot be read: ${errorMessage(error)}`, error);
  }
  if (certificates.length === 0) return refuse('holds no certificate; write the PEM of each CA certificate into it');
  for (const certificate of certificates) {
    const facts = readCertificateFacts(certificate.raw);
    if (facts.basicConstraints?.ca !== true) {
      return refuse(`holds a certificate that is not a CA (serial ${certificate.serialNumber})`);
    }
    const uris = facts.subjectAltName?.uris ?? [];
    const other = uris.find((uri) => uri.startsWith('spiffe:') && uri !== `spiffe://${trustDomain}`);
    if (other !== undefined) return refuse(`holds the CA of another trust domain (${other})`);
  }
  return { trustDomain, pem: certificates.map((certificate) => certificate.toString()).join(''), certificates };
}

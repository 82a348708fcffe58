import { X509Certificate, type KeyObject } from 'node:crypto';
import { parseSpiffeId, type SpiffeId } from '../config/spiffe-id.ts';
import { errorMessage } from './error-message.ts';
import { EKU, readCertificateFacts, type CertificateFacts } from './certificate-facts.ts';
import type { TrustBundle, TrustBundles } from './trust-bundle.ts';

/** Why a certificate is no good X.509-SVID. Stable: answered to callers and shown in logs. */
export type SvidProblem =
  | 'certificate_malformed'
  | 'certificate_too_large'
  | 'certificate_no_uri'
  | 'certificate_two_uris'
  | 'certificate_bad_id'
  | 'certificate_is_ca'
  | 'certificate_no_key_usage'
  | 'certificate_key_usage_not_critical'
  | 'certificate_no_digital_signature'
  | 'certificate_may_sign'
  | 'certificate_extended_key_usage'
  | 'certificate_alt_name_not_critical'
  | 'certificate_unknown_critical'
  | 'certificate_weak_signature'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'certificate_other_trust_domain'
  | 'certificate_other_id'
  | 'certificate_unknown_trust_domain'
  | 'certificate_untrusted';

export class SvidError extends Error {
  override readonly name = 'SvidError';
  readonly code: SvidProblem;
  constructor(code: SvidProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type CheckedLeaf = {
  readonly id: SpiffeId;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
};

export type VerifiedSvid = CheckedLeaf & { readonly publicKey: KeyObject };

const MAX_CERTIFICATE_BYTES = 16 * 1024;
const MAX_CHAIN = 6;

/** ECDSA, RSA (PKCS#1 and PSS) with SHA-2, Ed25519: what the chain may be signed with. */
const SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.2.840.113549.1.1.10',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.3.101.112',
]);

/**
 * The rules of an X.509-SVID leaf that OpenSSL and Node do not check (SPIFFE X509-SVID, sections 2-5), dates at `at` included.
 * Says nothing about who signed it: pair it with TLS' own verdict, or use `verifySvidChain`.
 * @throws SvidError
 */
export function checkSvidLeaf(der: Buffer, at: Date): CheckedLeaf {
  const facts = readFacts(der);
  const id = readId(facts);
  if (facts.basicConstraints?.ca === true)
    throw new SvidError('certificate_is_ca', 'it is a CA certificate; show a leaf');
  checkLeafKeyUsage(facts);
  const eku = facts.extendedKeyUsage;
  if (eku !== null && !(eku.includes(EKU.serverAuth) && eku.includes(EKU.clientAuth))) {
    throw new SvidError(
      'certificate_extended_key_usage',
      'its extended key usage lacks serverAuth or clientAuth; set both or none',
    );
  }
  if (facts.subjectEmpty && facts.subjectAltName?.critical !== true) {
    throw new SvidError(
      'certificate_alt_name_not_critical',
      'its subject is empty and its alternative name is not marked critical',
    );
  }
  refuseUnknown(facts, 'it');
  checkDates(facts, at, 'it');
  return { id, notBefore: facts.notBefore, notAfter: facts.notAfter };
}

/** @throws SvidError `certificate_expired` or `certificate_not_yet_valid` */
export function checkDates(facts: Pick<CertificateFacts, 'notBefore' | 'notAfter'>, at: Date, which: string): void {
  // A certificate's dates have whole seconds and the last second still counts (RFC 5280, 4.1.2.5).
  if (at.getTime() >= facts.notAfter + 1000) {
    throw new SvidError(
      'certificate_expired',
      `${which} expired at ${new Date(facts.notAfter).toISOString()}; renew it`,
    );
  }
  if (at.getTime() < facts.notBefore) {
    throw new SvidError(
      'certificate_not_yet_valid',
      `${which} is valid only from ${new Date(facts.notBefore).toISOString()}; check both clocks`,
    );
  }
}

/**
 * Checks a chain, leaf first, against the bundle of the leaf's own trust domain and no other, as of `at`.
 * For chains that did not come by TLS, e.g. those of receipts; does everything itself.
 * @throws SvidError
 */
export function verifySvidChain(chain: readonly Buffer[], bundles: TrustBundles, at: Date): VerifiedSvid {
  const [leafDer, ...others] = chain;
  if (leafDer === undefined) throw new SvidError('certificate_malformed', 'the chain is empty');
  if (chain.length > MAX_CHAIN)
    throw new SvidError('certificate_too_large', `the chain has more than ${MAX_CHAIN} certificates`);
  const leaf = checkSvidLeaf(leafDer, at);
  const bundle = bundles.get(leaf.id.trustDomain);
  if (bundle === undefined) {
    throw new SvidError(
      'certificate_unknown_trust_domain',
      `no bundle is configured for its trust domain ${leaf.id.trustDomain}`,
    );
  }
  const certificate = parse(leafDer);
  const intermediates = others.map((der) => ({ facts: readFacts(der), certificate: parse(der) }));
  findPath({ facts: readFacts(leafDer), certificate }, intermediates, bundle, at, 0);
  return { ...leaf, publicKey: certificate.publicKey };
}

type Link = { readonly facts: CertificateFacts; readonly certificate: X509Certificate };

/** Returns when a path leads from `link` to the bundle. `below` counts CA certificates already between it and the leaf. */
function findPath(link: Link, unused: readonly Link[], bundle: TrustBundle, at: Date, below: number): void {
  if (!SIGNATURES.has(link.facts.signatureAlgorithm)) {
    throw new SvidError(
      'certificate_weak_signature',
      `the signature algorithm ${link.facts.signatureAlgorithm} is not accepted`,
    );
  }
  let reason: unknown;
  const roots = bundle.certificates.map((certificate) => ({ facts: readFacts(certificate.raw), certificate }));
  for (const issuer of [...roots, ...unused]) {
    try {
      if (!signed(issuer.certificate, link.certificate)) continue;
      checkIssuer(issuer, bundle.trustDomain, at, below);
      if (roots.includes(issuer)) return;
      findPath(
        issuer,
        unused.filter((other) => other !== issuer),
        bundle,
        at,
        below + 1,
      );
      return;
    } catch (error) {
      // Another path may still lead to the bundle: remember why this one does not.
      reason ??= error;
    }
  }
  if (reason instanceof SvidError) throw reason;
  throw new SvidError(
    'certificate_untrusted',
    `it does not lead to a certificate in the bundle of ${bundle.trustDomain}`,
    { cause: reason },
  );
}

const signed = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

const refusedIssuer = (why: string): SvidError =>
  new SvidError('certificate_untrusted', `a certificate above it ${why}`);

function checkIssuer(issuer: Link, trustDomain: string, at: Date, below: number): void {
  const { basicConstraints, keyUsage, subjectAltName } = issuer.facts;
  if (basicConstraints?.ca !== true) throw refusedIssuer('is not a CA');
  if (keyUsage === null || !keyUsage.bits.has('keyCertSign')) throw refusedIssuer('may not sign certificates');
  if (basicConstraints.pathLength !== null && below > basicConstraints.pathLength)
    throw refusedIssuer('allows no further CA below it');
  // Signing certificates may carry the id of their trust domain, then without a path (SPIFFE X509-SVID, 3.2).
  const spiffe = (subjectAltName?.uris ?? []).filter((uri) => uri.toLowerCase().startsWith('spiffe:'));
  if (spiffe.some((uri) => uri !== `spiffe://${trustDomain}`))
    throw refusedIssuer('carries the id of another trust domain');
  refuseUnknown(issuer.facts, 'a certificate above it');
  checkDates(issuer.facts, at, 'a certificate above it');
}

function readFacts(der: Buffer): CertificateFacts {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    throw new SvidError('certificate_too_large', `a certificate is larger than ${MAX_CERTIFICATE_BYTES} bytes`);
  }
  try {
    return readCertificateFacts(der);
  } catch (error) {
    throw new SvidError('certificate_malformed', `it cannot be read: ${errorMessage(error)}`, { cause: error });
  }
}

function parse(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (error) {
    throw new SvidError('certificate_malformed', 'it cannot be read', { cause: error });
  }
}

function readId(facts: CertificateFacts): SpiffeId {
  const [uri, ...more] = facts.subjectAltName?.uris ?? [];
  if (uri === undefined)
    throw new SvidError('certificate_no_uri', 'it has no URI alternative name; an SVID has exactly one');
  if (more.length > 0) {
    throw new SvidError(
      'certificate_two_uris',
      `it has ${more.length + 1} URI alternative names; an SVID has exactly one`,
    );
  }
  try {
    return parseSpiffeId(uri);
  } catch (error) {
    throw new SvidError('certificate_bad_id', errorMessage(error), { cause: error });
  }
}

function checkLeafKeyUsage({ keyUsage }: CertificateFacts): void {
  if (keyUsage === null)
    throw new SvidError('certificate_no_key_usage', 'it has no key usage; set digitalSignature, critical');
  if (!keyUsage.critical)
    throw new SvidError('certificate_key_usage_not_critical', 'its key usage is not marked critical');
  if (keyUsage.bits.has('keyCertSign') || keyUsage.bits.has('cRLSign')) {
    throw new SvidError('certificate_may_sign', 'its key usage has keyCertSign or cRLSign; a leaf may have neither');
  }
  if (!keyUsage.bits.has('digitalSignature')) {
    throw new SvidError('certificate_no_digital_signature', 'its key usage lacks digitalSignature');
  }
}

function refuseUnknown(facts: CertificateFacts, which: string): void {
  if (facts.unknownBinding.length === 0) return;
  throw new SvidError(
    'certificate_unknown_critical',
    `${which} has extensions that are not understood here: ${facts.unknownBinding.join(', ')}`,
  );
}

import type { TLSSocket } from 'node:tls';
import { checkDates, checkSvidLeaf, SvidError, verifySvidChain, type CheckedLeaf } from '../../identity/svid.ts';
import { errorMessage } from '../../identity/error-message.ts';
import type { TrustBundles } from '../../identity/trust-bundle.ts';
import type { RequestPeer } from '../http/peer.ts';

/** What the handshake told about the other end; the dates are judged again at each request. */
export type ClientCertificate =
  | { readonly kind: 'none' }
  | { readonly kind: 'svid'; readonly leaf: CheckedLeaf; readonly der: Buffer }
  | { readonly kind: 'bad'; readonly code: string; readonly message: string };

/** OpenSSL's verdicts that say more than "not trusted". */
const VERDICTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'certificate_expired',
  CERT_NOT_YET_VALID: 'certificate_not_yet_valid',
  CERT_REVOKED: 'certificate_revoked',
};

/**
 * Judges a client's certificate once, after the handshake: our own SVID rules, the trust domain of the context it was checked in, and
 * OpenSSL's verdict on the chain. All three must agree.
 */
export function judgeClient(socket: TLSSocket, trustDomain: string, bundles: TrustBundles): ClientCertificate {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: 'none' };
  try {
    const leaf = checkSvidLeaf(certificate.raw, new Date());
    checkDomain(leaf, trustDomain, bundles);
    if (!socket.authorized) throw refusedByTls(socket);
    return { kind: 'svid', leaf, der: certificate.raw };
  } catch (error) {
    const code = error instanceof SvidError || error instanceof RefusedByTls ? error.code : 'certificate_malformed';
    return { kind: 'bad', code, message: errorMessage(error) };
  }
}

/** The verdict on one request over that connection. */
export function judgeRequest(client: ClientCertificate): RequestPeer['verdict'] {
  if (client.kind === 'bad') return { kind: 'rejected', code: client.code, message: client.message };
  if (client.kind === 'none') return { kind: 'caller', caller: { kind: 'anonymous' } };
  try {
    // All else was judged at the handshake and cannot change.
    checkDates(client.leaf, new Date(), 'it');
  } catch (error) {
    const code = error instanceof SvidError ? error.code : 'certificate_malformed';
    return { kind: 'rejected', code, message: errorMessage(error) };
  }
  return { kind: 'caller', caller: { kind: 'identified', id: client.leaf.id } };
}

/** Whether a certificate that an earlier bundle vouched for still leads to the one of now. */
export function stillTrusted(client: ClientCertificate, bundles: TrustBundles): boolean {
  if (client.kind !== 'svid') return true;
  try {
    // Node 24 does not show the client's intermediates here: with some, the answer is no, and a new connection tells.
    verifySvidChain([client.der], bundles, new Date());
    return true;
  } catch {
    return false;
  }
}

class RefusedByTls extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function refusedByTls(socket: TLSSocket): RefusedByTls {
  const verdict = String(socket.authorizationError ?? 'not authorized');
  const message = `TLS says ${verdict}: it must lead to the bundle of its own trust domain`;
  return new RefusedByTls(VERDICTS[verdict] ?? 'certificate_untrusted', message);
}

function checkDomain({ id }: CheckedLeaf, trustDomain: string, bundles: TrustBundles): void {
  if (id.trustDomain === trustDomain) return;
  if (!bundles.has(id.trustDomain)) {
    throw new SvidError('certificate_unknown_trust_domain', `trust domain ${id.trustDomain} is not configured here`);
  }
  throw new SvidError(
    'certificate_other_trust_domain',
    `it is of ${id.trustDomain}, but the connection was made for ${trustDomain}; set the TLS server name to ${id.trustDomain}`,
  );
}

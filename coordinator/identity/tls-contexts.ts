import { constants } from 'node:crypto';
import tls from 'node:tls';
import type { Svid } from '../../identity/svid-source.ts';

/**
 * TLS settings of the listener: 1.3 only, HTTP/1.1 only, client certificates asked for but judged by ourselves as well, and no session
 * tickets: a resumed session would skip the judgement of a certificate that has expired or lost its CA since.
 */
export const tlsSettings = (svid: Svid): tls.SecureContextOptions & tls.TlsOptions => ({
  ...contextOptions(svid, svid.id.trustDomain),
  ALPNProtocols: ['http/1.1'],
  requestCert: true,
  // Public routes are for callers without a certificate; every other verdict needs `socket.authorized`.
  rejectUnauthorized: false,
});

/** What one trust domain's clients are checked with: their own bundle, never a merged one. */
export const contextOptions = (svid: Svid, trustDomain: string): tls.SecureContextOptions => {
  const ca = svid.bundles.get(trustDomain)?.pem;
  if (ca === undefined) throw new Error(`there is no bundle for ${trustDomain}`);
  return {
    cert: svid.chainPem,
    key: svid.keyPem,
    ca,
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
};

/** One secure context for each trust domain; clients choose by SNI, and without a known name get the own domain's. */
export const secureContexts = (svid: Svid): ReadonlyMap<string, tls.SecureContext> =>
  new Map([...svid.bundles.keys()].map((domain) => [domain, tls.createSecureContext(contextOptions(svid, domain))]));

/** The trust domain whose context a client with this SNI name was given. */
export const domainOfName = (svid: Svid, servername: string | false | null): string =>
  typeof servername === 'string' && svid.bundles.has(servername) ? servername : svid.id.trustDomain;

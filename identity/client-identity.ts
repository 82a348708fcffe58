import type { ConnectionOptions } from 'node:tls';
import type { Logger } from 'pino';
import { parseSpiffeId, type SpiffeId } from '../config/spiffe-id.ts';
import { openSvidSource, readTrustBundle, type SvidSource } from './svid-source.ts';
import { serverIdCheck } from './tls-peer.ts';
import type { TrustBundle } from './trust-bundle.ts';

/** Who a client is, and whom it trusts. */
export type ClientIdentity =
  | { readonly kind: 'svid'; readonly source: SvidSource }
  /** No certificate of its own, yet it checks the server's. */
  | { readonly kind: 'anonymous'; readonly bundle: TrustBundle }
  /** Plain HTTP on loopback: a coordinator with `enable_tls = false`. */
  | { readonly kind: 'none' };

export type ClientFiles = {
  readonly certificate: string | null;
  readonly key: string | null;
  readonly bundle: string;
  readonly coordinatorId: string;
};

/** Opens what a client profile names. Dispose of it after the client. @throws SvidSourceError, SpiffeIdError */
export async function openClientIdentity(
  files: ClientFiles,
  options: { readonly log: Pick<Logger, 'info' | 'warn' | 'error'> },
): Promise<ClientIdentity & AsyncDisposable> {
  const { certificate, key, bundle } = files;
  if ((certificate === null) !== (key === null)) {
    throw new Error('a certificate needs its key and a key its certificate; name both or neither');
  }
  if (certificate === null || key === null) {
    const { trustDomain } = parseSpiffeId(files.coordinatorId);
    const trusted = await readTrustBundle(trustDomain, bundle);
    return { kind: 'anonymous', bundle: trusted, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const source = await openSvidSource({ certificate, key, bundle, federated: [] }, options);
  return { kind: 'svid', source, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
}

/**
 * TLS options of one connection to the server of that id, with the identity as it is at this moment.
 * @throws Error when no bundle for the server's trust domain is configured
 */
export function clientTlsOptions(identity: ClientIdentity, server: SpiffeId): ConnectionOptions {
  if (identity.kind === 'none') throw new Error('no identity is configured, so https cannot be used; name a bundle');
  const svid = identity.kind === 'svid' ? identity.source.current() : null;
  const bundle = identity.kind === 'svid' ? svid?.bundles.get(server.trustDomain) : identity.bundle;
  if (bundle?.trustDomain !== server.trustDomain) {
    throw new Error(`no bundle for the coordinator's trust domain ${server.trustDomain} is configured`);
  }
  return {
    ca: bundle.pem,
    ...(svid === null ? {} : { cert: svid.chainPem, key: svid.keyPem }),
    // The server picks the bundle to check us against by this name.
    servername: svid?.id.trustDomain ?? server.trustDomain,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: true,
    checkServerIdentity: serverIdCheck(server),
  };
}

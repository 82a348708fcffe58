import type { PeerCertificate } from 'node:tls';
import type { SpiffeId } from '../config/spiffe-id.ts';
import { checkSvidLeaf, SvidError } from './svid.ts';

/**
 * For `checkServerIdentity` of a TLS client: the full SVID check of the server's certificate instead of a host name. Node calls it
 * only after the chain was verified, and not at all on a resumed session: never resume.
 */
export function serverIdCheck(expected: SpiffeId): (host: string, certificate: PeerCertificate) => Error | undefined {
  return (_host, certificate) => {
    try {
      const { id } = checkSvidLeaf(certificate.raw, new Date());
      if (id.text === expected.text) return undefined;
      return new SvidError('certificate_other_id', `the server is ${id.text}, not ${expected.text}`);
    } catch (error) {
      return error instanceof Error ? error : new Error('the certificate of the server cannot be checked');
    }
  };
}

import { getCACertificates, type TLSSocket } from 'node:tls';

export type Certificate = {
  /** Whether an authority that this host trusts signed it, for the name that was asked for. */
  readonly trusted: boolean;
  /** Why not, as a code; null when it is. */
  readonly fault: string | null;
  readonly notAfter: Date;
  readonly validDays: number;
  readonly issuer: string;
};

/** Those of the host (`update-ca-certificates`) and those that came with the program. */
export const authorities = (): string[] => [
  ...new Set([...getCACertificates('default'), ...getCACertificates('system')]),
];

const DAY_MS = 86_400_000;

/** Of a connection that stands. */
export function certificateOf(socket: TLSSocket): Certificate {
  const { valid_to: validTo, issuer } = socket.getPeerCertificate();
  const notAfter = new Date(validTo);
  const fault = socket.authorizationError as Error | string | null;
  return {
    trusted: socket.authorized,
    fault: fault === null ? null : faultCode(fault),
    notAfter,
    validDays: Math.floor((notAfter.getTime() - Date.now()) / DAY_MS),
    issuer: shown([issuer.O ?? '', issuer.CN ?? ''].flat().join(' ').trim()),
  };
}

const faultCode = (fault: Error | string): string =>
  typeof fault === 'string' ? fault : ((fault as NodeJS.ErrnoException).code ?? fault.message.slice(0, 100));

/** What another host says of itself, fit for a person's terminal. */
const shown = (text: string): string => text.replaceAll(/[^ -~]/g, '?').slice(0, 100);

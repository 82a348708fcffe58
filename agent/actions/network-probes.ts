/** One look each at something on the network: what was found, and why it is no good. */
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Scalar } from '../../workflows/contract.ts';
import { authorities, type Certificate, certificateOf } from './certificates.ts';
import { httpRequest } from './http-request.ts';

export type Found = {
  readonly facts: Readonly<Record<string, Scalar>>;
  readonly latencyMs: number;
  /** Null when it is as it should be. */
  readonly fault: string | null;
};
export type Probe = (signal: AbortSignal) => Promise<Found>;

type DnsCheck = { readonly host: string; readonly address: string | null; readonly server: string | null };

/** Every address of a name, as programs of this host find it, or as one server says. */
export const dnsProbe =
  ({ host, address, server }: DnsCheck): Probe =>
  async (signal) => {
    const begun = performance.now();
    const addresses = (
      await ended(server === null ? asPrograms(host) : fromServer(host, server, signal), signal)
    ).toSorted();
    const facts = { host, answers: addresses.length, addresses: addresses.join(' ') };
    const missing = address !== null && !addresses.some((found) => canonical(found) === canonical(address));
    const fault = missing
      ? `${host} does not stand for ${address}`
      : addresses.length === 0
        ? `${host} stands for nothing`
        : null;
    return { facts, latencyMs: since(begun), fault };
  };

const asPrograms = async (host: string): Promise<string[]> =>
  (await dns.lookup(host, { all: true })).map((answer) => answer.address);

async function fromServer(host: string, server: string, signal: AbortSignal): Promise<string[]> {
  const resolver = new dns.Resolver({ tries: 1, timeout: 60_000 });
  resolver.setServers([server]);
  const cancel = (): void => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const answers = [four, six].flatMap((end) => (end.status === 'fulfilled' ? end.value : []));
    if (answers.length === 0 && four.status === 'rejected') throw four.reason;
    return answers;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** One spelling for each address. */
const canonical = (address: string): string =>
  isIP(address) === 6 ? new URL(`http://[${address}]/`).hostname : address;

export const tcpProbe =
  (host: string, port: number): Probe =>
  async (signal) => {
    const begun = performance.now();
    const socket = connect({ host, port, signal });
    try {
      await once(socket, 'connect');
      return { facts: { host, port, address: socket.remoteAddress ?? '' }, latencyMs: since(begun), fault: null };
    } finally {
      socket.destroy();
    }
  };

type TlsCheck = {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
} & CertificateCheck;
type CertificateCheck = { readonly minValidDays: number; readonly trusted: boolean };

/** The handshake alone; nothing is sent. */
export const tlsProbe =
  ({ host, port, serverName, ...wanted }: TlsCheck): Probe =>
  async (signal) => {
    const begun = performance.now();
    const name = isIP(serverName) === 0 ? { servername: serverName } : {};
    const plain = connect({ host, port, signal });
    const socket = connectTls({
      socket: plain,
      ca: authorities(),
      rejectUnauthorized: false,
      host: serverName,
      ...name,
    });
    try {
      // A failure of the connection below shows here too; without a listener it would end the process.
      plain.on('error', (error) => socket.destroy(error));
      await once(socket, 'secureConnect');
      const certificate = certificateOf(socket);
      const facts = { host, port, protocol: socket.getProtocol() ?? '', ...certificateFacts(certificate) };
      return { facts, latencyMs: since(begun), fault: certificateFault(certificate, wanted) };
    } finally {
      socket.destroy();
      plain.destroy();
    }
  };

type HttpCheck = {
  readonly url: string;
  readonly method: string;
  readonly expectStatus: number | null;
  readonly bodyContains: string | null;
} & CertificateCheck;

export const httpProbe =
  ({ url, method, expectStatus, bodyContains, ...wanted }: HttpCheck): Probe =>
  async (signal) => {
    const { trusted } = wanted;
    const answer = await httpRequest({ url, method, headers: {}, body: null, trusted, signal });
    const { status, bodyBytes, latencyMs, certificate } = answer;
    const held = bodyContains === null ? null : answer.body.includes(bodyContains);
    const facts = {
      url,
      status,
      body_bytes: bodyBytes,
      ...(held === null ? {} : { body_contains: held }),
      ...(certificate === null ? {} : certificateFacts(certificate)),
    };
    const good = expectStatus === null ? status >= 200 && status <= 299 : status === expectStatus;
    const fault = !good
      ? `the answer has status ${status}, and ${expectStatus ?? '200 to 299'} would be good`
      : held === false
        ? 'the answer does not hold the text'
        : certificate === null
          ? null
          : certificateFault(certificate, wanted);
    return { facts, latencyMs, fault };
  };

const certificateFacts = ({ trusted, notAfter, validDays, issuer }: Certificate) => ({
  trusted,
  valid_days: validDays,
  not_after: notAfter.toISOString(),
  issuer,
});

function certificateFault(
  { trusted, fault, validDays, notAfter }: Certificate,
  wanted: CertificateCheck,
): string | null {
  if (notAfter.getTime() <= Date.now()) return `the certificate ran out at ${notAfter.toISOString()}`;
  if (wanted.trusted && !trusted) return `this host does not trust the certificate (${fault})`;
  if (validDays >= wanted.minValidDays) return null;
  return `the certificate holds for ${validDays} days more, and ${wanted.minValidDays} were asked for`;
}

const since = (begun: number): number => Math.round(performance.now() - begun);

/** For what cannot be called off, such as the system's own look-up of names: no longer waited for. */
const ended = async <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(new Error('was called off'));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
};

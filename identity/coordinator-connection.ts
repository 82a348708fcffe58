import net from 'node:net';
import tls from 'node:tls';
import { Pool, type Dispatcher } from 'undici';
import type { SpiffeId } from '../config/spiffe-id.ts';
import { clientTlsOptions, type ClientIdentity } from './client-identity.ts';

const CONNECT_MS = 5_000;
/** At most; each is made when it is needed. */
const CONNECTIONS = 64;

/**
 * Connections to one address whose server must be of one SPIFFE id. Every connection is a full handshake with the identity as it is
 * then, never a resumed session; when the identity's files change, later requests use new connections and those under way finish.
 */
export class CoordinatorConnection implements AsyncDisposable {
  readonly address: string;
  readonly #server: SpiffeId;
  readonly #identity: ClientIdentity;
  readonly #stopWatching: () => void;
  #pool: Pool;

  constructor(address: string, server: SpiffeId, identity: ClientIdentity) {
    this.address = checkAddress(address, identity);
    this.#server = server;
    this.#identity = identity;
    this.#pool = this.#open();
    this.#stopWatching = identity.kind === 'svid' ? identity.source.onChange(() => this.#renew()) : () => undefined;
  }

  /** Sends one request; never follows a redirect. @throws what the connection failed with */
  request(options: Omit<Dispatcher.RequestOptions, 'origin'>): Promise<Dispatcher.ResponseData> {
    return this.#pool.request(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopWatching();
    await this.#pool.destroy();
  }

  #renew(): void {
    const old = this.#pool;
    this.#pool = this.#open();
    // Waits for what is under way; a stream of events ends by the server's own limit.
    old.close().catch(() => undefined);
  }

  #open(): Pool {
    return new Pool(this.address, {
      connections: CONNECTIONS,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: 4_000,
      connect: (options, callback) => {
        const host = options.hostname.replaceAll(/^\[|\]$/g, '');
        const port = options.port === '' ? (options.protocol === 'https:' ? 443 : 80) : Number(options.port);
        this.#connect({ host, port, secure: options.protocol === 'https:' }, callback);
      },
    });
  }

  #connect(
    to: { host: string; port: number; secure: boolean },
    callback: (...result: [null, net.Socket] | [Error, null]) => void,
  ): void {
    let socket: net.Socket;
    try {
      const { host, port } = to;
      socket = to.secure
        ? tls.connect({ ...clientTlsOptions(this.#identity, this.#server), host, port })
        : net.connect({ host, port });
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null);
      return;
    }
    const deadline = setTimeout(
      () => socket.destroy(new Error(`no connection within ${CONNECT_MS / 1000} s`)),
      CONNECT_MS,
    );
    let told = false;
    const tell = (...result: [null, net.Socket] | [Error, null]): void => {
      clearTimeout(deadline);
      if (told) return;
      told = true;
      callback(...result);
    };
    socket.setNoDelay(true);
    socket.once(to.secure ? 'secureConnect' : 'connect', () => tell(null, socket));
    socket.on('error', (error) => tell(error, null));
    socket.once('close', () => tell(new Error('the connection was closed before it stood'), null));
  }
}

/** The address as an origin. @throws Error when it is none, or plain http off loopback */
function checkAddress(address: string, identity: ClientIdentity): string {
  const refuse = (why: string): never => {
    throw new Error(`coordinator address ${JSON.stringify(address)}: ${why}`);
  };
  const url = URL.canParse(address) ? new URL(address) : refuse('not a URL; write https://host:7443');
  if (url.username !== '' || url.password !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return refuse('only scheme, host and port belong here; write https://host:7443');
  }
  if (url.protocol === 'https:') {
    return identity.kind === 'none'
      ? refuse('https needs a bundle to check the coordinator with; name one')
      : url.origin;
  }
  if (url.protocol !== 'http:') return refuse('write https://host:7443');
  const loopback =
    url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  return loopback ? url.origin : refuse('plain http is only for loopback; write https://');
}

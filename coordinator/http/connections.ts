import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Svid } from '../../identity/svid-source.ts';
import type { TrustBundle } from '../../identity/trust-bundle.ts';
import { judgeClient, judgeRequest, stillTrusted, type ClientCertificate } from '../identity/client-certificate.ts';
import { domainOfName } from '../identity/tls-contexts.ts';
import type { RequestPeer } from './peer.ts';

/** One client connection and what it was judged by. */
type Connection = {
  readonly client: ClientCertificate;
  readonly trustDomain: string | null;
  readonly bundle: TrustBundle | null;
  readonly closing: AbortController;
  /** Its next answer is its last. */
  stale: boolean;
};

export type ConnectionLimits = {
  /** That stand, and that are being made. */
  readonly connections: number;
  readonly handshakes: number;
  readonly connectionLifeMs: number;
};

/** After its life a connection has this long to finish what is under way, milliseconds. */
const LAST_WORDS_MS = 30_000;

/** All open connections of the listener: judged when they stand, at each request, and again when the identity changes. */
export class Connections {
  readonly #open = new Map<Socket, Connection>();
  readonly #limits: ConnectionLimits;
  readonly #dropped: () => void;
  #svid: Svid | null;
  /** What was in force when a connection came in, until its handshake is done: the SNI name was read in between. */
  readonly #handshakes = new Map<string, { readonly svid: Svid; readonly socket: Socket }>();

  /** `dropped` is called for each connection that a limit ended. */
  constructor(svid: Svid | null, limits: ConnectionLimits, dropped: () => void) {
    this.#svid = svid;
    this.#limits = limits;
    this.#dropped = dropped;
  }

  /**
   * A TCP connection came in; over TLS, its handshake begins. Too many handshakes at once end the oldest: connections that stay
   * silent must not keep out those that speak.
   */
  arrived(socket: Socket): void {
    if (this.#svid === null) return this.#add(socket, { kind: 'none' }, null, null);
    const [oldest] = this.#handshakes.values();
    if (oldest !== undefined && this.#handshakes.size >= this.#limits.handshakes) this.#drop(oldest.socket);
    const key = remote(socket);
    this.#handshakes.set(key, { svid: this.#svid, socket });
    socket.once('close', () => this.#handshakes.delete(key));
  }

  /** A handshake is done. */
  secured(socket: TLSSocket): void {
    const now = this.#svid;
    const before = this.#handshakes.get(remote(socket))?.svid;
    this.#handshakes.delete(remote(socket));
    if (now === null || before === undefined) return void socket.destroy();
    const domain = domainOfName(now, socket.servername);
    // A reload during the handshake may have changed which bundle the name stood for: then nobody can tell which one was used.
    const bundle = now.bundles.get(domain);
    if (domainOfName(before, socket.servername) !== domain || bundle === undefined) return void socket.destroy();
    const sure = before.bundles.get(domain)?.pem === bundle.pem;
    this.#add(
      socket,
      judgeClient(socket, domain, now.bundles),
      domain,
      sure ? bundle : (before.bundles.get(domain) ?? null),
    );
  }

  handshakeFailed(socket: TLSSocket): void {
    this.#handshakes.delete(remote(socket));
    socket.destroy();
  }

  #drop(socket: Socket): void {
    this.#handshakes.delete(remote(socket));
    this.#open.delete(socket);
    this.#dropped();
    socket.destroy();
  }

  /** Makes room for one more: who shows no certificate gives way to who does. False when there is none. */
  #admit(client: ClientCertificate): boolean {
    if (this.#open.size < this.#limits.connections) return true;
    if (client.kind !== 'svid') return false;
    for (const [socket, connection] of this.#open) {
      if (connection.client.kind === 'svid') continue;
      this.#drop(socket);
      return true;
    }
    return false;
  }

  #add(socket: Socket, client: ClientCertificate, trustDomain: string | null, bundle: TrustBundle | null): void {
    if (!this.#admit(client)) return this.#drop(socket);
    const connection: Connection = { client, trustDomain, bundle, closing: new AbortController(), stale: false };
    this.#open.set(socket, connection);
    let last: NodeJS.Timeout | undefined;
    const life = setTimeout(() => {
      retire(connection);
      last = setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref();
    }, this.#limits.connectionLifeMs).unref();
    socket.once('close', () => {
      clearTimeout(life);
      clearTimeout(last);
      connection.closing.abort();
      this.#open.delete(socket);
    });
  }

  /** Who makes this request, and whether its answer must be the connection's last. */
  peerOf(socket: Socket): { readonly peer: RequestPeer; readonly last: boolean } | null {
    const connection = this.#open.get(socket);
    if (connection === undefined) return null;
    const { client, closing } = connection;
    return { peer: { verdict: this.#verdict(connection, client), closing: closing.signal }, last: connection.stale };
  }

  #verdict({ trustDomain, bundle }: Connection, client: ClientCertificate): RequestPeer['verdict'] {
    const now = trustDomain === null ? null : (this.#svid?.bundles.get(trustDomain) ?? null);
    if (now !== null && now.pem !== bundle?.pem && !stillTrusted(client, new Map([[now.trustDomain, now]]))) {
      return { kind: 'reconnect', message: 'trust has changed since this connection was made; make a new one' };
    }
    return judgeRequest(client);
  }

  /**
   * Another identity or other bundles are in force. Connections of a trust domain that is gone end at once; all others finish what
   * they do, and answer one more request at most.
   */
  changed(svid: Svid): void {
    this.#svid = svid;
    for (const [socket, connection] of this.#open) {
      const { trustDomain, client } = connection;
      const gone = client.kind === 'svid' && trustDomain !== null && !svid.bundles.has(trustDomain);
      if (gone) socket.destroy();
      else retire(connection);
    }
  }

  /** Handshakes are given up, streams end, and no connection takes another request after its next answer. */
  endAll(): void {
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    for (const connection of this.#open.values()) retire(connection);
  }

  /** Those that stand and those whose handshake is under way. */
  get size(): number {
    return this.#open.size + this.#handshakes.size;
  }
}

function retire(connection: Connection): void {
  connection.stale = true;
  connection.closing.abort();
}

const remote = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;

import type { IncomingMessage } from 'node:http';
import type { Caller } from '../service.ts';

/** Who is at the other end of one request, as judged at that moment. */
export type RequestPeer = {
  readonly verdict:
    | { readonly kind: 'caller'; readonly caller: Caller }
    /** A certificate was shown and is no good. `code` is stable. */
    | { readonly kind: 'rejected'; readonly code: string; readonly message: string }
    /** The connection is older than what it was judged by: a new one will tell. */
    | { readonly kind: 'reconnect'; readonly message: string };
  /** Aborts when the connection has to end: its life is over, its identity changed, or the server goes down. */
  readonly closing: AbortSignal;
};

const PEER = Symbol('peer of a request');
type Marked = IncomingMessage & { [PEER]?: RequestPeer };

/** Called by the server for each request, before anything else sees it. */
export const setRequestPeer = (incoming: Marked, peer: RequestPeer): void => {
  incoming[PEER] = peer;
};

/** What the server found out about the request's peer. A request that did not come through it has none, and is refused. */
export function requestPeer(env: { readonly incoming?: Marked } | undefined): RequestPeer {
  const peer = env?.incoming?.[PEER];
  if (peer !== undefined) return peer;
  const message = 'this request did not come through the listener of the coordinator';
  return { verdict: { kind: 'rejected', code: 'no_peer', message }, closing: new AbortController().signal };
}

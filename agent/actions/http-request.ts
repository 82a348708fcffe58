import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { TLSSocket } from 'node:tls';
import { authorities, certificateOf, type Certificate } from './certificates.ts';

export type HttpRequest = {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Whether nothing is sent to a server whose certificate no authority of this host signed. */
  readonly trusted: boolean;
  readonly signal: AbortSignal;
};

export type HttpAnswer = {
  readonly status: number;
  /** Its first megabyte. */
  readonly body: Buffer;
  readonly bodyBytes: number;
  readonly cut: boolean;
  /** Until the status was there. */
  readonly latencyMs: number;
  /** Null without TLS. */
  readonly certificate: Certificate | null;
};

const MAX_BODY = 1024 * 1024;

/** One request on a connection of its own. Redirects are answers like any other. @throws Error with a `code` */
export async function httpRequest(asked: HttpRequest): Promise<HttpAnswer> {
  const begun = performance.now();
  const response = await respond(asked);
  const latencyMs = Math.round(performance.now() - begun);
  const { socket } = response;
  const certificate = socket instanceof TLSSocket ? certificateOf(socket) : null;
  const chunks: Buffer[] = [];
  let bodyBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bodyBytes += chunk.length;
      chunks.push(chunk);
      if (bodyBytes > MAX_BODY) break;
    }
  } finally {
    response.destroy();
  }
  const cut = bodyBytes > MAX_BODY;
  const body = Buffer.concat(chunks).subarray(0, MAX_BODY);
  return { status: response.statusCode ?? 0, body, bodyBytes: body.length, cut, latencyMs, certificate };
}

function respond({ url, method, headers, body, trusted, signal }: HttpRequest): Promise<IncomingMessage> {
  const secure = url.startsWith('https:');
  const common = { method, headers: { 'User-Agent': 'fettle-agent', ...headers }, agent: false as const, signal };
  const options = secure ? { ...common, ca: authorities(), rejectUnauthorized: trusted } : common;
  const request = (secure ? requestHttps : requestHttp)(url, options);
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', resolve);
    request.end(body ?? undefined);
  });
}

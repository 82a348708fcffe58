/** Asks one coordinator for this host's Temporal credential, with the SVID as it is now. One connection for each question: they are minutes apart. */
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { SpiffeId } from '../config/spiffe-id.ts';
import { clientTlsOptions } from '../identity/client-identity.ts';
import type { SvidSource } from '../identity/svid-source.ts';

const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const PATH = '/v1/agent-token';

/** The coordinator refused, or could not decide, and said so. */
export class CredentialRefusedError extends Error {
  override readonly name = 'CredentialRefusedError';
  readonly code: string;
  readonly retryAfterMs: number | null;
  constructor(code: string, message: string, retryAfterMs: number | null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Never to be logged. `lifeMs`: from the answer on, by the coordinator's clock, so that this host's own may be wrong. */
export type GivenToken = { readonly token: string; readonly lifeMs: number };

export type CredentialRequest = {
  /** `https://host:port` */
  readonly address: string;
  readonly coordinator: SpiffeId;
  readonly identity: SvidSource;
  readonly machineId: string;
  readonly signal: AbortSignal;
};

/** @throws CredentialRefusedError, or what the connection failed with */
export async function requestToken(request: CredentialRequest): Promise<GivenToken> {
  const body = JSON.stringify(request.machineId === '' ? {} : { machine_id: request.machineId });
  const answer = await post(request, body);
  const value = parse(answer.text, answer.status);
  if (answer.status !== 200) throw refusal(answer, value);
  const { token, expires_at: expires } = value;
  const lifeMs = Date.parse(String(expires)) - answer.date;
  if (typeof token !== 'string' || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) || !(lifeMs > 0))
    throw new Error('answered with something that is no token; is this a coordinator of this version?');
  return { token, lifeMs };
}

type Answer = {
  readonly status: number;
  readonly text: string;
  readonly date: number;
  readonly retryAfter: string | undefined;
};

function post({ address, coordinator, identity, signal }: CredentialRequest, body: string): Promise<Answer> {
  const { hostname, port } = new URL(address);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const request = https.request({
    ...clientTlsOptions({ kind: 'svid', source: identity }, coordinator),
    host: hostname.replaceAll(/^\[|\]$/g, ''),
    port: port === '' ? 443 : Number(port),
    method: 'POST',
    path: PATH,
    headers,
    agent: false,
    signal: deadline,
  });
  request.on('response', (response) => {
    readText(response).then(
      (text) =>
        resolve({
          status: response.statusCode ?? 0,
          text,
          date: dateOf(response),
          retryAfter: response.headers['retry-after'],
        }),
      reject,
    );
  });
  request.on('error', (error) =>
    reject(deadline.aborted && !signal.aborted ? new Error(`no answer within ${ANSWER_MS / 1000} s`) : error),
  );
  request.end(body);
  return promise;
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk;
    if (text.length > MAX_ANSWER_BYTES) throw new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`);
  }
  return text;
}

/** HTTP dates have whole seconds, cut off. */
function dateOf({ headers }: IncomingMessage): number {
  const date = Date.parse(headers.date ?? '');
  return Number.isNaN(date) ? Date.now() : date;
}

function parse(text: string, status: number): Partial<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below.
  }
  throw new Error(`answered ${status} with something that is not JSON; is this a coordinator?`);
}

function refusal({ status, retryAfter }: Answer, { code, message }: Partial<Record<string, unknown>>): Error {
  if (typeof code !== 'string' || typeof message !== 'string')
    return new Error(`answered ${status} without saying why`);
  const seconds = Number(retryAfter ?? Number.NaN);
  return new CredentialRefusedError(code, message, Number.isFinite(seconds) ? seconds * 1000 : null);
}

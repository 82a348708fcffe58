/** An HTTP server in the place of a coordinator, for tests of what asks one; and a plain client of it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { CoordinatorPort } from '../../trigger-daemon/coordinator-port.ts';
import type { ApiEpisodeReport, ApiRequest } from '../../workflows/api.ts';

export type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> };
export const admitted = (request: ApiRequest): Answer => ({
  status: 201,
  body: { decision: 'admitted', request_id: request.request_id, execution: 'restart:web-1:1-1' },
});

/** Listens on loopback, records what it is asked and answers by `script.decide`, which may be replaced at any time. */
export async function standIn(script: { decide: (request: ApiRequest) => Answer }) {
  const requests: ApiRequest[] = [];
  const reports: ApiEpisodeReport[] = [];
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
    incoming.on('end', () => {
      let answer: Answer = { status: 200, body: { episode: 'e1', open: true } };
      if (incoming.url === '/v1/requests') {
        const request: ApiRequest = JSON.parse(text);
        requests.push(request);
        answer = script.decide(request);
      } else reports.push(JSON.parse(text));
      response
        .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
        .end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const url = `http://127.0.0.1:${address.port}`;
  return {
    requests,
    reports,
    client: httpClient(url),
    script,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterS: number | null;
  constructor(status: number, code: string, retryAfterS: number | null) {
    super(`HTTP ${status}`);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

function httpClient(url: string): CoordinatorPort {
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) });
    const answer = JSON.parse(await response.text());
    if (response.status < 300 || answer.decision !== undefined) return answer;
    throw new HttpError(response.status, String(answer.code), Number(response.headers.get('retry-after')) || null);
  };
  return {
    request: (body) => post('/v1/requests', body),
    reportEpisode: (report) => post('/v1/episodes', report),
  };
}

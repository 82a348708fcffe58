/** One call to prometheus-query, with the deadline, the limits and the credentials that it lacks. */
import http from 'node:http';
import https from 'node:https';
import { PrometheusDriver } from 'prometheus-query';
import type { PrometheusSourceConfig } from '../config/connections.ts';
import { MetricSourceError } from './metric-source.ts';
import { checkAnswer, type CheckedAnswer } from './prometheus-answer.ts';
import { SecretFiles } from './secret-files.ts';

export type Call = {
  readonly signal: AbortSignal | undefined;
  /** Added to the query string. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Hide the body from the driver's own decoder, for answers of which it keeps too little. */
  readonly raw: boolean;
};

type Interceptors = Required<
  Pick<ConstructorParameters<typeof PrometheusDriver>[0], 'requestInterceptor' | 'responseInterceptor'>
>;
type RequestConfig = Parameters<Interceptors['requestInterceptor']['onFulfilled']>[0];
type Response = Parameters<Interceptors['responseInterceptor']['onFulfilled']>[0];

export class PrometheusTransport {
  readonly #config: PrometheusSourceConfig;
  readonly #files = new SecretFiles();
  readonly #httpAgent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  #tls: { readonly version: string; readonly agent: https.Agent } | null = null;

  constructor(config: PrometheusSourceConfig) {
    this.#config = config;
  }

  /**
   * Runs `ask` against a driver made for this one call; gives what the driver decoded beside the whole checked answer.
   * @throws MetricSourceError, always.
   */
  async call<T>(
    call: Call,
    ask: (driver: PrometheusDriver) => Promise<T>,
  ): Promise<{ decoded: T; answer: CheckedAnswer }> {
    const deadline = new AbortController();
    // The driver's own timeout starts anew with each byte; this one is for the whole answer.
    const timer = setTimeout(() => deadline.abort(), this.#config.timeoutMs);
    const secrets: string[] = [];
    let answer: CheckedAnswer | undefined;
    try {
      const signal = call.signal === undefined ? deadline.signal : AbortSignal.any([call.signal, deadline.signal]);
      const agents = await this.#agents();
      const authorization = await this.#authorization(secrets);
      const driver = new PrometheusDriver({
        endpoint: this.#config.url,
        timeout: this.#config.timeoutMs,
        headers: { ...this.#config.headers, accept: 'application/json', ...authorization },
        requestInterceptor: { onFulfilled: (request) => this.#prepare(request, call, signal, agents) },
        responseInterceptor: {
          onFulfilled: (response) => {
            answer = checkAnswer(rawAnswer(response));
            response.data = { status: 'success', data: call.raw ? {} : answer.data };
            return response;
          },
        },
      });
      const decoded = await ask(driver);
      if (answer === undefined) throw new MetricSourceError('malformed', 'no answer was read');
      return { decoded, answer };
    } catch (thrown) {
      throw this.#explain(thrown, call.signal?.aborted === true, deadline.signal.aborted, secrets);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#httpAgent.destroy();
    this.#tls?.agent.destroy();
  }

  #prepare(
    request: RequestConfig,
    call: Call,
    signal: AbortSignal,
    agents: { httpsAgent: https.Agent },
  ): RequestConfig {
    const parameters: URLSearchParams = request.params;
    // The driver sends our clock as the time of evaluation, which would hide that the server's clock is wrong.
    parameters.delete('time');
    for (const [name, value] of Object.entries({ ...this.#config.parameters, ...call.parameters }))
      parameters.append(name, value);
    return Object.assign(request, {
      ...agents,
      httpAgent: this.#httpAgent,
      signal,
      data: undefined,
      maxContentLength: this.#config.maxBytes,
      maxRedirects: 0,
      // A proxy taken from the environment would see the credentials; a source is reached directly or by its own address.
      proxy: false,
      responseType: 'text',
      transformResponse: [(text: unknown) => text],
      validateStatus: () => true,
    });
  }

  async #authorization(secrets: string[]): Promise<Record<string, string>> {
    const { auth, headers } = this.#config;
    secrets.push(...Object.values(headers).filter((value) => value.length >= MIN_SECRET));
    if (auth.kind === 'none') return {};
    const secret = await this.#files.line(auth.kind === 'bearer' ? auth.tokenFile : auth.passwordFile);
    const value =
      auth.kind === 'bearer'
        ? `Bearer ${secret}`
        : `Basic ${Buffer.from(`${auth.username}:${secret}`).toString('base64')}`;
    secrets.push(value.slice(value.indexOf(' ') + 1), secret);
    return { authorization: value };
  }

  /** A TLS agent over the files as they are now; replaced when one of them has changed. */
  async #agents(): Promise<{ httpsAgent: https.Agent }> {
    const paths = this.#config.tls;
    const read = async (path: string | null | undefined) => (path ? await this.#files.read(path) : null);
    const [ca, cert, key] = await Promise.all([read(paths?.ca), read(paths?.certificate), read(paths?.key)]);
    const version = [ca, cert, key].map((file) => file?.version ?? '').join('|');
    if (this.#tls?.version !== version) {
      const agent = new https.Agent({
        keepAlive: true,
        maxSockets: 16,
        ...(ca === null ? {} : { ca: ca.text }),
        ...(cert === null ? {} : { cert: cert.text }),
        ...(key === null ? {} : { key: key.text }),
      });
      // Requests under way finish on the old agent's sockets; idle ones close by the server's or the kernel's timeouts.
      this.#tls = { version, agent };
    }
    return { httpsAgent: this.#tls.agent };
  }

  #explain(thrown: unknown, aborted: boolean, late: boolean, secrets: readonly string[]): MetricSourceError {
    const { url, timeoutMs } = this.#config;
    if (aborted) return new MetricSourceError('aborted', `gave up waiting for ${url}`);
    if (late) return new MetricSourceError('deadline', `no whole answer from ${url} within ${timeoutMs} ms`);
    const error = unwrap(thrown);
    const found = error instanceof MetricSourceError ? error : this.#transportFailure(error);
    const message = secrets.reduce(
      (text, secret) => text.replaceAll(secret, '***'),
      `${this.#config.kind}.${this.#config.name}: ${found.message}`,
    );
    return new MetricSourceError(found.kind, message, found);
  }

  /** From what axios throws only code and message are taken: the rest of it holds the request's headers. */
  #transportFailure(error: unknown): MetricSourceError {
    const { url, maxBytes, timeoutMs } = this.#config;
    const code = textOf(error, 'code');
    const message = textOf(error, 'message');
    if (/maxContentLength/.test(message)) {
      return new MetricSourceError(
        'too_large',
        `the answer of ${url} is larger than ${maxBytes} bytes; let the query keep fewer series`,
      );
    }
    if (code === 'ECONNABORTED' || code === 'ETIMEDOUT') {
      return new MetricSourceError('deadline', `no answer from ${url} within ${timeoutMs} ms`);
    }
    if (TLS_CODE.test(code)) return new MetricSourceError('tls', `TLS to ${url} failed: ${code}`);
    if (error instanceof TypeError)
      return new MetricSourceError('malformed', 'the answer is not what the Prometheus API promises');
    return new MetricSourceError('network', `cannot reach ${url}: ${code === '' ? message.slice(0, 200) : code}`);
  }
}

/** Shorter header values are flags and numbers; blotting those out would make messages unreadable. */
const MIN_SECRET = 8;
const TLS_CODE = /^ERR_(TLS|SSL|OSSL)|CERT|SELF_SIGNED|UNABLE_TO|^EPROTO$|^HOSTNAME_MISMATCH$|CRL/;

/** The driver wraps what an interceptor throws into a plain object, under `original`. */
function unwrap(thrown: unknown): unknown {
  if (thrown instanceof Error || typeof thrown !== 'object' || thrown === null) return thrown;
  return 'original' in thrown ? thrown.original : thrown;
}

function textOf(error: unknown, key: 'code' | 'message'): string {
  if (typeof error !== 'object' || error === null) return '';
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'string' ? value : '';
}

function rawAnswer(response: Response): Parameters<typeof checkAnswer>[0] {
  const header = (name: string): string | null => {
    const value: unknown = response.headers[name];
    return typeof value === 'string' ? value : null;
  };
  const text: unknown = response.data;
  return {
    status: response.status,
    contentType: header('content-type') ?? '',
    date: header('date'),
    text: typeof text === 'string' ? text : '',
  };
}

/** Reads what a Prometheus-compatible server sent before prometheus-query does, which would misread or lose part of it. */
import { MetricSourceError } from './metric-source.ts';

export type RawAnswer = {
  readonly status: number;
  readonly contentType: string;
  readonly date: string | null;
  readonly text: string;
};

export type CheckedAnswer = {
  /** What prometheus-query may decode: shapes checked, infinities spelt as JavaScript reads them, histograms taken out. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** The `Date` header, milliseconds. */
  readonly serverTime: number | null;
};

const MAX_MESSAGE = 300;
type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const malformed = (what: string): MetricSourceError =>
  new MetricSourceError('malformed', `the answer is not what the Prometheus API promises: ${what}`);

/** @throws MetricSourceError for everything that is not a whole, successful answer of the API. */
export function checkAnswer(raw: RawAnswer): CheckedAnswer {
  const body = parseBody(raw);
  if (raw.status < 200 || raw.status > 299 || body['status'] === 'error') throw refusal(raw.status, body);
  if (body['status'] !== 'success') throw malformed('no "status": "success"');
  if (!isObject(body['data'])) throw malformed('"data" is not an object');
  const data = body['data'];
  const histograms = 'resultType' in data ? repairResult(data) : repairAlerts(data);
  const warnings = texts(body['warnings']);
  if (body['isPartial'] === true) warnings.push('the server marked its answer as partial (isPartial)');
  if (histograms > 0) {
    warnings.push(
      `${histograms} native histogram sample(s) have no single value; use histogram_count() or histogram_quantile()`,
    );
  }
  const serverTime = raw.date === null ? NaN : Date.parse(raw.date);
  return { data, warnings, infos: texts(body['infos']), serverTime: Number.isNaN(serverTime) ? null : serverTime };
}

function parseBody(raw: RawAnswer): Json {
  const failed = raw.status >= 300 || raw.status < 200;
  const looksLikeJson = /^\s*\{/.test(raw.text);
  if (!looksLikeJson) {
    const what =
      /html/i.test(raw.contentType) || /^\s*</.test(raw.text) ? 'a page of HTML' : 'something that is not JSON';
    throw failed
      ? byStatus(raw.status, `HTTP ${raw.status} with ${what}`)
      : new MetricSourceError(
          'not_prometheus',
          `HTTP ${raw.status} with ${what}: is this the address of Prometheus, path prefix included?`,
          { http: raw.status },
        );
  }
  let body: unknown;
  try {
    body = JSON.parse(raw.text);
  } catch {
    throw failed ? byStatus(raw.status, `HTTP ${raw.status}`) : malformed('its JSON ends early or is broken');
  }
  if (!isObject(body)) throw malformed('not a JSON object');
  return body;
}

function refusal(status: number, body: Json): MetricSourceError {
  const type = typeof body['errorType'] === 'string' ? body['errorType'] : '';
  const said = typeof body['error'] === 'string' ? printable(body['error']) : '';
  return byStatus(status, `HTTP ${status}${type === '' ? '' : ` ${printable(type)}`}${said === '' ? '' : `: ${said}`}`);
}

function byStatus(status: number, message: string): MetricSourceError {
  const make = (kind: MetricSourceError['kind'], retryable?: boolean): MetricSourceError =>
    new MetricSourceError(kind, message, { http: status, ...(retryable === undefined ? {} : { retryable }) });
  if (status === 400 || status === 422) return make('query');
  if (status === 401 || status === 403) return make('denied');
  if (status === 429 || status === 499 || status === 503) return make('unavailable');
  // A redirect is not followed: it would carry the credentials elsewhere.
  if (status >= 300 && status < 400) {
    return new MetricSourceError('not_prometheus', `${message}: redirects are not followed; write the final address`, {
      http: status,
    });
  }
  if (status >= 500) return make('server');
  return make(status === 404 || status === 405 ? 'not_prometheus' : 'server', status !== 404 && status !== 405);
}

/** Checks `{resultType, result}` and repairs it in place; answers how many histogram samples it took out. */
function repairResult(data: Json): number {
  const type = data['resultType'];
  if (type !== 'vector') {
    throw new MetricSourceError(
      'result_type',
      `the expression gives a ${printable(String(type))}, not an instant vector; compare series, e.g. up == 0`,
    );
  }
  if (!Array.isArray(data['result'])) throw malformed('"result" is not a list');
  const series = data['result'] as unknown[];
  const plain = series.filter((one) => !(isObject(one) && 'histogram' in one && !('value' in one)));
  for (const one of plain) {
    if (!isObject(one) || !isLabels(one['metric']) || !isPair(one['value']))
      throw malformed('a sample without labels or value');
    one['value'] = [one['value'][0], repairNumber(one['value'][1])];
  }
  data['result'] = plain;
  return series.length - plain.length;
}

/** Infinities of `/alerts` and `/rules`, in place. */
function repairAlerts(data: Json): number {
  const groups = Array.isArray(data['groups']) ? (data['groups'] as unknown[]) : [];
  const rules = groups.flatMap((group) =>
    isObject(group) && Array.isArray(group['rules']) ? (group['rules'] as unknown[]) : [],
  );
  const nested = rules.flatMap((rule) =>
    isObject(rule) && Array.isArray(rule['alerts']) ? (rule['alerts'] as unknown[]) : [],
  );
  const own = Array.isArray(data['alerts']) ? (data['alerts'] as unknown[]) : [];
  for (const alert of [...own, ...nested]) {
    if (!isObject(alert)) throw malformed('an alert is not an object');
    if (typeof alert['value'] === 'string') alert['value'] = repairNumber(alert['value']);
  }
  return 0;
}

const isPair = (value: unknown): value is [number, string] =>
  Array.isArray(value) &&
  value.length === 2 &&
  typeof value[0] === 'number' &&
  typeof value[1] === 'string' &&
  isNumeric(value[1]);
const isNumeric = (text: string): boolean =>
  /^[+-]?Inf$|^NaN$/.test(text) || (text.trim() !== '' && !Number.isNaN(Number(text)));
const repairNumber = (text: string): string =>
  text.replace(/^(\+|-)?Inf$/, (_, sign: string | undefined) => (sign === '-' ? '-Infinity' : 'Infinity'));

export function isLabels(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((label) => typeof label === 'string');
}

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string').map(printable) : [];

/** One line of bounded length, whatever the server wrote. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}...` : line;
}

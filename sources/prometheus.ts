import type { Alert, InstantVector, SampleValue } from 'prometheus-query';
import { sourceAddress, type PrometheusSourceConfig } from '../config/connections.ts';
import {
  type AlertingRule,
  type AskOptions,
  type Look,
  MetricSourceError,
  type MetricSource,
  type Sample,
  type SourceAlert,
} from './metric-source.ts';
import { isLabels, type CheckedAnswer } from './prometheus-answer.ts';
import { type Call, PrometheusTransport } from './prometheus-transport.ts';

/** A `MetricSource` over Prometheus and what speaks like it (Thanos, Mimir, VictoriaMetrics). Connects on the first question. */
export function prometheusSource(config: PrometheusSourceConfig): MetricSource {
  const transport = new PrometheusTransport(config);

  const query: MetricSource['query'] = (promql, options = {}) =>
    look(async () => {
      const { decoded, answer } = await transport.call(call(options), (driver) =>
        driver.instantQuery(promql, undefined, `${Math.ceil(config.timeoutMs)}ms`),
      );
      const vectors: readonly InstantVector[] = decoded.result;
      const samples = vectors.map(toSample);
      return { value: samples, answer, evaluatedAt: samples[0]?.at ?? answer.serverTime };
    });

  return {
    address: sourceAddress(config),
    query,
    alerts: (options = {}) =>
      look(async () => {
        const { decoded, answer } = await transport.call(call(options), (driver) => driver.alerts());
        if (!Array.isArray(answer.data['alerts'])) throw bad('no list of alerts');
        return { value: decoded.map(toAlert), answer, evaluatedAt: answer.serverTime };
      }),
    alertingRules: (options = {}) =>
      look(async () => {
        // Servers from 2.50 on narrow the answer by themselves; older ones ignore the parameter.
        const narrow = options.name === undefined ? {} : { 'rule_name[]': options.name };
        const { answer } = await transport.call(call(options, { type: 'alert', ...narrow }, true), (driver) =>
          driver.rules(),
        );
        const rules = readRules(answer.data);
        const value = options.name === undefined ? rules : rules.filter((rule) => rule.name === options.name);
        return { value, answer, evaluatedAt: answer.serverTime };
      }),
    ready: async (options = {}) => {
      const asked = await query('vector(1)', options);
      if (asked.state !== 'answer') return asked;
      if (asked.value.length !== 1 || asked.value[0]?.value !== 1) {
        return {
          state: 'failed',
          failure: new MetricSourceError('malformed', `${sourceAddress(config)}: vector(1) is not 1`),
        };
      }
      return { ...asked, value: { clockAheadMs: (asked.evaluatedAt ?? Date.now()) - Date.now() } };
    },
    close: () => transport.close(),
  };
}

const call = (options: AskOptions, parameters: Record<string, string> = {}, raw = false): Call => ({
  signal: options.signal,
  parameters,
  raw,
});

async function look<T>(
  ask: () => Promise<{ value: T; answer: CheckedAnswer; evaluatedAt: number | null }>,
): Promise<Look<T>> {
  try {
    const { value, answer, evaluatedAt } = await ask();
    if (answer.warnings.length > 0) return { state: 'partial', warnings: answer.warnings };
    return { state: 'answer', value, evaluatedAt, infos: answer.infos };
  } catch (thrown) {
    const failure =
      thrown instanceof MetricSourceError ? thrown : new MetricSourceError('malformed', 'the answer could not be read');
    return { state: 'failed', failure };
  }
}

function toSample(vector: InstantVector): Sample {
  const { time, value }: SampleValue = vector.value;
  const { name, labels } = vector.metric;
  if (!isLabels(labels)) throw bad('a sample without labels');
  return { name: name ?? null, labels, value, at: time.getTime() };
}

const bad = (what: string): MetricSourceError =>
  new MetricSourceError('malformed', `the answer of the server: ${what}`);

function toAlert(alert: Alert): SourceAlert {
  const { labels, annotations, state, activeAt, value } = alert;
  return readAlert({ labels, annotations, state, activeAt: activeAt?.toISOString(), value });
}

function readAlert(raw: Readonly<Record<string, unknown>>): SourceAlert {
  const { labels, annotations, state, activeAt, value } = raw;
  const began = typeof activeAt === 'string' ? Date.parse(activeAt) : NaN;
  if (!isLabels(labels) || Number.isNaN(began)) throw bad('an alert without labels or activeAt');
  // `inactive` never appears in these lists; anything else is a state we would not know how to read.
  if (state !== 'pending' && state !== 'firing') throw bad('an alert that is neither pending nor firing');
  return {
    labels,
    annotations: isLabels(annotations) ? annotations : {},
    state,
    activeAt: began,
    value: Number(value),
  };
}

type Raw = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Raw[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : [];
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const seconds = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value * 1000 : 0);

function readRules(data: Raw): AlertingRule[] {
  if (!Array.isArray(data['groups'])) throw bad('no list of rule groups');
  return list(data['groups']).flatMap((group) =>
    list(group['rules'])
      .filter((rule) => rule['type'] === 'alerting')
      .map((rule) => ({
        name: text(rule['name']),
        group: text(group['name']),
        file: text(group['file']),
        query: text(rule['query']),
        forMs: seconds(rule['duration']),
        intervalMs: seconds(group['interval']),
        health: text(rule['health']),
        lastError: text(rule['lastError']) || null,
        lastEvaluation: evaluationTime(rule['lastEvaluation']),
        alerts: list(rule['alerts']).map(readAlert),
      })),
  );
}

/** Before the first evaluation the API gives Go's zero time, year 1. */
function evaluationTime(value: unknown): number | null {
  const at = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(at) || at <= 0 ? null : at;
}

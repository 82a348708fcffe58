import { type PrometheusSourceConfig, sourceAddress } from '../config/connections.ts';
import { MAX_CLOCK_DIFFERENCE_MS } from '../sources/metric-source.ts';
import { prometheusSource } from '../sources/prometheus.ts';
import { fail, type Finding, ok, warn } from './finding.ts';
import { formatDuration } from './time-text.ts';

const WORTH_SAYING_MS = 2_000;

/** Asks each source to evaluate `vector(1)`, all at once. */
export function checkSources(sources: readonly PrometheusSourceConfig[], signal: AbortSignal): Promise<Finding[]> {
  return Promise.all(sources.map((source) => checkSource(source, signal)));
}

async function checkSource(config: PrometheusSourceConfig, signal: AbortSignal): Promise<Finding> {
  const source = prometheusSource(config);
  const name = `${sourceAddress(config)} at ${config.url}`;
  try {
    const look = await source.ready({ signal });
    if (look.state === 'failed')
      return fail(
        'source',
        `${name}: ${look.failure.message}`,
        `curl -sS '${config.url}/api/v1/query?query=vector(1)'`,
      );
    if (look.state === 'partial')
      return warn(
        'source',
        `${name} gives partial answers: ${look.warnings.join('; ')}`,
        'mend what it warns of; partial answers never trigger anything',
      );
    return clock(name, look.value.clockAheadMs);
  } finally {
    source.close();
  }
}

function clock(name: string, aheadMs: number): Finding {
  const off = Math.abs(aheadMs);
  if (off < WORTH_SAYING_MS) return ok('source', `${name} answers`);
  const text = `${name} answers, and its clock is ${formatDuration(off)} ${aheadMs > 0 ? 'ahead of' : 'behind'} ours`;
  const next = 'timedatectl, on both machines';
  return off > MAX_CLOCK_DIFFERENCE_MS
    ? fail('source', `${text}: its answers count as stale`, next)
    : warn('source', text, next);
}

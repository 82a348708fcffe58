/** One look of a trigger at its source. */
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import { type AlertingRule, type Look, type MetricSource, type Sample, staleness } from '../sources/metric-source.ts';
import type { Sighting, TriggerLook } from './fault.ts';

/** Asks the source whether the trigger's condition holds. Never rejects; `now` is our wall clock in milliseconds. */
export async function lookAtSource(
  trigger: TriggerConfig,
  source: MetricSource,
  signal: AbortSignal,
  now: () => number,
): Promise<TriggerLook> {
  const askedAt = now();
  const { condition } = trigger;
  if (condition.kind === 'query')
    return judge(await source.query(condition.query, { signal }), askedAt, now(), sightingsOf);
  const rules = await source.alertingRules({ signal, name: condition.alert });
  return judge(rules, askedAt, now(), (found, evaluatedAt) => firing(condition.alert, found, evaluatedAt));
}

function judge<T>(
  look: Look<T>,
  askedAt: number,
  now: number,
  read: (value: T, evaluatedAt: number) => readonly Sighting[] | Extract<TriggerLook, { message: string }>,
): TriggerLook {
  if (look.state === 'failed') return { kind: 'failed', message: look.failure.message };
  if (look.state === 'partial') return { kind: 'partial', message: look.warnings.join('; ') };
  const stale = staleness(look.evaluatedAt, now);
  if (stale !== null) return { kind: 'stale', message: stale };
  const evaluatedAt = look.evaluatedAt ?? askedAt;
  const seen = read(look.value, evaluatedAt);
  return 'kind' in seen ? seen : { kind: 'answer', seen, askedAt, evaluatedAt };
}

/** A series that is there is true, whatever its value: put the limit into the query. NaN is not a value and not true. */
function sightingsOf(samples: readonly Sample[]): readonly Sighting[] {
  return samples
    .filter((sample) => !Number.isNaN(sample.value))
    .map(({ labels, value }) => ({ labels, value, since: null, certain: true }));
}

/** A rule not evaluated for three of its intervals, or this long if that is longer, says nothing about now. */
const RULE_AGE_MS = 30_000;

/** The name may stand in several groups: then it is one alert with several rules, and all of them have to be healthy. */
function firing(
  alert: string,
  rules: readonly AlertingRule[],
  evaluatedAt: number,
): readonly Sighting[] | Extract<TriggerLook, { message: string }> {
  if (rules.length === 0) {
    return {
      kind: 'failed',
      message: `no alerting rule is named "${alert}"; load the rule into Prometheus or mend the trigger's alert`,
    };
  }
  for (const rule of rules) {
    const ill = illness(rule, evaluatedAt);
    if (ill !== null) return { kind: 'stale', message: `rule "${alert}" of group "${rule.group}" ${ill}` };
  }
  return rules.flatMap((rule) =>
    rule.alerts.map(({ labels, value, activeAt, state }) => ({
      labels,
      value,
      since: activeAt,
      certain: state === 'firing',
    })),
  );
}

function illness(rule: AlertingRule, evaluatedAt: number): string | null {
  if (rule.lastEvaluation === null) return 'was not evaluated yet';
  if (rule.health !== 'ok')
    return `fails (health ${rule.health})${rule.lastError === null ? '' : `: ${rule.lastError.slice(0, 200)}`}`;
  const age = evaluatedAt - rule.lastEvaluation;
  if (age <= Math.max(RULE_AGE_MS, 3 * rule.intervalMs)) return null;
  return `was last evaluated ${Math.round(age / 1000)} s ago; see whether Prometheus keeps up with its rules`;
}

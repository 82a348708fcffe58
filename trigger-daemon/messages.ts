/** What is sent to the coordinator about a fault. */
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import type { ApiEpisodeReport, ApiEvidence, ApiIdentity, ApiRequest } from '../workflows/api.ts';
import type { Fault } from './fault.ts';
import { identitySource } from './fault-identity.ts';

const rfc3339 = (ms: number): string => new Date(ms).toISOString();

function identityOf(trigger: TriggerConfig, fault: Fault, observer: string): ApiIdentity {
  return {
    source: identitySource(trigger),
    labels: { ...fault.labels },
    observer,
    began_at: rfc3339(fault.beganAt),
    gap_s: Math.ceil(trigger.gapMs / 1000),
    ...(trigger.againMs === null ? {} : { again_s: Math.ceil(trigger.againMs / 1000) }),
  };
}

function evidenceOf(trigger: TriggerConfig, fault: Fault): ApiEvidence {
  return {
    summary: summaryOf(trigger, fault),
    observed_at: rfc3339(fault.observedAt),
    valid_until: rfc3339(fault.observedAt + trigger.validForMs),
    labels: { ...fault.seriesLabels },
  };
}

const MAX_SUMMARY = 300;

function summaryOf(trigger: TriggerConfig, fault: Fault): string {
  const { condition } = trigger;
  const what = condition.kind === 'query' ? `query ${condition.query}` : `alert ${condition.alert}`;
  const summary = `${trigger.name}: ${what} holds since ${rfc3339(fault.beganAt)}, value ${fault.value}`.replace(
    /\s+/g,
    ' ',
  );
  return summary.length > MAX_SUMMARY ? `${summary.slice(0, MAX_SUMMARY - 3)}...` : summary;
}

/** The wish to run the trigger's workflow. `fault.aim` has to be good. */
export function requestFor(
  trigger: TriggerConfig,
  fault: Fault,
  observer: string,
  requestId: string,
  now: number,
): ApiRequest {
  if (!fault.aim.ok) throw new TypeError(`no request for a fault that cannot be aimed: ${fault.aim.problem}`);
  return {
    workflow: trigger.workflow,
    target: fault.aim.target,
    args: { ...fault.aim.args },
    evidence: evidenceOf(trigger, fault),
    identity: identityOf(trigger, fault, observer),
    request_id: requestId,
    issued_at: rfc3339(now),
    reason: `trigger ${trigger.name}`,
    ...(trigger.waitMs > 0 ? { wait_s: Math.ceil(trigger.waitMs / 1000) } : {}),
    ...(trigger.nodeTypes === null ? {} : { node_types: [...trigger.nodeTypes] }),
  };
}

export function reportFor(
  trigger: TriggerConfig,
  fault: Fault,
  observer: string,
  state: 'seen' | 'resolved',
): ApiEpisodeReport {
  const identity = identityOf(trigger, fault, observer);
  return state === 'seen' ? { identity, state, evidence: evidenceOf(trigger, fault) } : { identity, state };
}

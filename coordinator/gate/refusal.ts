/** A refusal lists every limit in the way. The gate's answer holds the first few; the rest is looked up, which costs no history. */
import type { Logger } from 'pino';
import type { ApiReason } from '../../workflows/api.ts';
import type { Answer, LimitSummary, ReasonRef } from '../../workflows/gate/operations.ts';
import { targetRef } from '../../workflows/gate/target-ref.ts';
import type { Asked } from '../../workflows/pending-request.ts';
import type { DecideOptions } from './decide.ts';
import type { GateClient } from './gate-client.ts';
import { describeReason, toApiReason } from './reasons.ts';

export type RefusalOptions = {
  readonly gate: Pick<GateClient, 'explain'>;
  readonly ruling: DecideOptions['ruling'];
  readonly log: Logger;
};

export type Refusal = { readonly message: string; readonly reasons: ApiReason[] };

export async function refusalOf(
  options: RefusalOptions,
  asked: Asked,
  answer: Extract<Answer, { a: 'refused' }>,
): Promise<Refusal> {
  const all = answer.more === undefined ? answer.r : await completed(options, asked, answer.r);
  const reasons = all.map((reason) => toApiReason(reason, Date.now()));
  const missing = answer.r.length + (answer.more ?? 0) - reasons.length;
  const rest = missing > 0 ? `; and ${missing} more` : '';
  const { name, maxPending } = asked.plan.definition;
  const full =
    answer.full === true ? `; and it cannot wait: so many requests of ${name} wait already as may (${maxPending})` : '';
  return { message: reasons.map(describeReason).join('; ') + rest + full, reasons };
}

/** As far as it can be told: what the gate said first, then what stands in the way now. */
async function completed(
  { gate, ruling, log }: RefusalOptions,
  { plan }: Asked,
  said: readonly ReasonRef[],
): Promise<readonly ReasonRef[]> {
  try {
    const { labels } = ruling(plan.definition);
    const limits = await gate.explain(plan.definition.name, targetRef(plan.target, labels));
    const known = new Set(said.map(nameOf));
    return [
      ...said,
      ...limits
        .filter(inTheWay)
        .map(reasonOf)
        .filter((reason) => !known.has(nameOf(reason))),
    ];
  } catch (error) {
    log.debug({ error }, 'not all limits in the way could be looked up');
    return said;
  }
}

const inTheWay = ({ allowed, current, limit }: LimitSummary): boolean =>
  limit.k === 'u' ? current + 1 > allowed : current >= allowed;

const reasonOf = ({ limit, scope, allowed, current, free }: LimitSummary): ReasonRef =>
  limit.g === undefined ? [limit.k, scope, allowed, current, free] : [limit.k, scope, allowed, current, free, limit.g];

const nameOf = ([kind, scope, limit, , , name = '']: ReasonRef): string => `${kind} ${scope} ${limit} ${name}`;

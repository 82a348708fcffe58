/** From the gate's yes to a running execution: by whoever asked, or by whoever repeats the ask after that one died. */
import type { Logger } from 'pino';
import { executionId, targetName, type ExecutionInput } from '../workflows/contract.ts';
import type { LeaseRef } from '../workflows/gate/operations.ts';
import type { Asked } from '../workflows/pending-request.ts';
import type { GateClient } from './gate/gate-client.ts';
import { noDecision } from './gate/no-decision.ts';
import { ApiFailure } from './service.ts';
import { isUnreachable } from './temporal.ts';

export type StartOptions = {
  readonly gate: GateClient;
  readonly start: (input: ExecutionInput) => Promise<void>;
  readonly exists: (execution: string) => Promise<boolean>;
  readonly log: Logger;
};

export const executionOf = ({ plan }: Asked, [epoch, n]: LeaseRef): string =>
  executionId(plan.definition.name, targetName(plan.target), { epoch, n });

/** @returns the execution's id. @throws ApiFailure 503: `not_started` when it does not run, and may not any more or not yet */
export async function startAdmitted(
  options: StartOptions,
  asked: Asked,
  lease: LeaseRef,
  startBy: number,
): Promise<string> {
  const execution = executionOf(asked, lease);
  if (Date.now() > startBy) return existing(options, execution);
  try {
    await options.start(inputOf(asked, execution, lease, startBy));
  } catch (error) {
    options.log.error({ error, execution }, 'admitted, but the execution could not be started');
    const why = isUnreachable(error) ? 'Temporal did not answer' : 'Temporal refused the start';
    const message = `${execution} was admitted but not started (${why}); ask again with the same request_id`;
    throw new ApiFailure(503, 'not_started', message, { retryAfterS: 2, cause: error });
  }
  void options.gate
    .ride({ op: 'started', id: `s:${execution}`, at: Date.now(), l: lease })
    .catch((error: unknown) =>
      options.log.debug({ error, execution }, 'the gate was not told of the start; its sweep will see'),
    );
  return execution;
}

const inputOf = (
  { protocol, domain, plan, planDigest, request, caller, reason, evidence, episode, dryRun }: Asked,
  execution: string,
  [epoch, n]: LeaseRef,
  startBy: number,
): ExecutionInput => ({
  protocol,
  domain,
  execution,
  lease: { epoch, n },
  startBy,
  plan,
  planDigest,
  request,
  caller,
  reason,
  evidence,
  episode: episode?.id ?? null,
  dryRun,
});

/** Past its start-by an execution is not started any more: either somebody did, or the lease frees itself. */
async function existing(options: StartOptions, execution: string): Promise<string> {
  if (await options.exists(execution).catch((error: unknown) => Promise.reject(noDecision(error)))) return execution;
  const message = `${execution} was admitted but never started; its lease frees itself within seconds: ask again with the same request_id`;
  throw new ApiFailure(503, 'not_started', message, { retryAfterS: 10 });
}

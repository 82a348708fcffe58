/** Calls people when a remedy did not help: one JSON post to each named webhook. */
import { readFile } from 'node:fs/promises';
import { ApplicationFailure } from '@temporalio/activity';
import type { Logger } from 'pino';
import { fetch } from 'undici';
import type { NotifyConfig } from '../../config/coordinator.ts';
import type { NotifyInput } from '../../workflows/activities.ts';
import { targetName } from '../../workflows/contract.ts';

/** The body that a webhook gets. */
export type Notification = {
  readonly event: 'execution_ended';
  readonly execution: string;
  readonly workflow: string;
  readonly target: string;
  readonly outcome: string;
  readonly message: string;
  readonly at: string;
};

/** Each address is posted to on its own; one that fails makes Temporal retry, and those already told are told again with the same body. */
export const createNotify =
  (targets: () => readonly NotifyConfig[], log: Logger) =>
  async (input: NotifyInput): Promise<void> => {
    const known = targets();
    const results = await Promise.allSettled(
      input.to.map(async (name) => {
        const target = known.find((one) => one.name === name);
        if (target === undefined) {
          log.error({ execution: input.execution, notify: name }, 'nobody to call under this name: add a notify block');
          return;
        }
        await post(target, bodyOf(input));
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw ApplicationFailure.retryable(String(failed.reason));
  };

const bodyOf = (input: NotifyInput): Notification => ({
  event: 'execution_ended',
  execution: input.execution,
  workflow: input.plan.definition.name,
  target: targetName(input.plan.target),
  outcome: input.outcome,
  message: input.message,
  at: new Date().toISOString(),
});

async function post(target: NotifyConfig, body: Notification): Promise<void> {
  const bearer = target.bearerFile === null ? null : (await readFile(target.bearerFile, 'utf8')).trim();
  const answer = await fetch(target.url, {
    method: 'POST',
    redirect: 'error',
    headers: { 'content-type': 'application/json', ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }) },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(target.timeoutMs),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`notify "${target.name}" answered ${answer.status}`);
}

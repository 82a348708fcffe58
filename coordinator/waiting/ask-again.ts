/** What the workflow of a request that waits has coordinators do: ask the gate once more, start what it admits, take leave. */
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { AccessConfig } from '../../config/coordinator.ts';
import { parseSpiffeId } from '../../config/spiffe-id.ts';
import type { Answer } from '../../workflows/gate/operations.ts';
import type {
  AskAgainInput,
  AskAgainResult,
  Asked,
  LeaveInput,
  PendingActivities,
  PendingOutcome,
} from '../../workflows/pending-request.ts';
import { ANONYMOUS, mayDo } from '../access.ts';
import { askOf } from '../ask.ts';
import { decide, submit, type DecideOptions } from '../gate/decide.ts';
import { describeReason, toApiReason } from '../gate/reasons.ts';
import { ApiFailure, type Caller } from '../service.ts';
import { executionOf, startAdmitted, type StartOptions } from '../start-admitted.ts';
import { evidenceWhileWaiting } from './evidence.ts';
import { keyOf, pendingOf } from './pending-id.ts';

const HEARTBEAT_MS = 1_000;
/** Temporal's lists of executions are behind by as much as this. */
const RECORDED_MS = 3_000;

export type AskAgainOptions = DecideOptions &
  StartOptions & {
    readonly access: () => AccessConfig;
    /** The execution that was started for a request since then, if any. */
    readonly startedFor: (asked: Pick<Asked, 'domain' | 'request' | 'caller'>, since: number) => Promise<string | null>;
    readonly onDecision: (decision: string, workflow: string) => void;
  };

export const createPendingActivities = (options: AskAgainOptions): PendingActivities => ({
  askAgain: async (input) => {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
    try {
      return await askAgain(options, input);
    } finally {
      clearInterval(beat);
    }
  },
  leave: (input) => leave(options, input),
});

/** Failures are thrown: Temporal repeats the whole, and the gate answers the same operation as it did. */
export async function askAgain(options: AskAgainOptions, input: AskAgainInput): Promise<AskAgainResult> {
  const { definition } = input.plan;
  const result = await askOnce(options, input);
  if (result.state === 'ended') {
    options.onDecision(result.outcome === 'admitted' ? 'admitted' : 'ended', definition.name);
    options.log.info(
      { audit: 'waited', pending: input.rq, request: input.request, caller: input.caller, ...result },
      `waited: ${result.outcome}`,
    );
  }
  return result;
}

async function askOnce(options: AskAgainOptions, input: AskAgainInput): Promise<AskAgainResult> {
  const { definition } = input.plan;
  const forbidden = mayStillRun(options.access(), input);
  if (forbidden !== null) {
    await leave(options, { rq: input.rq, why: forbidden });
    return ended('refused', forbidden);
  }
  const ask = askOf(input, options.ruling(definition), {
    id: `a:${keyOf(input.rq)}/${input.n}`,
    at: input.at,
    evidenceUntil: evidenceWhileWaiting(input.wish, input.evidence, input.at),
    // Whoever got his yes waits for limits as long as he might have waited for it, or as he said.
    waitUntil: Math.max(input.until, input.waitUntil ?? 0),
    rq: input.rq,
  });
  return follow(options, input, await decide(options, ask, definition));
}

/** Rules may have changed while it waited, and what they no longer allow is not begun any more. Null: it may. */
function mayStillRun(access: AccessConfig, { caller, plan: { definition, target } }: AskAgainInput): string | null {
  const nodeTypes = target.kind === 'datacenter' ? [] : [target.nodeType];
  const allowed = mayDo(access, callerOf(caller), 'run', { workflow: definition.name, nodeTypes });
  return allowed.allowed ? null : allowed.reason;
}

const callerOf = (text: string): Caller =>
  text === ANONYMOUS ? { kind: 'anonymous' } : { kind: 'identified', id: parseSpiffeId(text) };

async function follow(options: AskAgainOptions, input: AskAgainInput, answer: Answer): Promise<AskAgainResult> {
  switch (answer.a) {
    case 'admitted':
      return admitted(options, input, answer);
    case 'duplicate':
      if (answer.same && !answer.st && Date.now() < answer.sb) return admitted(options, input, answer);
      return ended('admitted', 'its fault was admitted meanwhile', executionOf(input, answer.l));
    case 'pending':
      if (answer.rq !== input.rq) return ended('refused', `the same fault waits already, as ${pendingOf(answer.rq)}`);
      return { state: 'waits', askAgain: answer.ra, until: answer.u };
    case 'ended':
      return ended(...ENDED[answer.c](answer.by ?? 'somebody'));
    case 'refused':
      return ended('refused', answer.r.map((reason) => describeReason(toApiReason(reason, Date.now()))).join('; '));
    case 'paused':
      return ended('refused', `paused: ${answer.why}`);
    case 'shadow':
      return ended('refused', 'the workflow is in shadow mode now: nothing runs');
    case 'stale_evidence':
      return ended('expired', 'what was seen is too old to act on');
    case 'too_old':
      return forgotten(options, input);
    case 'reused':
      return ended('refused', 'another plan waits under this id');
    default:
      throw new ApiFailure(503, 'no_decision', `the gate answered ${answer.a} to a request that waits`);
  }
}

/**
 * The gate no longer knows what it answered, as after thousands of answers in a moment. Had it admitted, and somebody started it and died, asking
 * anew would do it twice; so the record is looked at first.
 */
async function forgotten(options: AskAgainOptions, input: AskAgainInput): Promise<AskAgainResult> {
  if (/['"\\]/.test(input.request))
    return ended(
      'expired',
      'the gate forgot what it answered, and whether it was started cannot be told; look, and ask again',
    );
  await delay(RECORDED_MS);
  const execution = await options.startedFor(input, input.at - RECORDED_MS);
  if (execution !== null) return ended('admitted', 'admitted and started', execution);
  return { state: 'waits', askAgain: Date.now(), until: input.until };
}

type Admitted = Extract<Answer, { a: 'admitted' | 'duplicate' }>;

async function admitted(options: AskAgainOptions, input: AskAgainInput, { l, sb }: Admitted): Promise<AskAgainResult> {
  try {
    return ended('admitted', 'admitted and started', await startAdmitted(options, input, l, sb));
  } catch (error) {
    const late = error instanceof ApiFailure && error.code === 'not_started' && Date.now() > sb;
    if (!late) throw error;
    return ended('expired', `${executionOf(input, l)} was admitted, and nobody could start it in time; ask again`);
  }
}

const ended = (outcome: PendingOutcome, message: string, execution: string | null = null): AskAgainResult => ({
  state: 'ended',
  outcome,
  execution,
  message,
});

const ENDED: Readonly<Record<Extract<Answer, { a: 'ended' }>['c'], (by: string) => readonly [PendingOutcome, string]>> =
  {
    no_fault: () => ['no_fault', 'the fault was over before its turn came'],
    stale_evidence: () => ['expired', 'what was seen is too old to act on, and nobody has seen it again'],
    wait_over: () => ['expired', 'waited as long as it may'],
    denied: (by) => ['denied', `denied by ${by}`],
    not_waiting: () => ['expired', 'the gate no longer knows of it; ask again'],
  };

async function leave({ gate }: AskAgainOptions, { rq, why }: LeaveInput): Promise<void> {
  await submit(gate, { op: 'leave', id: `l:${keyOf(rq)}`, at: Date.now(), rq, why: why.slice(0, 120) });
}

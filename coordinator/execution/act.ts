/**
 * One attempt of one step (docs/protocol.md §5, §6): permit from the gate → signed grant → standalone activity in the agents' namespace →
 * receipt → proof to the gate. A coordinator that dies in the middle is replaced by Temporal's retry, which repeats the same permit and
 * joins the same action by its id. It ends with proof that nothing of the attempt can still act, or says that there is none.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { ActInput, StepCall } from '../../workflows/activities.ts';
import {
  ACTIONS,
  agentSpiffePath,
  formatLease,
  type ArgValue,
  type NodePlace,
  type StepRecord,
  type StepResult,
  type WorkflowDefinition,
} from '../../workflows/contract.ts';
import { lookCall } from '../../workflows/look.ts';
import type { Answer, Result, TargetRef } from '../../workflows/gate/operations.ts';
import { targetRef } from '../../workflows/gate/target-ref.ts';
import { digestOf, shortDigestOf } from '../digest.ts';
import type { Fleet } from '../fleet.ts';
import type { GateClient } from '../gate/gate-client.ts';
import type { ActProgress } from '../timeline.ts';
import type { Nodes } from '../nodes/nodes.ts';
import { claimNode } from './claim.ts';
import { CALL_GRACE_MS, runAction, type Courier } from './courier.ts';
import { fillArgs, FillError } from '../../workflows/fill.ts';
import { settle } from './settle.ts';

const HEARTBEAT_MS = 1_000;

export type ActOptions = {
  readonly gate: GateClient;
  readonly fleet: Fleet;
  readonly nodes: Pick<Nodes, 'recent'>;
  /** Labels that limits count by. */
  readonly labelsOf: (definition: WorkflowDefinition) => readonly string[];
  readonly courier: Courier;
  /** SPIFFE trust domain of agents. */
  readonly agentTrustDomain: string;
  readonly log: Logger;
  readonly onStep?: (action: string, status: string) => void;
  /** Where a fault drill may kill this coordinator: see CoordinatorDrills. */
  readonly drills?: Partial<Record<'beforeOrder' | 'beforeProof', (execution: string, step: string) => Promise<void>>>;
};

export const agentId = (trustDomain: string, place: NodePlace): string =>
  `spiffe://${trustDomain}${agentSpiffePath(place)}`;

/** What is known so far, also told to Temporal with each heartbeat so that `fettle watch` sees it. */
type Progress = ActProgress & {
  phase: 'permit' | 'sent' | 'settling';
  node: string | null;
  permittedAt: number | null;
};

export const createAct =
  (options: ActOptions) =>
  async (input: ActInput): Promise<StepRecord> => {
    const context = Context.current();
    const { call, attempt: number } = input;
    const progress: Progress = { phase: 'permit', step: call.name, attempt: number, node: null, permittedAt: null };
    const beat = setInterval(() => context.heartbeat(progress), HEARTBEAT_MS);
    try {
      const record = await attempt(options, input, progress, context);
      options.onStep?.(input.call.action, record.result.status);
      return record;
    } finally {
      clearInterval(beat);
    }
  };

async function attempt(
  options: ActOptions,
  input: ActInput,
  progress: Progress,
  context: Context,
): Promise<StepRecord> {
  const args = checkedArguments(input);
  const signal = context.cancellationSignal;
  const first = context.info.attempt === 1;
  const [chosen] = await Promise.all([choosePlace(options, input, first), readAhead(options, input)]);
  if (chosen === null) {
    return record(input, progress, {
      status: 'no_permit',
      code: 'no_agent',
      message: 'no agent takes orders on the queue of this step',
    });
  }
  const before = await options.nodes.recent(chosen.node);
  // Later tries must join what an earlier one may have sent.
  if (before.revoked !== null && first) {
    progress.node = chosen.node;
    const { by, reason } = before.revoked;
    const message = `node ${chosen.node} was shut out by ${by} (${reason}); fettle nodes restore ${chosen.node} lets it in again`;
    return record(input, progress, { status: 'no_permit', code: 'node_revoked', message });
  }
  const { place, answer } = await askPermit(options, input, chosen);
  progress.node = place.node;
  if (answer.a !== 'permit') return record(input, progress, refusal(answer));
  progress.permittedAt = answer.at;
  progress.phase = 'sent';
  const { machine, revoked } = await options.nodes.recent(place.node);
  const order = {
    place,
    agent: agentId(options.agentTrustDomain, place),
    machineId: machine?.id ?? null,
    joinOnly: revoked !== null,
    execution: input.execution,
    step: input.call.name,
    attempt: input.attempt,
    action: input.call.action,
    args,
    argsDigest: digestOf(args),
    plan: input.planDigest,
    nonce: answer.no,
    issuedAt: answer.at,
    beginBy: answer.bb,
    busyUntil: answer.bu,
    timeoutMs: input.call.timeoutMs,
    dryRun: input.dryRun,
    supersedes: input.supersedes ?? null,
  };
  await options.drills?.beforeOrder?.(input.execution, input.call.name);
  const sent = await runAction(options.courier, order, signal);
  if (sent.status === 'answered') {
    await options.drills?.beforeProof?.(input.execution, input.call.name);
    await prove(options, input, sent.claims.result.status);
    return record(input, progress, sent.claims.result, sent.claims.from, sent.claims.to);
  }
  options.log.warn(
    { execution: input.execution, step: input.call.name, node: place.node, why: sent.why },
    'action unanswered: settling',
  );
  progress.phase = 'settling';
  const settled = await settle(options.courier, { ...order, delivered: sent.delivered }, signal);
  if (settled.status !== 'unsettled')
    await prove(options, input, settled.neverBegun ? 'never_begun' : settled.result.status);
  const outcome: StepResult =
    settled.status === 'unsettled' ? { status: 'unsettled', message: `${sent.why}; ${settled.why}` } : settled.result;
  return record(input, progress, outcome);
}

/** The step must be what the plan says, and the plan what the gate admitted. */
export function checkedArguments(input: ActInput): Record<string, ArgValue> {
  const { plan, planDigest, call } = input;
  if (shortDigestOf(plan) !== planDigest)
    throw ApplicationFailure.nonRetryable('the plan is not the one that was admitted');
  const { definition } = plan;
  if (definition.steps.length > 0) {
    const { steps, undo, onFailure, verify } = definition;
    const looks = verify !== null && 'action' in verify ? [lookCall(verify)] : [];
    const declared = [...steps, ...undo, ...(onFailure?.steps ?? []), ...looks];
    const wanted = declared.find((step) => step.name === call.name);
    const same = wanted !== undefined && digestOf(essence(wanted)) === digestOf(essence(call));
    if (!same) throw ApplicationFailure.nonRetryable(`step "${call.name}" is not the plan's`);
  }
  if (ACTIONS[call.action] === undefined) throw ApplicationFailure.nonRetryable(`there is no action "${call.action}"`);
  try {
    return fillArgs(call.args, plan);
  } catch (error) {
    if (error instanceof FillError) throw ApplicationFailure.nonRetryable(`step "${call.name}": ${error.message}`);
    throw error;
  }
}

const essence = ({ action, args, timeoutMs }: Pick<StepCall, 'action' | 'args' | 'timeoutMs'>) => ({
  action,
  args,
  timeoutMs,
});

/** Which node acts: the target itself, or whoever claims the step on a shared queue. Null: nobody is there. */
async function choosePlace(options: ActOptions, input: ActInput, first: boolean): Promise<NodePlace | null> {
  const { definition, target } = input.plan;
  if (definition.taskQueueTarget.kind === 'node') {
    if (target.kind !== 'node')
      throw ApplicationFailure.nonRetryable('a workflow that runs on a node needs a node as its target');
    // Later tries may only join what an earlier one sent, so they ask nobody whether the agent is there now.
    return !first || (await options.fleet.polled(target)) ? target : null;
  }
  return claimNode(options.courier, input, options.agentTrustDomain);
}

/** The record of the target is read while its queue is looked at: it then costs the way of an order nothing. */
async function readAhead({ nodes }: ActOptions, { plan: { target } }: ActInput): Promise<void> {
  if (target.kind === 'node') await nodes.recent(target.node).catch(() => undefined);
}

/** A step that already has its node keeps it, whoever claimed it this time. */
async function askPermit(
  options: ActOptions,
  input: ActInput,
  claimed: NodePlace,
): Promise<{ place: NodePlace; answer: Answer }> {
  const answer = await permitFor(options, input, claimed);
  if (answer.a !== 'no_permit' || answer.c !== 'other_node' || answer.why === undefined)
    return { place: claimed, answer };
  const [fixed] = (await options.fleet.view()).nodes.get(answer.why) ?? [];
  if (fixed === undefined) return { place: claimed, answer };
  return { place: fixed, answer: await permitFor(options, input, fixed) };
}

async function permitFor(options: ActOptions, input: ActInput, place: NodePlace): Promise<Answer> {
  const { call, attempt, asking, lease } = input;
  const { node } = place;
  const elsewhere = await placeOf(options, input, place);
  return options.gate.submit({
    op: 'permit',
    id: `p:${formatLease(lease)}/${call.name}/${attempt}/${asking}/${node}`,
    at: Date.now(),
    l: [lease.epoch, lease.n],
    p: input.planDigest,
    s: call.name,
    a: attempt,
    n: node,
    ...(elsewhere === null ? {} : { t: elsewhere }),
    busy: call.timeoutMs + CALL_GRACE_MS,
    ...(ACTIONS[call.action]?.changing === false ? {} : { ch: true as const }),
    ...(call.undo ? { undo: true as const } : {}),
    ...(call.stillFiring ? { sf: true as const } : {}),
    ...(input.supersedes === undefined ? {} : { sup: input.supersedes }),
  });
}

/** Another node than the one that was admitted meets its own limits now, so the gate is told all that they count by; null: it is the target. */
async function placeOf(options: ActOptions, { plan }: ActInput, place: NodePlace): Promise<TargetRef | null> {
  if (plan.target.kind === 'node' && plan.target.node === place.node) return null;
  const known = (await options.fleet.view()).nodes.get(place.node) ?? [];
  const labels = known.find((one) => one.inInventory)?.labels ?? {};
  const { n: _, ...ref } = targetRef({ kind: 'node', ...place, labels }, options.labelsOf(plan.definition));
  return ref;
}

function refusal(answer: Answer): StepResult {
  if (answer.a !== 'no_permit') {
    return { status: 'no_permit', code: 'too_late', message: `the gate answered ${answer.a} to the permit` };
  }
  const why = answer.why === undefined || answer.why === '' ? '' : ` (${answer.why})`;
  return { status: 'no_permit', code: answer.c, message: `${MEANING[answer.c]}${why}` };
}

const MEANING: Readonly<Record<Extract<Answer, { a: 'no_permit' }>['c'], string>> = {
  no_lease: 'its lease has ended',
  lease_ended: 'its lease has ended',
  plan_differs: 'the plan is not the one that was admitted',
  paused: 'paused',
  window: 'a maintenance window is closed',
  stale_evidence: 'what was seen is too old to begin a change on',
  no_fault: 'the fault is no longer seen',
  node_busy: 'another change is under way on the node',
  node_limit: 'a limit has no room for the node that would act',
  attempt_unsettled: 'an earlier attempt may still act',
  other_node: 'the step belongs to another node',
  no_agent: 'no agent takes orders there',
  node_revoked: 'the node is shut out',
  too_late: 'it came too late',
};

/** Tells the gate that this attempt can act no more; must arrive, so a failure makes Temporal retry the whole. */
async function prove(options: ActOptions, input: ActInput, r: Result['r']): Promise<void> {
  const { lease, call, attempt } = input;
  await options.gate.submit({
    op: 'result',
    id: `r:${formatLease(lease)}/${call.name}/${attempt}`,
    at: Date.now(),
    l: [lease.epoch, lease.n],
    s: call.name,
    a: attempt,
    r,
  });
}

const record = (
  input: ActInput,
  progress: Progress,
  result: StepResult,
  began: number | null = null,
  ended: number | null = null,
): StepRecord => ({
  step: input.call.name,
  action: input.call.action,
  attempt: input.attempt,
  node: progress.node,
  permittedAt: progress.permittedAt,
  began,
  ended,
  result,
});

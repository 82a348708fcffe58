/** Proof by asking the host: the looks of a `verify` block that names an action. Each is one `act`, with permit, order and receipt. */
import { sleep } from '@temporalio/workflow';
import { ACTIONS, type ActionProof, type Plan, type StepRecord } from './contract.ts';
import { unmet } from './expectation.ts';
import { beginVerification, takeLook, type HealthLook } from './verification.ts';

type Proven = { readonly healthy: boolean; readonly message: string; readonly last: StepRecord };

/** Looks until it held long enough or its time is over; `look` sends the numbered look. */
export async function proveByLooking(
  plan: Plan,
  proof: ActionProof,
  look: (number: number, supersedes: number | undefined) => Promise<StepRecord>,
): Promise<Proven> {
  const begun = Date.now();
  let state = beginVerification(begun);
  let supersedes: number | undefined;
  for (let number = 1; ; number += 1) {
    const lookedAt = Date.now();
    const last = await look(number, supersedes);
    supersedes = last.result.status === 'unsettled' ? number : undefined;
    const seen = healthOf(last, proof, plan);
    const step = takeLook(state, seen, Date.now(), proof);
    state = step.state;
    const told = `${proof.action}: ${textOf(seen)} (look ${number}, ${seconds(Date.now() - begun)} s)`;
    if (step.verdict === 'held') return { healthy: true, message: `verified: ${told}`, last };
    const next = Math.max(0, proof.everyMs - (Date.now() - lookedAt));
    const over = step.verdict === 'timed_out' || Date.now() + next - begun > proof.timeoutMs;
    if (over || isFinal(last)) return { healthy: false, message: `not healthy: ${told}`, last };
    await sleep(next);
  }
}

/** A look that the host, or what leads to it, could not take says nothing about health. */
function healthOf({ result, action }: StepRecord, proof: ActionProof, plan: Plan): HealthLook {
  if (result.status === 'done') {
    const why = unmet(proof.expect, result.output.facts, plan);
    return why === null ? { kind: 'healthy' } : { kind: 'unhealthy', why };
  }
  if (result.status === 'failed' && (result.code === 'exit' || result.code === 'timeout'))
    return { kind: 'unhealthy', why: result.message };
  return { kind: 'cannot_tell', why: `${action}: ${result.message}` };
}

const textOf = (look: HealthLook): string =>
  look.kind === 'healthy'
    ? 'as expected'
    : look.kind === 'unhealthy'
      ? (look.why ?? 'unhealthy')
      : `cannot tell: ${look.why}`;

/** Refusals that say nothing against the order itself, but against this moment. */
const PASSING: ReadonlySet<string> = new Set(['busy', 'brake', 'grant_expired', 'attempt_refused']);

const LOST: ReadonlySet<string> = new Set(['no_lease', 'lease_ended', 'plan_differs', 'other_node']);

/** Looking again cannot give another answer. */
function isFinal({ result, action }: StepRecord): boolean {
  if (result.status === 'refused') return !PASSING.has(result.code);
  if (result.status === 'no_permit') return LOST.has(result.code);
  // A command whose end is unknown may still be at work, and nothing replaces it.
  return result.status === 'unsettled' && ACTIONS[action]?.idempotent !== true;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

/**
 * Everything behind a workflow that `fettle test` does without: gate, agents, sources, people. Steps are judged as a coordinator and an
 * agent judge them (is it the plan's, have its references values, does the action take these arguments), and then end as was asked for.
 */
import { argumentCheck } from '../agent/actions/argument-check.ts';
import { checkedArguments } from '../coordinator/execution/act.ts';
import type { ActInput, NotifyInput, ReleaseInput, VerifyInput, VerifyResult } from '../workflows/activities.ts';
import {
  type ActionProof,
  type Args,
  type ArgValue,
  type Plan,
  type Scalar,
  type StepRecord,
  type StepResult,
} from '../workflows/contract.ts';
import { isBounds } from '../workflows/expectation.ts';
import { fillArg } from '../workflows/fill.ts';
import { type Fake, type Fakes, resultOf } from './fakes.ts';
import type { ActivityAnswer, ActivityCall } from './workflow-sandbox.ts';

/** One thing that happened, times in milliseconds after the start. */
export type TestEvent = {
  readonly at_ms: number;
  readonly what: 'step' | 'undo' | 'on_failure' | 'look' | 'verify' | 'notify' | 'release';
  readonly step: string | null;
  readonly attempt: number | null;
  readonly action: string | null;
  readonly args: Filled;
  readonly took_ms: number;
  readonly status: string;
  readonly message: string;
};

export type FakeFleet = {
  readonly answer: (call: ActivityCall) => ActivityAnswer;
  readonly events: readonly TestEvent[];
  /** Names that steps bore. */
  readonly seen: ReadonlySet<string>;
};

const ACT_MS = 1_000;
const DONE: Fake = { word: 'done', code: null };

export function createFakeFleet(fakes: Fakes, startedAt: number, node: string): FakeFleet {
  const events: TestEvent[] = [];
  const seen = new Set<string>();
  const fleet = { fakes, node, seen };
  return {
    events,
    seen,
    answer: ({ type, input, at }) => {
      const { answer, event } = answerTo(fleet, type, input, at);
      events.push({ ...event, at_ms: at - startedAt, took_ms: answer.tookMs });
      return answer;
    },
  };
}

type Told = { readonly answer: ActivityAnswer; readonly event: Omit<TestEvent, 'at_ms' | 'took_ms'> };
type Fleet = { readonly fakes: Fakes; readonly node: string; readonly seen: Set<string> };

const QUIET = { step: null, attempt: null, action: null, args: {} };

function answerTo(fleet: Fleet, type: string, input: unknown, at: number): Told {
  if (type === 'act') return act(fleet, input as ActInput, at);
  if (type === 'verify') return verify(fleet, input as VerifyInput);
  if (type === 'notify') {
    const { to, message } = input as NotifyInput;
    const event = { ...QUIET, what: 'notify' as const, status: 'sent', message: `${to.join(', ')}: ${message}` };
    return { answer: { result: null, tookMs: 0 }, event };
  }
  const { outcome } = input as ReleaseInput;
  const event = { ...QUIET, what: 'release' as const, status: 'released', message: `its limits are free: ${outcome}` };
  return { answer: { result: { held: false }, tookMs: 0 }, event };
}

function act({ fakes, node, seen }: Fleet, input: ActInput, at: number): Told {
  const { call, attempt } = input;
  seen.add(call.name);
  const args = judgedArguments(input);
  if (typeof args === 'string') return impossible(input, args);
  const fake = fakes.of(call.name, attempt) ?? DONE;
  const result = refusalOf(call.action, args) ?? fakedResult(fakes, fake, input);
  const tookMs = durationOf(result, call.timeoutMs);
  return {
    answer: { result: recordOf(input, result, { node, at, tookMs }), tookMs, cancels: fake.word === 'cancelled' },
    event: { ...eventOf(input), args, status: statusOf(result), message: messageOf(result) },
  };
}

/** A look is answered with facts that are as expected, or with none of them. */
function fakedResult(fakes: Fakes, fake: Fake, { call, plan }: ActInput): StepResult {
  const told = fakes.facts(call.name);
  if (call.look !== true) return resultOf(fake, told);
  const expected = expectedFacts(plan);
  if (fake.word !== 'unhealthy') return resultOf(fake, { ...expected, ...told });
  return resultOf(Object.keys(expected).length > 0 ? DONE : fake, told);
}

const NOT_BEGUN: ReadonlySet<StepResult['status']> = new Set(['refused', 'no_permit', 'unsettled']);

function recordOf(
  { call, attempt }: ActInput,
  result: StepResult,
  { node, at, tookMs }: { node: string; at: number; tookMs: number },
): StepRecord {
  const permitted = result.status !== 'no_permit';
  const began = !NOT_BEGUN.has(result.status);
  return {
    step: call.name,
    action: call.action,
    attempt,
    node: permitted ? node : null,
    permittedAt: permitted ? at : null,
    began: began ? at : null,
    ended: began ? at + tookMs : null,
    result,
  };
}

function eventOf({ call, attempt, plan }: ActInput): Pick<TestEvent, 'what' | 'step' | 'attempt' | 'action'> {
  const escalates = plan.definition.onFailure?.steps.some(({ name }) => name === call.name) === true;
  const what = call.look === true ? 'look' : call.undo ? 'undo' : escalates ? 'on_failure' : 'step';
  return { what, step: call.name, attempt, action: call.action };
}

type Filled = Readonly<Record<string, ArgValue>>;

/** Its filled arguments, or why a coordinator would not send such an order. */
function judgedArguments(input: ActInput): Filled | string {
  try {
    return checkedArguments(input);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const impossible = (input: ActInput, failure: string): Told => ({
  answer: { result: null, failure, tookMs: 0 },
  event: { ...eventOf(input), args: {}, status: 'failed', message: failure },
});

const statusOf = (result: StepResult): string =>
  'code' in result ? `${result.status} (${result.code})` : result.status;
const messageOf = (result: StepResult): string =>
  result.status === 'done'
    ? Object.entries(result.output.facts)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')
    : result.message;

const durationOf = (result: StepResult, timeoutMs: number): number =>
  result.status === 'no_permit'
    ? 0
    : result.status === 'failed' && result.code === 'timeout'
      ? timeoutMs
      : Math.min(ACT_MS, timeoutMs);

/** The agent's own judgement of arguments; of those that hold a secret only a host can judge. */
function refusalOf(action: string, args: Filled): StepResult | null {
  if (Object.values(args).some(hasSecret)) return null;
  try {
    argumentCheck(action)(args as Args);
    return null;
  } catch (error) {
    return { status: 'refused', code: 'args_invalid', message: error instanceof Error ? error.message : String(error) };
  }
}

const hasSecret = (value: ArgValue): boolean =>
  Array.isArray(value) ? value.some(hasSecret) : typeof value === 'object' && 'template' in value;

const proofOf = ({ definition: { verify: proof } }: Plan): ActionProof | null =>
  proof !== null && 'action' in proof ? proof : null;

/** Facts that satisfy the plan's `verify`. */
function expectedFacts(plan: Plan): Record<string, Scalar> {
  const facts = Object.entries(proofOf(plan)?.expect ?? {}).map(([name, expected]) => {
    const wanted = fillArg(isBounds(expected) ? (expected.min ?? expected.max ?? 0) : expected, plan);
    return [name, (Array.isArray(wanted) ? wanted[0] : wanted) as Scalar];
  });
  return Object.fromEntries(facts);
}

function verify({ fakes, seen }: Fleet, { plan }: VerifyInput): Told {
  seen.add('verify');
  const { verify: proof } = plan.definition;
  const { word } = fakes.of('verify', 1) ?? { word: 'healthy' };
  const healthy = word === 'healthy' || word === 'done';
  const query = proof !== null && 'query' in proof ? `${proof.source}, ` : '';
  const result: VerifyResult = {
    healthy,
    message: `${healthy ? 'verified' : 'not healthy'}: ${query}as faked`,
  };
  const tookMs = healthy ? (proof?.forMs ?? 0) : (proof?.timeoutMs ?? 0);
  const event = {
    ...QUIET,
    what: 'verify' as const,
    step: 'verify',
    status: healthy ? 'healthy' : 'unhealthy',
    message: result.message,
  };
  return { answer: { result, tookMs, cancels: word === 'cancelled' }, event };
}

import { type ActionOrder, ACTIONS, type ActionResult, type GrantClaims } from '../workflows/contract.ts';
import { actionRun, clean, noteProcess, runSafely } from './action-run.ts';
import { ALL_ACTIONS } from './actions/all-actions.ts';
import type { Action, ActionEnd, PreparedAction } from './actions/action.ts';
import { fence } from './attempts.ts';
import { checkBrake, followBrake } from './brake.ts';
import { changes } from './changes.ts';
import { sha256 } from './digest.ts';
import { LedgerError } from './durable-file.ts';
import { checkBeginBy } from './grants.ts';
import { attemptKey, type Room } from './ledger.ts';
import type { Attempt, Begun } from './ledger-records.ts';
import type { Job, OpenedOrder, Performed, PerformerSetting } from './order-job.ts';
import { createUnrecorded, onRecord, outcomeOf, putOnRecord } from './recorded-answers.ts';
import { RefusalError } from './refusal.ts';
import { runLaunched } from './launched-run.ts';
import { fillSecrets } from './secrets.ts';
import type { Turn, Turns } from './turns.ts';

/** What answering orders that change nothing takes. */
export type LookSetting = Pick<PerformerSetting, 'host' | 'allow' | 'slots' | 'brakeFile' | 'secretsDir'>;

export type Performer = {
  /**
   * Does what a checked grant says, at most once, or says why not. `signal` ends it early. Never rejects for what an order, a host
   * or a disk can do.
   */
  readonly perform: (order: OpenedOrder, signal: AbortSignal) => Promise<Performed>;
  /**
   * What is on record for this very grant, letter by letter; null when nothing is. Asked when the grant no longer checks (its key
   * was replaced, say): what has once begun is never answered as refused.
   */
  readonly recall: (claims: GrantClaims, grant: string, signal: AbortSignal) => Promise<Performed | null>;
};

export function createPerformer(setting: PerformerSetting): Performer {
  /** Orders of this process that are being answered, by attempt: a second delivery gets the first one's answer. */
  const inFlight = new Map<
    string,
    { readonly nonce: string; readonly abort: AbortController; readonly answer: Promise<Performed> }
  >();
  const unrecorded = createUnrecorded();
  return {
    async perform(opened, signal) {
      const { claims } = opened;
      const attempt = attemptOf(claims);
      if (!usesLedger(claims)) return performLook(setting, opened, signal);
      const key = attemptKey(attempt);
      const failed = unrecorded.get(key);
      if (failed !== undefined) return { ...failed, repeated: true };
      for (let earlier = inFlight.get(key); earlier !== undefined; earlier = inFlight.get(key)) {
        const following = follow(signal, earlier.abort);
        const answer = await earlier.answer.finally(following);
        if (earlier.nonce === claims.jti) return { ...answer, repeated: true };
      }
      const abort = new AbortController();
      const following = follow(signal, abort);
      const answer = carryOut(setting, { ...opened, attempt, signal: abort.signal }, (reason) => abort.abort(reason));
      inFlight.set(key, { nonce: claims.jti, abort, answer });
      try {
        return unrecorded.keep(key, claims.begin_by, await answer);
      } finally {
        following();
        inFlight.delete(key);
      }
    },
    async recall(claims, grant, signal) {
      if (!usesLedger(claims)) return null;
      const attempt = attemptOf(claims);
      return asRefusal(async () => {
        const state = await setting.attempts.stateOf(attempt);
        if (state.state !== 'running' && state.state !== 'ended') return null;
        if (state.begun.grantDigest !== sha256(grant)) return null;
        return outcomeOf(setting, attempt, signal);
      });
    },
  };
}

/** Does what changes nothing, or rehearses what would; without a ledger. */
export const performLook = (setting: LookSetting, opened: OpenedOrder, signal: AbortSignal): Promise<Performed> =>
  asRefusal(() => lookOnly(setting, { ...opened, attempt: attemptOf(opened.claims), signal }));

const attemptOf = ({ execution, step, attempt }: GrantClaims): Attempt => ({ execution, step, attempt });

/** Every changing action, unless it is only rehearsed. */
const usesLedger = (claims: GrantClaims): boolean => !claims.dry_run && changes(claims.action);

/** Passes an abort on; returns the way to stop that. */
function follow(signal: AbortSignal, to: AbortController): () => void {
  const pass = (): void => to.abort(signal.reason);
  signal.addEventListener('abort', pass, { once: true });
  if (signal.aborted) pass();
  return () => signal.removeEventListener('abort', pass);
}

async function asRefusal<T>(work: () => Promise<T>): Promise<T | Performed> {
  try {
    return await work();
  } catch (error) {
    return { result: refusalOf(error), from: null, to: Date.now(), repeated: false };
  }
}

function refusalOf(error: unknown): Extract<ActionResult, { status: 'refused' }> {
  if (error instanceof RefusalError) return { status: 'refused', code: error.code, message: error.message };
  if (error instanceof LedgerError) return { status: 'refused', code: 'ledger_failed', message: error.message };
  throw error;
}

export type Ready = {
  readonly action: Action;
  readonly prepared: PreparedAction;
  readonly secrets: readonly string[];
  /** What the caps of this host's allow blocks leave; null without caps. */
  readonly room: Room | null;
};
type JudgeSetting = Pick<PerformerSetting, 'host' | 'allow' | 'secretsDir'>;

/** Everything about an order that can be judged without waiting: action, allow-list, secrets, arguments. @throws RefusalError */
export async function judge(setting: JudgeSetting, name: string, given: ActionOrder['args']): Promise<Ready> {
  const action = Object.hasOwn(ACTIONS, name) ? ALL_ACTIONS.get(name) : undefined;
  if (action === undefined) {
    throw new RefusalError(
      'action_unknown',
      `this agent (${setting.host.facts.agentVersion}) has no action ${JSON.stringify(name)}`,
    );
  }
  const { args, secrets } = await fillSecrets(given, setting.secretsDir);
  const room = setting.allow.check(action.name, args);
  return { action, prepared: action.prepare(args, setting.host), secrets, room };
}

/** The last looks before acting: a place, a turn for a change, time, the brake. @throws RefusalError */
async function enter(setting: LookSetting, turns: Turns | null, job: Job, action: Action): Promise<Turn> {
  const deadline = Date.now() + job.claims.begin_by - job.now();
  const leave = action.capped ? await setting.slots.take(deadline, job.signal) : () => undefined;
  let turn: Turn | undefined;
  const end = (): void => {
    turn?.end();
    leave();
  };
  try {
    turn = await turns?.take(deadline, job.signal);
    checkBeginBy(job.claims, job.now());
    await checkBrake(setting.brakeFile);
    return { begun: () => turn?.begun(), end };
  } catch (error) {
    end();
    throw error;
  }
}

/** Actions that change nothing, and rehearsals of those that do: no ledger. */
async function lookOnly(setting: LookSetting, job: Job): Promise<Performed> {
  job.check();
  const { action, prepared, secrets } = await judge(setting, job.claims.action, job.order.args);
  const { end } = await enter(setting, null, job, action);
  const from = Date.now();
  const abort = new AbortController();
  const following = follow(job.signal, abort);
  const unbraked = followBrake(setting.brakeFile, (reason) => abort.abort(reason));
  try {
    const run = actionRun({ ...job, signal: abort.signal }, secrets, () => undefined);
    await prepared.admit?.();
    const result: ActionEnd = job.claims.dry_run
      ? { status: 'done', output: await prepared.rehearse(run) }
      : await prepared.run(run);
    return { result: clean(result, secrets), from, to: Date.now(), repeated: false };
  } finally {
    unbraked();
    following();
    end();
  }
}

/** One changing attempt from the ledger's first look to its last word. */
async function carryOut(setting: PerformerSetting, job: Job, abort: (reason: string) => void): Promise<Performed> {
  const { ledger, attempts } = setting;
  const { claims, attempt } = job;
  let turn: Turn | null = null;
  let unbraked = (): void => undefined;
  const recorded = Promise.withResolvers<void>();
  try {
    const known = await attempts.stateOf(attempt);
    if (known.state !== 'none') return await onRecord(setting, job, known);
    if (claims.begin_by <= (await ledger.floor())) {
      throw new RefusalError(
        'grant_used',
        'the order is older than what this host still has on record, and may have been used',
      );
    }
    job.check();
    await closeEarlier(setting, job);
    const { action, prepared, secrets, room } = await judge(setting, job.claims.action, job.order.args);
    turn = await enter(setting, setting.turns, job, action);
    await prepared.admit?.();
    // Looking at the host may have taken a while.
    checkBeginBy(claims, job.now());
    await checkBrake(setting.brakeFile);
    if (setting.launcher === null)
      attempts.register(attempt, { own: action.afterBoot === undefined, abort, done: recorded.promise });
    const begun = beginning(setting, job);
    if (!(await ledger.take(attempt, begun, room))) {
      recorded.resolve();
      return await onRecord(setting, job, await attempts.stateOf(attempt));
    }
    turn.begun();
    unbraked = followBrake(setting.brakeFile, abort);
    if (setting.launcher !== null)
      return { ...(await runLaunched(setting, setting.launcher, job, begun, prepared)), repeated: false };
    const result = clean(await runSafely(prepared, job, secrets, noteProcess(setting, attempt)), secrets);
    const ended = await putOnRecord(setting, attempt, { result, from: begun.at, to: Date.now() }, recorded.resolve);
    return { ...ended, repeated: false };
  } catch (error) {
    recorded.resolve();
    return await refuseForEver(setting, job, error);
  } finally {
    unbraked();
    turn?.end();
  }
}

/** PROTOCOL 6.2: no attempt begins beside an earlier one, and none that was passed over begins later. @throws RefusalError */
async function closeEarlier({ attempts, ledger }: PerformerSetting, { claims, attempt }: Job): Promise<void> {
  for (let earlier = attempt.attempt - 1; earlier >= 1; earlier -= 1) {
    const one = { ...attempt, attempt: earlier };
    let state = await attempts.stateOf(one);
    if (state.state === 'none' && !(await ledger.take(one, fence(one, claims.begin_by, OVERTAKEN))))
      state = await attempts.stateOf(one);
    if (state.state !== 'running') continue;
    const mayReplace =
      claims.supersedes !== null && earlier <= claims.supersedes && ACTIONS[claims.action]?.idempotent === true;
    if (mayReplace) await attempts.endEarly(one, 'superseded by a later attempt');
    if (mayReplace && (await attempts.stateOf(one)).state !== 'running') continue;
    throw new RefusalError('attempt_unsettled', `attempt ${earlier} of this step is still at work on this host`);
  }
}
const OVERTAKEN = 'a later attempt of this step began first';

function beginning({ host, owner, launcher }: PerformerSetting, { claims, order, attempt }: Job): Begun {
  const at = Date.now();
  return {
    kind: 'begun',
    attempt,
    nonce: claims.jti,
    grantDigest: sha256(order.grant),
    argsDigest: claims.args_digest,
    action: claims.action,
    args: { ...order.args },
    bootId: host.facts.bootId,
    owner,
    ...(launcher !== null && { launched: launcher.kind }),
    at,
    deadline: at + claims.timeout_ms,
    beginBy: claims.begin_by,
    issuedAt: claims.iat * 1000,
  };
}

/**
 * A refusal is an answer for ever (P2): it is on record before it is given, or the same order could act once its reason has gone.
 * @throws what is neither refusal nor failing ledger
 */
async function refuseForEver(
  { ledger, attempts }: PerformerSetting,
  { claims, attempt }: Job,
  error: unknown,
): Promise<Performed> {
  const refusal = refusalOf(error);
  const performed: Performed = { result: refusal, from: null, to: Date.now(), repeated: false };
  if (refusal.code === 'grant_used' || refusal.code === 'ledger_failed') return performed;
  const record = {
    kind: 'refused',
    attempt,
    nonce: claims.jti,
    code: refusal.code,
    message: refusal.message,
    at: performed.to,
    beginBy: claims.begin_by,
  } as const;
  try {
    if (await ledger.take(attempt, record)) return performed;
    const known = await attempts.stateOf(attempt);
    if (known.state === 'refused') return performed;
    throw new LedgerError('another process took this attempt while it was being refused');
  } catch (failure) {
    return { ...performed, result: refusalOf(failure) };
  }
}

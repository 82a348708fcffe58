import type { Logger } from 'pino';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SettlementClaims } from '../workflows/contract.ts';
import type { Launcher } from './launcher.ts';
import { attemptKey, type BegunEntry, type Ledger } from './ledger.ts';
import type { Attempt, Begun, Ended, EndResult, Refused } from './ledger-records.ts';
import { endOfLost } from './lost-attempt.ts';
import { endStragglers, KILL_GRACE_MS } from './process-group.ts';
import { isRunning, type ProcessMark, survivors } from './procfs.ts';

/** Where one attempt stands on this host. */
export type AttemptState =
  | { readonly state: 'none' }
  | { readonly state: 'refused'; readonly record: Refused }
  | { readonly state: 'running'; readonly begun: Begun }
  | { readonly state: 'ended'; readonly begun: Begun; readonly ended: Ended };

/** Answers for everything that was ever begun here, whether this process began it, an earlier one, or one beside it. */
export type Attempts = {
  /** @throws LedgerError when it cannot be told. */
  readonly stateOf: (attempt: Attempt) => Promise<AttemptState>;
  /** To be called before the attempt is taken in the ledger, so that nobody mistakes it for a dead one. */
  readonly register: (attempt: Attempt, running: RunningAttempt) => void;
  readonly running: (attempt: Attempt) => RunningAttempt | undefined;
  /** Ends an attempt and waits until it has ended. @throws LedgerError */
  readonly endEarly: (attempt: Attempt, reason: string) => Promise<void>;
  /** PROTOCOL 6.1: refuses for ever what has not begun up to this attempt, and says how things stand. @throws LedgerError */
  readonly settle: (upTo: Attempt, until: number) => Promise<SettlementClaims['answer']>;
  /** Looks after what an earlier run of the agent left at work. */
  readonly adopt: () => Promise<void>;
  /** Ends what this process began and resolves when that is on record. */
  readonly stop: () => Promise<void>;
  readonly count: () => number;
};

export type RunningAttempt = {
  /** Begun by this process: ended when it stops. What an earlier run left is only watched, and outlives this one too. */
  readonly own: boolean;
  /** Ends it early; `done` resolves when it has ended. */
  readonly abort: (reason: string) => void;
  /** Resolves when it has ended (or never began) and that is on record. Never rejects. */
  readonly done: Promise<void>;
};

export type AttemptsSetting = {
  readonly ledger: Ledger;
  readonly bootId: string;
  readonly owner: ProcessMark;
  readonly log: Logger;
  /** Whether something of an action is at work outside its processes. */
  readonly worksOn: (begun: Begun) => Promise<boolean>;
  /** How an action ended that began under another boot id: null while it is not over, undefined when nothing can tell. */
  readonly afterBoot?: (begun: Begun) => Promise<EndResult | null | undefined>;
  /** What runs actions outside the process that began them; null when there is nothing of the kind. */
  readonly launcher: Launcher | null;
};

const WATCH_MS = 500;
/** A settle order fences grants that may be signed a little later than it; none is good for longer than this. */
const FENCE_MS = 15 * 60_000;
/** An attempt is asked about within this time after it had to begin: the longest timeout, and an hour. */
const LOOK_BACK_MS = 25 * 3_600_000;

export function createAttempts(setting: AttemptsSetting): Attempts {
  const { ledger, bootId, owner, log } = setting;
  const running = new Map<string, RunningAttempt>();
  const stopping = new AbortController();

  const register = (attempt: Attempt, entry: RunningAttempt): void => {
    const key = attemptKey(attempt);
    running.set(key, entry);
    void entry.done.then(() => running.get(key) === entry && running.delete(key));
  };

  const stateOf = async (attempt: Attempt): Promise<AttemptState> => {
    const before = running.has(attemptKey(attempt));
    const entry = await ledger.read(attempt);
    if (entry === null) return { state: 'none' };
    if (entry.kind === 'refused') return { state: 'refused', record: entry.record };
    const begun = entry.record;
    if (entry.ended !== null) return { state: 'ended', begun, ended: entry.ended };
    const found = before || running.has(attemptKey(attempt)) ? null : await foundEnd(setting, entry);
    if (found === null) return { state: 'running', begun };
    // It may have ended, and said so, between the reading and the look.
    return { state: 'ended', begun, ended: await ledger.end(attempt, found) };
  };

  const mayBeDropped = async (until: number): Promise<boolean> => {
    const floor = await ledger.floor();
    return floor > 0 && floor >= until - LOOK_BACK_MS;
  };

  const watch = async (entry: BegunEntry, ended: AbortSignal): Promise<void> => {
    const begun = entry.record;
    const { attempt } = begun;
    const limit = Math.max(0, begun.deadline - begun.at);
    const deadline = performance.now() + Math.min(limit, Math.max(0, begun.deadline - Date.now()));
    let found = await foundEnd(setting, entry);
    for (; found === null && !stopping.signal.aborted; found = await foundEnd(setting, entry)) {
      const late = ended.aborted || performance.now() >= deadline;
      if (late && begun.bootId === bootId) await endStragglers(attemptKey(attempt), entry.process);
      await sleep(WATCH_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    if (found === null || stopping.signal.aborted) return;
    const { result } = await ledger.end(attempt, found);
    log.warn(
      { ...attempt, action: begun.action, result: result.status },
      'an action left by an earlier run of the agent has ended',
    );
  };

  return {
    stateOf,
    register,
    running: (attempt) => running.get(attemptKey(attempt)),
    async endEarly(attempt, reason) {
      const own = running.get(attemptKey(attempt));
      if (own !== undefined) {
        own.abort(reason);
        await own.done;
        return;
      }
      const entry = await ledger.read(attempt);
      if (entry?.kind !== 'begun' || entry.ended !== null) return;
      if (entry.record.bootId === bootId) await endProcesses(setting, entry);
      let found = await foundEnd(setting, entry);
      for (let waited = 0; waited < 2 * KILL_GRACE_MS && found === null; waited += WATCH_MS) {
        await sleep(WATCH_MS);
        found = await foundEnd(setting, (await ledger.read(attempt)) as BegunEntry);
      }
      if (found !== null) await ledger.end(attempt, found);
    },
    async settle(upTo, until) {
      const states: { attempt: number; state: AttemptState }[] = [];
      for (let attempt = upTo.attempt; attempt >= 1; attempt -= 1) {
        const one = { ...upTo, attempt };
        let state = await stateOf(one);
        // What may have been done and dropped from the record is not what never began.
        if (state.state === 'none' && (await mayBeDropped(until))) return dropped(attempt);
        if (state.state === 'none' && !(await ledger.take(one, fence(one, until + FENCE_MS, SETTLED))))
          state = await stateOf(one);
        states.push({ attempt, state });
      }
      for (const { attempt, state } of states) if (state.state === 'running') return { state: 'running', attempt };
      for (const { attempt, state } of states) {
        if (state.state === 'ended') return { state: 'ended', attempt, result: state.ended.result };
      }
      return { state: 'never_begun' };
    },
    async adopt() {
      for (const entry of await ledger.unfinished()) {
        const { attempt, bootId: begunUnder } = entry.record;
        if (begunUnder === bootId && ownerRuns(entry.record, owner)) continue;
        const ended = new AbortController();
        const done = watch(entry, ended.signal).catch((error: unknown) => {
          log.error({ ...attempt, error: (error as Error).message }, 'cannot record the end of an action');
        });
        register(attempt, { own: false, abort: () => ended.abort(), done });
      }
    },
    async stop() {
      stopping.abort();
      const own = [...running.values()].filter((attempt) => attempt.own);
      for (const { abort } of own) abort('the agent is stopping');
      await Promise.all(own.map(({ done }) => done));
    },
    count: () => running.size,
  };
}

const dropped = (attempt: number): SettlementClaims['answer'] => ({
  state: 'ended',
  attempt,
  result: { status: 'unknown', message: 'records of that time are no longer on this host; it may have been done' },
});

/** Refuses an attempt for which no grant has come. */
export const fence = (attempt: Attempt, beginBy: number, message: string): Refused => ({
  kind: 'refused',
  attempt,
  nonce: null,
  code: 'attempt_refused',
  message,
  at: Date.now(),
  beginBy,
});
const SETTLED = 'this attempt had not begun when its settle order came, and never will';

/** Another process, alive, that began it and will say how it ended. */
const ownerRuns = (begun: Begun, owner: ProcessMark): boolean => othersRun(begun.owner, owner);
const othersRun = (mark: ProcessMark, own: ProcessMark): boolean =>
  !(mark.pid === own.pid && mark.startTime === own.startTime) && isRunning(mark);

/** How something that no process answers for has ended; null while something of it is at work. */
async function foundEnd(setting: AttemptsSetting, entry: BegunEntry): Promise<Ended | null> {
  const here = entry.record.bootId === setting.bootId;
  return here && (await worksOn(setting, entry)) ? null : endOfLost(setting, entry);
}

async function endProcesses({ launcher }: AttemptsSetting, { record, process }: BegunEntry): Promise<void> {
  if (record.launched !== undefined && launcher !== null) await launcher.stop(record.attempt);
  else await endStragglers(attemptKey(record.attempt), process);
}

async function worksOn(setting: AttemptsSetting, entry: BegunEntry): Promise<boolean> {
  const begun = entry.record;
  if (ownerRuns(begun, setting.owner)) return true;
  if (entry.runner !== null && othersRun(entry.runner, setting.owner)) return true;
  if (survivors(attemptKey(begun.attempt), entry.process).length > 0) return true;
  // Not being able to tell is no proof that it has ended.
  if (begun.launched !== undefined && setting.launcher !== null) {
    const found = await setting.launcher.look(begun.attempt).catch(() => null);
    if (found === null || found.active) return true;
  }
  return setting.worksOn(begun).catch(() => true);
}

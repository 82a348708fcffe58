import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { TemporalConfig } from '../config/connections.ts';
import { CredentialError } from './credential.ts';
import { openSession, type SessionSetting, type TemporalSession } from './temporal-session.ts';

/** How the agent stands with Temporal. */
export type ConnectionState = {
  readonly connected: boolean;
  /** Why not, or why not before. */ readonly lastError: string | null;
};

export type Supervisor = {
  readonly state: () => ConnectionState;
  /** Resolves when Temporal first answered, or when the supervisor was stopped before. */
  readonly connectedOnce: Promise<void>;
  /** Takes no more orders and waits for those at hand, at most the grace time and what it takes to end them. */
  readonly stop: () => Promise<void>;
};

export type SupervisorSetting = SessionSetting & {
  readonly log: Logger;
  readonly onChange: (state: ConnectionState) => void;
};

const PROBE_EVERY_MS = 10_000;
const PROBE_TIMEOUT_MS = 5000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 15_000;
/** A session that lasted this long was a good one: the next wait is short again. */
const GOOD_SESSION_MS = 60_000;

/** Keeps a session with Temporal up for as long as it runs: Temporal may be away at the start, later, or for days. */
export function superviseSessions(setting: SupervisorSetting): Supervisor {
  const stopping = new AbortController();
  const first = Promise.withResolvers<void>();
  let state: ConnectionState | null = null;
  let session: TemporalSession | null = null;

  const become = (connected: boolean, error: unknown = null): void => {
    const lastError = error === null ? (state?.lastError ?? null) : sayError(error, setting.temporal);
    // Another reason is news as well: first Temporal says no, then it shows that there is no token.
    const changed = state?.connected !== connected || (!connected && lastError !== state.lastError);
    state = { connected, lastError };
    if (connected) first.resolve();
    if (!changed || stopping.signal.aborted) return;
    if (connected) setting.log.info({ address: setting.temporal.address }, 'connected to Temporal');
    else setting.log.warn({ error: lastError }, 'Temporal is away; trying again until it is back');
    setting.onChange(state);
  };

  const holdSession = async (): Promise<void> => {
    session = await openSession(setting);
    if (stopping.signal.aborted) session.end();
    become(true);
    const watching = new AbortController();
    const watched = watchSession(session, become, watching.signal);
    try {
      await session.over;
    } finally {
      watching.abort();
      await watched;
      await session.close().catch(() => undefined);
      session = null;
    }
  };

  const loop = async (): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted; failures += 1) {
      const began = performance.now();
      try {
        await holdSession();
      } catch (error) {
        become(false, error);
      }
      if (performance.now() - began > GOOD_SESSION_MS) failures = 0;
      await sleep(waitAfter(failures), undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    first.resolve();
  };

  const running = loop();
  return {
    state: () => state ?? { connected: false, lastError: null },
    connectedOnce: first.promise,
    async stop() {
      stopping.abort();
      session?.end();
      await running;
    },
  };
}

/** A lost server leaves Workers waiting in silence: only asking tells. Also looks after credentials that change. */
async function watchSession(
  session: TemporalSession,
  become: (connected: boolean, error?: unknown) => void,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    await sleep(PROBE_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) return;
    try {
      if (await session.refreshCredentials()) return session.end();
      await session.probe(PROBE_TIMEOUT_MS);
      become(true);
    } catch (error) {
      if (!over.aborted) become(false, error);
    }
  }
}

/** Grows to a quarter of a minute, with half of it left to chance so that a fleet does not come back as one. */
function waitAfter(failures: number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10));
  return most / 2 + (Math.random() * most) / 2;
}

/** What was tried, where, and why it failed. */
function sayError(error: unknown, { address, agentsNamespace }: TemporalConfig): string {
  const causes: string[] = [];
  for (let cause: unknown = error; cause instanceof Error && causes.length < 3; cause = cause.cause)
    causes.push(cause.message);
  const why = causes.length === 0 ? String(error) : causes.join(': ');
  // Its own words say all: Temporal was not even asked.
  if (error instanceof CredentialError) return error.message;
  return `cannot reach Temporal at ${address}, namespace "${agentsNamespace}": ${why}`;
}

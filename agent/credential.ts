/**
 * This host's Temporal credential (docs/protocol.md §10.1): asked of every coordinator, each by itself, so that all of them know that this node
 * is up and any of them may be away. The newest token is the one in use. It is kept in memory only, and never logged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { parseSpiffeId } from '../config/spiffe-id.ts';
import { errorMessage } from '../identity/error-message.ts';
import type { SvidSource } from '../identity/svid-source.ts';
import { CredentialRefusedError, type GivenToken, requestToken } from './credential-request.ts';

/** Coordinators take a node for down that has not asked for five minutes. */
const LONGEST_RENEWAL_MS = 120_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 60_000;
/** Whoever needs a token waits for one so long before it is an error. */
const PATIENCE_MS = 5_000;

export type CredentialSetting = {
  readonly addresses: readonly string[];
  /** SPIFFE id that each of them must prove. */
  readonly coordinatorId: string;
  readonly identity: SvidSource;
  readonly machineId: string;
  readonly log: Logger;
  /** One question ended; `code` is the coordinator's own where it refused. */
  readonly onAnswer: (result: 'renewed' | 'refused' | 'failed') => void;
};

export type CredentialState = {
  /** Milliseconds that the newest token is still valid for; 0: there is none. */
  readonly validMs: number;
  /** Why the last question that failed did; null: each coordinator answered its last one. */
  readonly problem: string | null;
};

/** No coordinator has given a token that is still valid. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError';
}

export type Credential = {
  /** Waits a little for the first. @throws CredentialError */
  readonly token: () => Promise<string>;
  readonly state: () => CredentialState;
  /** Called with each newer token. Returns the way to stop it. */
  readonly onToken: (listener: (token: string) => void) => () => void;
  readonly stop: () => Promise<void>;
};

type Held = { readonly token: string; readonly until: number };

/** Asks from now on, until it is stopped. */
export function keepCredential(setting: CredentialSetting): Credential {
  const stopping = new AbortController();
  const listeners = new Set<(token: string) => void>();
  const problems = new Map<string, string>();
  const coordinator = parseSpiffeId(setting.coordinatorId);
  let held: Held | null = null;
  let arrived = Promise.withResolvers<undefined>();

  const validMs = (): number => Math.max(0, (held?.until ?? 0) - performance.now());
  const accept = ({ token, lifeMs }: GivenToken): void => {
    const until = performance.now() + lifeMs;
    if (held !== null && held.until > until) return;
    held = { token, until };
    for (const listener of listeners) listener(token);
    arrived.resolve(undefined);
    arrived = Promise.withResolvers();
  };
  const failed = (address: string, error: unknown): void => {
    const refused = error instanceof CredentialRefusedError;
    setting.onAnswer(refused ? 'refused' : 'failed');
    const problem = `${address}: ${errorMessage(error)}`;
    // A line for each change of what is wrong, not for each try.
    if (problems.get(address) !== problem) {
      const line = { address, code: refused ? error.code : undefined, error: errorMessage(error) };
      setting.log[refused && error.retryAfterMs === null ? 'error' : 'warn'](
        line,
        'no token of this coordinator; asking again',
      );
    }
    problems.set(address, problem);
  };
  const keepAsking = async (address: string): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted;) {
      let wait: number;
      try {
        const { identity, machineId } = setting;
        const given = await requestToken({ address, coordinator, identity, machineId, signal: stopping.signal });
        if (problems.delete(address)) setting.log.info({ address }, 'this coordinator gives tokens again');
        setting.onAnswer('renewed');
        accept(given);
        failures = 0;
        wait = renewAfter(given.lifeMs);
      } catch (error) {
        if (stopping.signal.aborted) return;
        failed(address, error);
        failures += 1;
        const asked = error instanceof CredentialRefusedError ? error.retryAfterMs : null;
        wait = waitAfter(failures, asked);
      }
      await sleep(wait, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const asking = setting.addresses.map(keepAsking);
  return {
    token: async () => {
      if (validMs() === 0) await Promise.race([arrived.promise, sleep(PATIENCE_MS, undefined, { ref: false })]);
      if (held !== null && validMs() > 0) return held.token;
      const why = [...problems.values()].join('; ') || `none of ${setting.addresses.join(', ')} has answered yet`;
      throw new CredentialError(`no coordinator has given a token for Temporal: ${why}`);
    },
    state: () => ({ validMs: validMs(), problem: [...problems.values()].at(-1) ?? null }),
    onToken: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(asking);
    },
  };
}

/** In a third of its life, with a fifth left to chance, so that two more tries fit before it ends and a fleet does not ask as one. */
export const renewAfter = (lifeMs: number, chance = Math.random()): number =>
  Math.min(LONGEST_RENEWAL_MS, lifeMs / 3) * (0.8 + chance * 0.2);

/** Grows to a minute, half of it left to chance; never sooner than the coordinator asks for. */
export const waitAfter = (failures: number, askedMs: number | null, chance = Math.random()): number => {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10));
  return Math.max(askedMs ?? 0, most / 2 + (chance * most) / 2);
};

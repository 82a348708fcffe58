/** The load: callers that ask, repeat under the same id until they have an answer, ask twice, come with wrong clocks; each answer is noted. */
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, type CoordinatorClient } from '../../../identity/coordinator-client.ts';
import type { ApiDecision, ApiRequest } from '../../../workflows/api.ts';
import { WORKFLOWS } from './drill-workflows.ts';
import { randomOf, type Random } from './random.ts';

export type Noted = {
  readonly request: ApiRequest & { readonly request_id: string };
  readonly asked: number;
  /** In the order they came; what was no decision (503, no answer) is not among them. */
  readonly answers: { readonly at: number; readonly said: string; readonly execution: string | null }[];
};

export type Load = {
  readonly noted: readonly Noted[];
  /** Resolves when every caller has its last answer or was told to give up. */
  readonly ended: Promise<unknown>;
  /** No new requests. */
  readonly stop: () => void;
  readonly giveUp: () => void;
};

export type CallerOptions = {
  readonly seed: number;
  /** One caller each; the second address list is where it asks again what it has asked. */
  readonly clients: readonly { readonly first: CoordinatorClient; readonly other: CoordinatorClient }[];
  /** Between two requests of one caller, at most. */
  readonly pauseMs: number;
};

/** How far a caller's clock is off, in seconds; ahead by more than five is refused. */
const SKEWS_S: readonly number[] = [0, 0, 0, 0, 0, -45, -300, 3, 30];
const EPISODES = 12;

export function startLoad({ seed, clients, pauseMs }: CallerOptions): Load {
  const noted: Noted[] = [];
  const stopping = new AbortController();
  const giving = new AbortController();
  const ended = Promise.all(
    clients.map(async (client, index) => {
      const random = randomOf(seed * 1_000 + index);
      for (let count = 0; !stopping.signal.aborted; count += 1) {
        const asked: Noted = {
          request: requestOf(random, `s${seed}-c${index}-${count}`),
          asked: Date.now(),
          answers: [],
        };
        noted.push(asked);
        await askUntilAnswered(client.first, asked, giving.signal);
        if (random.next() < 0.25) await askUntilAnswered(client.other, asked, giving.signal);
        await delay(random.between(50, pauseMs), undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }),
  );
  return { noted, ended, stop: () => stopping.abort(), giveUp: () => giving.abort() };
}

function requestOf(random: Random, id: string): Noted['request'] {
  const weighted = Object.entries(WORKFLOWS).flatMap(([name, { weight }]) =>
    Array.from({ length: weight }, () => name),
  );
  const workflow = random.pick(weighted);
  const target = random.pick(WORKFLOWS[workflow]?.targets ?? []);
  const now = Date.now();
  const request = {
    workflow,
    target: { node: target },
    args: { mark: id },
    request_id: id,
    issued_at: new Date(now + random.pick(SKEWS_S) * 1_000).toISOString(),
    ...(random.next() < 0.12 ? { wait_s: random.between(10, 60) } : {}),
  };
  if (random.next() < 0.7) return request;
  const fault = { trigger: workflow, node: target, kind: `k${random.between(0, EPISODES)}` };
  return {
    ...request,
    identity: {
      source: 'prometheus.main/drill',
      labels: fault,
      began_at: new Date(now - 5_000).toISOString(),
      gap_s: 20,
      ...(random.next() < 0.5 ? { again_s: 15 } : {}),
    },
    evidence: {
      summary: 'drill',
      observed_at: new Date(now).toISOString(),
      valid_until: new Date(now + 60_000).toISOString(),
    },
  };
}

/** Notes the answer; without one it asks again under the same id until there is one. */
async function askUntilAnswered(client: CoordinatorClient, noted: Noted, giveUp: AbortSignal): Promise<void> {
  while (!giveUp.aborted) {
    try {
      const decision = await client.request(noted.request, {
        signal: AbortSignal.any([giveUp, AbortSignal.timeout(20_000)]),
      });
      noted.answers.push({ at: Date.now(), ...essence(decision) });
      return;
    } catch (error) {
      // 4xx is an answer too: too old, issued in the future, evidence void.
      if (error instanceof ApiError && error.status < 500) {
        noted.answers.push({ at: Date.now(), said: error.code, execution: null });
        return;
      }
      await delay(500, undefined, { signal: giveUp }).catch(() => undefined);
    }
  }
}

const essence = (decision: ApiDecision): { said: string; execution: string | null } => ({
  said: decision.decision,
  execution: 'execution' in decision ? decision.execution : null,
});

/** Requests that were told of two executions. */
export const contradicted = (noted: readonly Noted[]): Noted[] =>
  noted.filter(({ answers }) => new Set(answers.flatMap(({ execution }) => execution ?? [])).size > 1);

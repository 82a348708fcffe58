/** Callers of a gate: each asks, gives its lease back, and asks again, so that the state stays as large as the callers are many. */
import type { GateClient } from '../coordinator/gate/gate-client.ts';
import type { Answer, Ask, LimitRef, Operation } from '../workflows/gate/operations.ts';

export const WORKFLOW = 'restart-service';
/** Many more than callers, so that few ask for a node that is taken. */
export const NODES = 20_000;
/** Three limits, each of which could refuse; with so many nodes most requests are admitted. */
export const LIMITS = [
  { k: 'c', v: 1, p: 0, s: 'target' },
  { k: 'm', v: 1, p: 60_000, s: 'target' },
  { k: 'm', v: 1_500, p: 60_000, s: 'global' },
] as const satisfies readonly LimitRef[];

const PLAN = 'p'.repeat(22);
let ids = 0;
const nextId = (): number => (ids += 1);

export const announcement = (lim: readonly LimitRef[] = LIMITS, w = WORKFLOW): Operation => ({
  op: 'definitions',
  id: `d:bench:${nextId()}`,
  at: Date.now(),
  w,
  d: 'digest',
  lim,
  ch: true,
  by: 'bench',
});

/** With all fields that a coordinator's request carries, as long as they are in the field. */
export const askFor = (node: string, w = WORKFLOW): Ask => {
  const at = Date.now();
  return {
    op: 'ask',
    id: `a:${String(nextId()).padStart(22, '0')}`,
    at,
    w,
    d: 'digest',
    t: { k: 'n', n: node, y: 'web', c: 'dc1' },
    p: PLAN,
    eu: at + 60_000,
    by: 'spiffe://example.com/trigger-daemon/t1',
    q: `q${ids}`,
  };
};

export const giveBack = (l: readonly [number, number]): Operation => ({
  op: 'release',
  id: `r:${l.join('-')}`,
  at: Date.now(),
  l,
  o: 'healed',
});

export const randomNode = (): string => `host-${Math.floor(Math.random() * NODES)}.rack-12.dc1.example.com`;

export type Load = {
  readonly seconds: number;
  readonly admitted: number;
  readonly refused: number;
  /** Refused because the gate has forgotten operations as old as these: none should be. */
  readonly tooOld: number;
  /** Of each ask in the window, milliseconds. */
  readonly latencies: readonly number[];
};

/** Callers take clients in turn. Counted after `settleMs` for `windowMs`. */
export async function runCallers(
  gates: readonly GateClient[],
  callers: number,
  { settleMs, windowMs }: { readonly settleMs: number; readonly windowMs: number },
): Promise<Load> {
  const latencies: number[] = [];
  let admitted = 0;
  let refused = 0;
  let tooOld = 0;
  const from = performance.now() + settleMs;
  const until = from + windowMs;
  const caller = async (gate: GateClient): Promise<void> => {
    for (;;) {
      const began = performance.now();
      const answer = await gate.submit(askFor(randomNode()));
      const ended = performance.now();
      if (answer.a === 'admitted') gate.ride(giveBack(answer.l)).catch(() => undefined);
      else if (answer.a === 'too_old') tooOld += 1;
      else requireRefused(answer);
      if (ended > until) return;
      if (ended < from) continue;
      latencies.push(ended - began);
      if (answer.a === 'admitted') admitted += 1;
      else refused += 1;
    }
  };
  const announcing = setInterval(() => void gates[0]?.submit(announcement()), 60_000);
  try {
    await Promise.all(
      Array.from({ length: callers }, (_, index) => {
        const gate = gates[index % gates.length];
        return gate === undefined ? Promise.resolve() : caller(gate);
      }),
    );
  } finally {
    clearInterval(announcing);
  }
  return { seconds: windowMs / 1000, admitted, refused, tooOld, latencies };
}

function requireRefused(answer: Answer): void {
  if (answer.a !== 'refused') throw new Error(`neither admitted nor refused: ${JSON.stringify(answer)}`);
}

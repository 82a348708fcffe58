/** How long nothing is decided when the coordinator that hosts the gate's Worker is killed under load, and another goes on. */
import type { GateClient } from '../coordinator/gate/gate-client.ts';
import type { RunningProcess } from '../test/support/processes.ts';
import type { GateHouse } from './gate-house.ts';
import { askFor, giveBack, randomNode } from './gate-load.ts';

const CALLERS = 50;
const BEFORE_MS = 1_500;
const AFTER_MS = 8_000;

export type Takeover = {
  readonly callers: number;
  readonly answered: number;
  readonly unanswered: number;
  /** Longest time without any decision. */
  readonly gap_ms: number;
};

/** `hosting` is the only Worker of the gate so far; its successor is started first. */
export async function measureTakeover(
  house: GateHouse,
  hosting: RunningProcess,
  gates: readonly GateClient[],
): Promise<Takeover> {
  await house.startWorker('c2');
  const answers: number[] = [];
  let unanswered = 0;
  const until = performance.now() + BEFORE_MS + AFTER_MS;
  const caller = async (gate: GateClient): Promise<void> => {
    while (performance.now() < until) {
      try {
        const answer = await gate.submit(askFor(randomNode()));
        answers.push(performance.now());
        if (answer.a === 'admitted') gate.ride(giveBack(answer.l)).catch(() => undefined);
      } catch {
        unanswered += 1;
      }
    }
  };
  const callers = Array.from({ length: CALLERS }, (_, index) => {
    const gate = gates[index % gates.length];
    return gate === undefined ? Promise.resolve() : caller(gate);
  });
  await new Promise((resolve) => setTimeout(resolve, BEFORE_MS));
  await hosting.kill();
  await Promise.all(callers);
  const gaps = answers.map((at, index) => at - (answers[index - 1] ?? at));
  return { callers: CALLERS, answered: answers.length, unanswered, gap_ms: Math.round(Math.max(...gaps)) };
}

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { history, type History } from '../../test/gate-model/steps.ts';
import { Trial } from '../../test/gate-model/trial.ts';
import type { Answer } from './operations.ts';

/** More, for a longer look: `FETTLE_PROPERTY_RUNS=200000 node --test workflows/gate/model.test.ts`; a seed that failed: `FETTLE_PROPERTY_SEED`. */
const RUNS = Number(process.env['FETTLE_PROPERTY_RUNS'] ?? 2_500);
const SEED = process.env['FETTLE_PROPERTY_SEED'];

/** On failure: the seed, and the shortest story found with every operation and answer. */
function holds(play: (history: History, log: string[]) => void): void {
  let log: string[] = [];
  const property = fc.property(history, (played) => {
    log = [];
    play(played, log);
  });
  const details = fc.check(property, { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
  if (!details.failed) return;
  const [shortest] = details.counterexample ?? [];
  log = [];
  try {
    if (shortest !== undefined) play(shortest, log);
  } catch (error) {
    throw new Error(`seed ${details.seed}, ${details.numShrinks} times shortened\n${log.join('\n')}\n`, {
      cause: error,
    });
  }
}

it('answers whatever happens as the reference does, and never lets more happen than a limit says', () => {
  holds(({ definitions, steps }, log) => new Trial(definitions, log).play(steps));
});

it('knows after a restart, wherever it falls, all that it knew before', () => {
  holds(({ definitions, steps }, log) => {
    const answers: Answer[] = [];
    const without = new Trial(definitions, [], (answer) => answers.push(answer));
    without.play(steps.filter((step) => step.do !== 'restart'));
    let told = 0;
    const restarting = new Trial(definitions, log, (answer) => {
      assert.deepEqual(answer, answers[told]);
      told += 1;
    });
    restarting.play(steps.flatMap((step) => (step.do === 'restart' ? [] : [{ do: 'restart' as const }, step])));
    assert.equal(told, answers.length);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { renewAfter, waitAfter } from './credential.ts';

const chance = fc.double({ min: 0, max: 1, noNaN: true });

test('a token is renewed early enough for two more tries, and every two minutes at the latest', () => {
  fc.assert(
    fc.property(fc.integer({ min: 10_000, max: 3_600_000 }), chance, (lifeMs, luck) => {
      const wait = renewAfter(lifeMs, luck);
      assert.ok(wait > 0 && wait <= lifeMs / 3 && wait <= 120_000);
    }),
  );
});

test('who is not answered asks on, at most a minute apart, and never sooner than was asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.option(fc.integer({ min: 0, max: 120_000 })),
      chance,
      (failures, asked, luck) => {
        const wait = waitAfter(failures, asked, luck);
        assert.ok(wait >= (asked ?? 0) && wait <= Math.max(60_000, asked ?? 0) && wait >= 500);
      },
    ),
  );
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FAULTS, faultPlan } from './fault-plan.ts';

describe('the plan of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(faultPlan(7, 3), faultPlan(7, 3));
    assert.notDeepEqual(faultPlan(7, 3), faultPlan(8, 3));
  });

  it('holds every kind, in order of time, with room to calm down at the end', () => {
    for (const [seed, minutes] of [
      [1, 3],
      [2, 3],
      [3, 30],
    ] as const) {
      const plan = faultPlan(seed, minutes);
      assert.deepEqual([...new Set(plan.map(({ kind }) => kind))].toSorted(), FAULTS.toSorted());
      assert.deepEqual(
        plan,
        plan.toSorted((a, b) => a.at - b.at),
      );
      for (const { at, kind, forMs } of plan) {
        const lasts = kind.startsWith('stop-') ? forMs : 0;
        assert.ok(at >= 0 && at + lasts <= minutes * 60_000 - 15_000, `${kind} at ${at} for ${forMs}`);
      }
    }
  });

  it('of half an hour stands still only a few times', () => {
    const stops = faultPlan(4, 30).filter(({ kind }) => kind.startsWith('stop-'));
    assert.ok(stops.length >= 4 && stops.length <= 12, String(stops.length));
  });
});

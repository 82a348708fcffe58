/** Room is kept for those who wait for it, as long as they would take it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateDriver, leaseOf, node } from '../../test/support/gate-driver.ts';
import type { Answer } from './operations.ts';

const A = node('web-1');
const B = node('web-2');
const C = node('web-3');

/** One at a time over the fleet, and it is taken. */
function full(): { gate: GateDriver; free: () => void } {
  const gate = new GateDriver();
  const lim = [{ k: 'c', v: 1, p: 0, s: 'global' }] as const;
  gate.apply({ op: 'definitions', id: gate.id(), at: gate.now, w: 'heal', d: 'd1', lim, ch: true, by: 'c1', mp: 10 });
  const held = leaseOf(gate.ask('heal', A));
  return { gate, free: () => gate.release(held) };
}

function pendingOf(answer: Answer): Extract<Answer, { a: 'pending' }> {
  assert.ok(answer.a === 'pending', JSON.stringify(answer));
  return answer;
}

describe('the line before a limit', () => {
  it('keeps free room for who has waited for it', () => {
    const { gate, free } = full();
    const first = pendingOf(gate.ask('heal', B, { wt: gate.now + 60_000 }));
    free();
    assert.equal(gate.ask('heal', C).a, 'refused');
    gate.advance(first.ra - gate.now);
    assert.equal(gate.ask('heal', B, { rq: first.rq, wt: first.u }).a, 'admitted');
  });

  it('keeps none for who may wait no longer: it could not take the room', () => {
    const { gate, free } = full();
    pendingOf(gate.ask('heal', B, { wt: gate.now + 8_000 }));
    free();
    gate.advance(8_001);
    assert.equal(gate.ask('heal', C).a, 'admitted');
  });

  it('keeps none for who did not ask when its turn came, until it does', () => {
    const { gate, free } = full();
    const first = pendingOf(gate.ask('heal', B, { wt: gate.now + 120_000 }));
    free();
    gate.advance(first.ra - gate.now + 15_001);
    const other = gate.ask('heal', C);
    assert.equal(other.a, 'admitted');
    const late = pendingOf(gate.ask('heal', B, { rq: first.rq, wt: first.u }));
    gate.release(leaseOf(other));
    assert.equal(gate.ask('heal', C).a, 'refused', 'it has its place again');
    gate.advance(late.ra - gate.now);
    assert.equal(gate.ask('heal', B, { rq: first.rq, wt: first.u }).a, 'admitted');
  });
});

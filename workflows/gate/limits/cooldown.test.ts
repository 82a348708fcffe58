import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateDriver, leaseOf, reasonsIn } from '../../../test/support/gate-driver.ts';
import { elsewhere, here, SCOPES, sharing } from '../../../test/support/gate-scopes.ts';
import type { LimitRef } from '../operations.ts';

const MINUTE = 60_000;
const gateWith = (limit: LimitRef): GateDriver => {
  const gate = new GateDriver();
  gate.announce('heal', [limit]);
  return gate;
};

describe('cooldown', () => {
  for (const s of SCOPES) {
    it(`rests per ${s}`, () => {
      const gate = gateWith({ k: 'd', v: 1, p: MINUTE, s });
      gate.finish(leaseOf(gate.ask('heal', here)), 'web-1');
      assert.equal(reasonsIn(gate.ask('heal', sharing(s)))[0]?.[0], 'd');
      assert.equal(gate.ask('heal', elsewhere).a, s === 'global' ? 'refused' : 'admitted');
    });
  }

  it('counts from the end, to the millisecond, however long it took', () => {
    const gate = gateWith({ k: 'd', v: 1, p: MINUTE, s: 'global' });
    const lease = leaseOf(gate.ask('heal', here));
    gate.permit(lease, 's');
    gate.advance(200_000);
    assert.deepEqual(reasonsIn(gate.ask('heal', elsewhere))[0], ['d', 'g', 1, 1, null], 'open: no time is known');
    gate.result(lease, 's');
    gate.release(lease);
    assert.deepEqual(reasonsIn(gate.ask('heal', elsewhere))[0], ['d', 'g', 1, 1, gate.now + MINUTE]);
    gate.advance(MINUTE - 1);
    gate.restart();
    assert.equal(gate.ask('heal', elsewhere).a, 'refused');
    gate.advance(1);
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });

  it('rests from the end of an orphan, which is its proof', () => {
    const gate = gateWith({ k: 'd', v: 1, p: MINUTE, s: 'global' });
    const lease = leaseOf(gate.ask('heal', here));
    gate.permit(lease, 's');
    gate.release(lease, 'failed');
    gate.advance(120_000);
    gate.result(lease, 's', 'never_begun');
    assert.equal(reasonsIn(gate.ask('heal', elsewhere))[0]?.[4], gate.now + MINUTE);
  });

  it('does not rest after a lease that never got a permit', () => {
    const gate = gateWith({ k: 'd', v: 1, p: MINUTE, s: 'global' });
    gate.release(leaseOf(gate.ask('heal', here)), 'expired');
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateDriver, leaseOf, reasonsIn } from '../../../test/support/gate-driver.ts';
import { SLACK_MS } from '../counts.ts';
import type { LimitRef } from '../operations.ts';
import { elsewhere, here, SCOPES, sharing } from '../../../test/support/gate-scopes.ts';

const gateWith = (limit: LimitRef): GateDriver => {
  const gate = new GateDriver();
  gate.announce('heal', [limit]);
  return gate;
};

describe('concurrency', () => {
  for (const s of SCOPES) {
    it(`counts what is open per ${s}`, () => {
      const gate = gateWith({ k: 'c', v: 1, p: 0, s });
      leaseOf(gate.ask('heal', here));
      assert.deepEqual(
        reasonsIn(gate.ask('heal', sharing(s)))[0]?.map((part, at) => (at === 1 ? s : part)),
        ['c', s, 1, 1, null],
      );
      assert.equal(gate.ask('heal', elsewhere).a, s === 'global' ? 'refused' : 'admitted');
    });
  }

  it('frees its room with the lease, and not before', () => {
    const gate = gateWith({ k: 'c', v: 1, p: 0, s: 'global' });
    const lease = leaseOf(gate.ask('heal', here));
    gate.permit(lease, 's');
    gate.release(lease);
    assert.equal(gate.ask('heal', elsewhere).a, 'refused', 'something of it is not settled');
    gate.result(lease, 's');
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });

  it('with a period counts what began within it and 20 seconds, to the millisecond', () => {
    const gate = gateWith({ k: 'c', v: 1, p: 60_000, s: 'global' });
    const began = gate.now;
    gate.finish(leaseOf(gate.ask('heal', here)), 'web-1');
    gate.advance(30_000);
    const free = began + 60_000 + SLACK_MS + 1;
    assert.equal(reasonsIn(gate.ask('heal', elsewhere))[0]?.[4], free);
    gate.advance(free - 1 - gate.now);
    assert.equal(gate.ask('heal', elsewhere).a, 'refused');
    gate.advance(1);
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });

  it('knows no time while open ones alone fill it', () => {
    const gate = gateWith({ k: 'c', v: 1, p: 60_000, s: 'global' });
    leaseOf(gate.ask('heal', here));
    assert.deepEqual(reasonsIn(gate.ask('heal', elsewhere))[0], ['c', 'g', 1, 1, null]);
  });

  it('gives back what never got a permit, also within the period', () => {
    const gate = gateWith({ k: 'c', v: 1, p: 60_000, s: 'global' });
    gate.release(leaseOf(gate.ask('heal', here)), 'expired');
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });
});

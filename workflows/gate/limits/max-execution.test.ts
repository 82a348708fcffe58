import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateDriver, leaseOf, node, reasonsIn } from '../../../test/support/gate-driver.ts';
import { elsewhere, here, SCOPES, sharing } from '../../../test/support/gate-scopes.ts';
import { SLACK_MS } from '../counts.ts';
import { swept } from '../leases.ts';
import type { LimitRef } from '../operations.ts';

const MINUTE = 60_000;
const gateWith = (limit: LimitRef): GateDriver => {
  const gate = new GateDriver();
  gate.announce('heal', [limit]);
  return gate;
};

describe('maxExecution', () => {
  for (const s of SCOPES) {
    it(`counts starts per ${s}`, () => {
      const gate = gateWith({ k: 'm', v: 1, p: MINUTE, s });
      gate.finish(leaseOf(gate.ask('heal', here)), 'web-1');
      assert.equal(reasonsIn(gate.ask('heal', sharing(s)))[0]?.[0], 'm');
      assert.equal(gate.ask('heal', elsewhere).a, s === 'global' ? 'refused' : 'admitted');
    });
  }

  it('counts a start for its period and 20 seconds, to the millisecond, as it may have begun so late', () => {
    const gate = gateWith({ k: 'm', v: 1, p: MINUTE, s: 'global' });
    const began = gate.now;
    gate.finish(leaseOf(gate.ask('heal', here)), 'web-1');
    const [reason] = reasonsIn(gate.ask('heal', elsewhere));
    assert.deepEqual(reason, ['m', 'g', 1, 1, began + MINUTE + SLACK_MS + 1]);
    gate.advance(MINUTE + SLACK_MS);
    assert.equal(gate.ask('heal', elsewhere).a, 'refused', 'begun as late as may be, it is exactly a period ago');
    gate.restart();
    assert.equal(gate.ask('heal', elsewhere).a, 'refused', 'also after a restart');
    gate.advance(1);
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });

  it('says when enough have passed, not when the first has', () => {
    const gate = gateWith({ k: 'm', v: 2, p: MINUTE, s: 'global' });
    leaseOf(gate.ask('heal', node('web-1')));
    gate.advance(10_000);
    const second = gate.now;
    leaseOf(gate.ask('heal', node('web-2')));
    gate.announce('heal', [{ k: 'm', v: 1, p: MINUTE, s: 'global' }], { digest: 'd2' });
    const one = reasonsIn(gate.ask('heal', node('web-3'))).find(([, , limit]) => limit === 1);
    assert.deepEqual(one, ['m', 'g', 1, 2, second + MINUTE + SLACK_MS + 1]);
  });

  it('counts an open one from its admission, and no longer than the period', () => {
    const gate = gateWith({ k: 'm', v: 1, p: MINUTE, s: 'global' });
    leaseOf(gate.ask('heal', here));
    assert.equal(gate.ask('heal', elsewhere).a, 'refused');
    gate.advance(MINUTE + SLACK_MS + 1);
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });

  it('gives back a start that never got a permit: released, expired or never found', () => {
    const gate = gateWith({ k: 'm', v: 1, p: MINUTE, s: 'global' });
    gate.release(leaseOf(gate.ask('heal', here)), 'expired');
    swept(gate.state, { lease: leaseOf(gate.ask('heal', here)), execution: 'not_found' });
    assert.equal(gate.ask('heal', elsewhere).a, 'admitted');
  });

  it('counts what a person freed after its permit', () => {
    const gate = gateWith({ k: 'm', v: 1, p: MINUTE, s: 'global' });
    const lease = leaseOf(gate.ask('heal', here));
    gate.permit(lease, 's');
    gate.apply({ op: 'free', id: 'free', at: gate.now, l: lease, by: 'ann', why: 'scrapped' });
    assert.equal(gate.ask('heal', elsewhere).a, 'refused');
  });
});

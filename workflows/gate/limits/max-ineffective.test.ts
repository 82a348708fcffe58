import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Outcome } from '../../contract.ts';
import { GateDriver, leaseOf, node, reasonsIn } from '../../../test/support/gate-driver.ts';
import { elsewhere, here, SCOPES, sharing } from '../../../test/support/gate-scopes.ts';
import { swept } from '../leases.ts';
import type { LimitRef } from '../operations.ts';
import { summarizeGate } from '../summary.ts';

const breaker = (v: number, more: Partial<LimitRef> = {}): LimitRef => ({ k: 'i', v, p: 0, s: 'target', ...more });
const gateWith = (limit: LimitRef): GateDriver => {
  const gate = new GateDriver();
  gate.announce('heal', [limit]);
  return gate;
};
const end = (gate: GateDriver, ...outcomes: Outcome[]): void => {
  for (const outcome of outcomes) gate.finish(leaseOf(gate.ask('heal', here)), 'web-1', outcome);
};
const open = (gate: GateDriver): string[] => summarizeGate(gate.state, 0).breakers.map(({ id }) => id);

describe('maxIneffective', () => {
  for (const s of SCOPES) {
    it(`breaks per ${s}`, () => {
      const gate = gateWith(breaker(1, { s }));
      end(gate, 'failed');
      assert.equal(reasonsIn(gate.ask('heal', sharing(s)))[0]?.[0], 'i');
      assert.equal(gate.ask('heal', elsewhere).a, s === 'global' ? 'refused' : 'admitted');
    });
  }

  it('opens at the given number of outcomes in a row that did not help, whichever', () => {
    const gate = gateWith(breaker(3));
    end(gate, 'failed', 'ineffective');
    assert.deepEqual(open(gate), []);
    end(gate, 'failed');
    assert.deepEqual(reasonsIn(gate.ask('heal', here)), [['i', 't', 3, 3, null]]);
    assert.deepEqual(open(gate), ['breaker:heal:t:n:web-1']);
  });

  it('begins anew after one that healed; what neither helped nor failed leaves it as it is', () => {
    const gate = gateWith(breaker(2));
    end(gate, 'failed', 'healed', 'failed', 'cancelled', 'no_fault', 'expired');
    assert.deepEqual(open(gate), []);
    end(gate, 'ineffective');
    assert.equal(gate.ask('heal', here).a, 'refused');
  });

  it('stays open, whoever heals meanwhile, whatever is announced, over a restart, until it is resumed by its id', () => {
    const gate = gateWith(breaker(1, { s: 'global' }));
    const healing = leaseOf(gate.ask('heal', node('web-2')));
    end(gate, 'failed');
    gate.finish(healing, 'web-2', 'healed');
    gate.advance(200_000);
    gate.announce('heal', [breaker(9, { s: 'global' })], { digest: 'd2' });
    gate.advance(200_000);
    gate.announce('heal', [breaker(9, { s: 'global' })], { digest: 'd2' });
    gate.restart();
    const ask = (): string => gate.ask('heal', elsewhere, { d: 'd2' }).a;
    assert.equal(ask(), 'refused');
    gate.apply({ op: 'resume', id: 'r1', at: gate.now, pause: 'breaker:heal:t:n:web-1', by: 'ann', why: 'x' });
    assert.equal(ask(), 'refused', 'that was another');
    gate.apply({ op: 'resume', id: 'r2', at: gate.now, pause: 'breaker:heal:g', by: 'ann', why: 'mended' });
    assert.equal(ask(), 'admitted');
  });

  it('opens at once when a lower limit is announced, and is shown', () => {
    const gate = gateWith(breaker(5));
    end(gate, 'failed', 'failed');
    gate.announce('heal', [breaker(2)], { digest: 'd2' });
    assert.deepEqual(open(gate), ['breaker:heal:t:n:web-1']);
  });

  it('counts an outcome once, however many limits coordinators have announced', () => {
    const gate = gateWith(breaker(3));
    gate.announce('heal', [breaker(4)], { digest: 'd2' });
    end(gate, 'failed', 'failed');
    assert.equal(gate.ask('heal', here).a, 'admitted');
  });

  it('counts one that ended without a word after its permit as failed, once', () => {
    const gate = gateWith(breaker(2));
    const lease = leaseOf(gate.ask('heal', here));
    gate.permit(lease, 's');
    swept(gate.state, { lease, execution: 'closed' });
    swept(gate.state, { lease, execution: 'closed' });
    gate.result(lease, 's');
    assert.equal(gate.ask('heal', here).a, 'admitted');
  });

  it('keeps a fleet-wide breaker apart from that of a workflow of the same name', () => {
    const gate = gateWith(breaker(1, { s: 'global', g: 'heal' }));
    gate.announce('other', [breaker(1, { s: 'global', g: 'heal' })]);
    end(gate, 'failed');
    assert.deepEqual(open(gate), ['breaker:limit/heal:g']);
    assert.equal(gate.ask('other', elsewhere).a, 'refused');
  });

  it('is not something to wait for', () => {
    const gate = new GateDriver();
    gate.announce('heal', [breaker(1)], { mp: 5 });
    end(gate, 'failed');
    assert.equal(gate.ask('heal', here, { wt: gate.now + 600_000 }).a, 'refused');
  });
});

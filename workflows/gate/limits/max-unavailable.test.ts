import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateDriver, leaseOf, node, reasonsIn } from '../../../test/support/gate-driver.ts';
import { elsewhere, here } from '../../../test/support/gate-scopes.ts';
import type { LimitRef } from '../operations.ts';

const floor = (v: number, more: Partial<LimitRef> = {}): LimitRef => ({ k: 'u', v, p: 0, s: 'node_type', ...more });
const gateWith = (limit: LimitRef): GateDriver => {
  const gate = new GateDriver();
  gate.announce('heal', [limit]);
  return gate;
};

describe('maxUnavailable', () => {
  it('counts nodes that are down, nodes that any workflow changes, and the target', () => {
    const gate = gateWith(floor(3));
    gate.announce('other', []);
    gate.fleet('c1', [['y:web', 20, 1]], ['web-9']);
    leaseOf(gate.ask('other', node('web-1')));
    leaseOf(gate.ask('heal', node('web-2')));
    assert.deepEqual(reasonsIn(gate.ask('heal', node('web-3'))), [['u', 'y', 3, 3, null]]);
  });

  it('counts a node once that is down and held, and lets a node be healed that is down already', () => {
    const gate = gateWith(floor(2));
    gate.fleet('c1', [['y:web', 20, 2]], ['web-8', 'web-9']);
    leaseOf(gate.ask('heal', node('web-8')));
    assert.equal(gate.ask('heal', node('web-1')).a, 'refused');
    assert.equal(gate.ask('heal', node('web-9')).a, 'admitted', 'no further loss');
  });

  it('rounds percents down, of the whole inventory', () => {
    for (const [total, allowed] of [
      [19, 0],
      [20, 1],
      [39, 1],
      [40, 2],
    ] as const) {
      const gate = gateWith(floor(5, { pc: true }));
      gate.fleet('c1', [['y:web', total, 0]]);
      let admitted = 0;
      for (let n = 0; n < 5; n += 1) if (gate.ask('heal', node(`web-${n}`)).a === 'admitted') admitted += 1;
      assert.equal(admitted, allowed, `5% of ${total}`);
    }
  });

  for (const [s, key] of [
    ['node_type', 'y:web'],
    ['datacenter', 'c:dc1'],
    ['global', 'g'],
    ['label:rack', 'l:rack=r1'],
  ] as const) {
    it(`keeps a floor per ${s}`, () => {
      const gate = gateWith(floor(1, { s }));
      gate.fleet('c1', [
        [key, 9, 1],
        ['y:db', 9, 0],
        ['c:dc2', 9, 0],
        ['l:rack=r2', 9, 0],
      ]);
      assert.equal(gate.ask('heal', here).a, 'refused');
      assert.equal(gate.ask('heal', elsewhere).a, s === 'global' ? 'refused' : 'admitted');
    });
  }

  it('refuses when nobody has reported for a minute, to the millisecond, and says so', () => {
    const gate = gateWith(floor(3));
    assert.deepEqual(reasonsIn(gate.ask('heal', node('web-1'))), [['fleet', 'y', 3, 0, null]]);
    gate.fleet('c1', [['y:web', 20, 0]]);
    gate.advance(60_000);
    gate.restart();
    leaseOf(gate.ask('heal', node('web-1')));
    gate.advance(1);
    assert.equal(reasonsIn(gate.ask('heal', node('web-2')))[0]?.[0], 'fleet');
  });

  it('refuses nodes of which no inventory knows', () => {
    const gate = gateWith(floor(3));
    gate.fleet('c1', [['y:db', 20, 0]]);
    assert.equal(reasonsIn(gate.ask('heal', node('web-1')))[0]?.[0], 'fleet');
  });

  it('takes "as before" for a report of the version it knows, and asks for the whole of any other', () => {
    const gate = gateWith(floor(3));
    const report = { op: 'fleet', r: 'c1', v: 7 } as const;
    const told = (): string => gate.apply({ ...report, id: gate.id(), at: gate.now }).a;
    assert.equal(told(), 'unknown_fleet');
    gate.apply({ ...report, id: 'whole', at: gate.now, i: 0, of: 1, tot: [['y:web', 20, 0]], dn: [] });
    gate.advance(50_000);
    gate.restart();
    assert.equal(told(), 'ok');
    gate.advance(50_000);
    assert.equal(gate.ask('heal', node('web-1')).a, 'admitted');
    gate.advance(60_001);
    assert.equal(told(), 'unknown_fleet', 'too long ago to be as before');
  });

  it('takes a report in parts once all are there, also across a restart', () => {
    const gate = gateWith(floor(3));
    const part = { op: 'fleet', r: 'c1', v: 1, of: 2 } as const;
    gate.apply({ ...part, id: 'p0', at: gate.now, i: 0, tot: [['y:web', 20, 0]], dn: [] });
    assert.equal(gate.ask('heal', node('web-1')).a, 'refused');
    gate.restart();
    gate.apply({ ...part, id: 'p1', at: gate.now, i: 1, tot: [['y:db', 3, 0]], dn: [] });
    assert.equal(gate.ask('heal', node('web-1')).a, 'admitted');
  });

  it('lets the coordinator that sees worst decide, for as long as it reports', () => {
    const gate = gateWith(floor(2));
    gate.fleet('c1', [['y:web', 20, 0]]);
    gate.fleet('c2', [['y:web', 20, 2]], ['web-8', 'web-9']);
    assert.deepEqual(reasonsIn(gate.ask('heal', node('web-1'))), [['u', 'y', 2, 2, null]]);
    gate.restart();
    assert.equal(gate.ask('heal', node('web-1')).a, 'refused', 'also after a restart');
    gate.advance(40_000);
    gate.fleet('c1', [['y:web', 20, 0]]);
    gate.advance(20_001);
    assert.equal(gate.ask('heal', node('web-1')).a, 'admitted');
  });

  it('does not take two views of different nodes for one loss', () => {
    const gate = gateWith(floor(1));
    gate.fleet('c1', [['y:web', 3, 1]], ['web-1']);
    gate.fleet('c2', [['y:web', 3, 1]], ['web-3']);
    assert.equal(
      gate.ask('heal', node('web-1')).a,
      'refused',
      'the second sees web-3 down, and web-1 would be a further loss',
    );
  });
});

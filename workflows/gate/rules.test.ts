/** Fleet-wide limits, definitions, windows and permits elsewhere: docs/protocol.md §3, §5 and §8. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateDriver, leaseOf, node, reasonsIn } from '../../test/support/gate-driver.ts';
import type { LimitRef, Window } from './operations.ts';

const reboots: LimitRef = { k: 'c', v: 1, p: 0, s: 'label:rack', g: 'reboots' };
const rack = (name: string, label: string) => node(name, { l: { rack: label } });

describe('§3 fleet-wide limits', () => {
  it('3.1 counts over all workflows that the limit covers, and over no others', () => {
    const gate = new GateDriver();
    gate.announce('reboot', [reboots]);
    gate.announce('upgrade', [reboots]);
    gate.announce('restart', []);
    leaseOf(gate.ask('restart', rack('a', 'r1')));
    const lease = leaseOf(gate.ask('reboot', rack('b', 'r1')));
    assert.deepEqual(reasonsIn(gate.ask('upgrade', rack('c', 'r1'))), [['c', 'l:rack', 1, 1, null, 'reboots']]);
    assert.equal(gate.ask('upgrade', rack('d', 'r2')).a, 'admitted');
    gate.release(lease);
    assert.equal(gate.ask('upgrade', rack('c', 'r1')).a, 'admitted');
  });

  it('3.2 covers what a workflow holds and has started when it comes under the limit', () => {
    const hourly: LimitRef = { k: 'm', v: 2, p: 3_600_000, s: 'global', g: 'hourly' };
    const gate = new GateDriver();
    gate.announce('reboot', []);
    gate.announce('upgrade', [hourly]);
    gate.finish(leaseOf(gate.ask('reboot', node('a'))), 'a');
    leaseOf(gate.ask('reboot', node('b')));
    gate.announce('reboot', [hourly], { digest: 'd2' });
    assert.equal(reasonsIn(gate.ask('upgrade', node('c')))[0]?.[3], 2);
    gate.restart();
    assert.equal(gate.ask('upgrade', node('c')).a, 'refused');
  });

  it('3.2 covers a workflow that has left it no more', () => {
    const gate = new GateDriver();
    const five = 301_000;
    gate.announce('reboot', [reboots]);
    gate.announce('upgrade', [reboots]);
    leaseOf(gate.ask('reboot', rack('a', 'r1')));
    gate.advance(five);
    gate.announce('reboot', [], { digest: 'd2' });
    gate.announce('upgrade', [reboots]);
    assert.equal(gate.ask('upgrade', rack('b', 'r1')).a, 'admitted');
  });

  it('3.1 says of an admission which version of the limits was applied, and what counted before it', () => {
    const gate = new GateDriver();
    const told = gate.announce('reboot', [reboots, { k: 'm', v: 9, p: 60_000, s: 'global' }]);
    assert.deepEqual(told, { a: 'limits', v: 1, lim: [reboots, { k: 'm', v: 9, p: 60_000, s: 'global' }] });
    assert.deepEqual(gate.announce('reboot', [reboots, { k: 'm', v: 9, p: 60_000, s: 'global' }]), {
      a: 'limits',
      v: 1,
    });
    leaseOf(gate.ask('reboot', rack('a', 'r1')));
    const answer = gate.ask('reboot', rack('b', 'r2'));
    assert.ok(answer.a === 'admitted');
    assert.deepEqual([answer.v, answer.n], [1, [0, 1]]);
  });
});

describe('§3.2 definitions that differ', () => {
  const strict = (gate: GateDriver) => gate.announce('heal', [], { digest: 'd2', md: 'ask', mp: 1, ap: 60_000 });

  it('lets the strictest mode hold: shadow before ask before auto', () => {
    const gate = new GateDriver();
    gate.announce('heal', [], { mp: 9, ap: 90_000 });
    strict(gate);
    const waits = gate.ask('heal', node('a'));
    assert.ok(
      waits.a === 'pending' && waits.ap === true && waits.u === gate.now + 60_000,
      'the shortest time for a yes',
    );
    assert.ok(gate.ask('heal', node('b')).a === 'refused', 'and the fewest that may wait');
    gate.announce('heal', [], { digest: 'd3', md: 'shadow', du: 1_000 });
    assert.equal(gate.ask('heal', node('c')).a, 'shadow');
  });

  it('lets the strictest override that fits hold, and none that fits only what the target does not say', () => {
    const gate = new GateDriver();
    gate.announce('heal', [], {
      mp: 9,
      ap: 1_000,
      md: 'ask',
      ov: [
        ['auto', { y: ['web'] }],
        ['shadow', { c: ['dc9'] }],
      ],
    });
    assert.equal(gate.ask('heal', node('a')).a, 'admitted');
    assert.equal(gate.ask('heal', node('b', { c: 'dc9' })).a, 'shadow');
    assert.equal(gate.ask('heal', { k: 'c', c: 'dc1' }).a, 'pending');
  });

  it('refuses kinds of limits that it does not know, instead of not keeping them', () => {
    const gate = new GateDriver();
    // @ts-expect-error from a newer coordinator
    assert.equal(gate.announce('heal', [{ k: 'z', v: 1, p: 0, s: 'global' }]).a, 'malformed');
    assert.equal(gate.ask('heal', node('a')).a, 'unknown_definition');
  });
});

describe('§5.3 permits on another node than the target', () => {
  const perNode: LimitRef = { k: 'm', v: 1, p: 60_000, s: 'node' };
  const shared = { k: 'y', y: 'web' } as const;
  const there = { t: node('web-7'), n: 'web-7' };

  it("take that node's limits, and give it back with the lease", () => {
    const gate = new GateDriver();
    gate.announce('heal', [perNode]);
    const lease = leaseOf(gate.ask('heal', shared));
    assert.equal(gate.permit(lease, 's', there).a, 'permit');
    assert.deepEqual(
      reasonsIn(gate.ask('heal', node('web-7'))).map(([kind]) => kind),
      ['m', 'node'],
    );
    gate.restart();
    gate.result(lease, 's');
    gate.release(lease);
    assert.deepEqual(
      reasonsIn(gate.ask('heal', node('web-7'))).map(([kind]) => kind),
      ['m'],
    );
    gate.advance(80_001);
    assert.equal(gate.ask('heal', node('web-7')).a, 'admitted');
  });

  it('are refused where that node has no room, but for undoing', () => {
    const gate = new GateDriver();
    gate.announce('heal', [perNode]);
    gate.finish(leaseOf(gate.ask('heal', node('web-7'))), 'web-7');
    const lease = leaseOf(gate.ask('heal', shared));
    assert.deepEqual(gate.permit(lease, 's', there), { a: 'no_permit', c: 'node_limit', why: 'm node' });
    assert.equal(gate.permit(lease, 'undo', { ...there, undo: true }).a, 'permit');
  });

  it('meet the health floor of that node', () => {
    const gate = new GateDriver();
    gate.announce('heal', [{ k: 'u', v: 1, p: 0, s: 'datacenter' }]);
    gate.fleet('c1', [
      ['c:dc1', 9, 1],
      ['c:', 9, 0],
    ]);
    const lease = leaseOf(gate.ask('heal', shared));
    assert.deepEqual(gate.permit(lease, 's', there), { a: 'no_permit', c: 'node_limit', why: 'u datacenter' });
  });

  it('are stopped by a pause of the place where the node stands', () => {
    const gate = new GateDriver();
    gate.announce('heal', []);
    const lease = leaseOf(gate.ask('heal', shared));
    gate.apply({ op: 'pause', id: 'p', at: gate.now, sc: { k: 'c', v: 'dc1' }, by: 'ann', why: 'power' });
    assert.deepEqual(gate.permit(lease, 's', there), { a: 'no_permit', c: 'paused', why: 'power' });
  });

  it('are never had by asking for a look once more as a change', () => {
    const gate = new GateDriver();
    gate.announce('heal', []);
    gate.announce('look', [], { changing: false });
    leaseOf(gate.ask('heal', node('web-7')));
    const lease = leaseOf(gate.ask('look', node('web-7')));
    const look = { n: 'web-7', s: 's', a: 1, l: lease, p: 'plan', busy: 1_000, op: 'permit', at: gate.now } as const;
    assert.equal(gate.apply({ ...look, id: 'look' }).a, 'permit');
    assert.equal(gate.apply({ ...look, id: 'change', ch: true }).a, 'no_permit');
  });
});

describe('§8 windows', () => {
  const close = (gate: GateDriver, more: Partial<Window> = {}) =>
    gate.apply({
      op: 'window',
      id: gate.id(),
      at: gate.now,
      nm: 'release',
      sc: { y: ['web'], c: ['dc1'] },
      f: gate.now,
      u: gate.now + 60_000,
      src: 'p',
      by: 'ann',
      ...more,
    });
  const opened = () => {
    const gate = new GateDriver();
    gate.announce('heal', []);
    return gate;
  };

  it('refuse changes of what fits all their lists, until they end, and say when', () => {
    const gate = opened();
    close(gate);
    assert.deepEqual(reasonsIn(gate.ask('heal', node('a'))), [['win', 'g', 0, 1, gate.now + 60_000, 'release']]);
    assert.equal(gate.ask('heal', node('b', { c: 'dc2' })).a, 'admitted');
    assert.equal(gate.ask('heal', node('a'), { dry: true }).a, 'admitted', 'a dry run changes nothing');
    gate.advance(59_999);
    assert.equal(gate.ask('heal', node('a')).a, 'refused');
    gate.advance(1);
    assert.equal(gate.ask('heal', node('a')).a, 'admitted');
  });

  it('stop what does not say where it is, had it better be there', () => {
    const gate = opened();
    close(gate, { sc: { c: ['dc1'] } });
    assert.equal(gate.ask('heal', { k: 'y', y: 'web' }).a, 'refused');
  });

  it('stop the permits of what was admitted before, but for undoing and for looking', () => {
    const gate = opened();
    const lease = leaseOf(gate.ask('heal', node('a')));
    close(gate);
    assert.deepEqual(gate.permit(lease, 's', { n: 'a' }), { a: 'no_permit', c: 'window' });
    assert.equal(gate.permit(lease, 'undo', { n: 'a', undo: true }).a, 'permit');
    const look = { op: 'permit', id: 'l', at: gate.now, l: lease, p: 'plan', s: 'x', a: 1, n: 'a', busy: 1 } as const;
    assert.equal(gate.apply(look).a, 'permit');
  });

  it('of people are lifted by name; those of files end when nobody announces them', () => {
    const gate = opened();
    close(gate);
    close(gate, { nm: 'file:nights', src: 'f', u: gate.now + 300_000 });
    gate.restart();
    gate.apply({ op: 'unwindow', id: 'x', at: gate.now, nm: 'release', by: 'ann', why: 'done' });
    assert.equal(reasonsIn(gate.ask('heal', node('a')))[0]?.[5], 'file:nights');
    gate.advance(300_000);
    gate.announce('heal', []);
    assert.equal(gate.ask('heal', node('a')).a, 'admitted');
  });

  it('hold all while coordinators differ about them', () => {
    const gate = opened();
    close(gate, { nm: 'file:nights', src: 'f', sc: { c: ['dc1'] }, u: gate.now + 300_000, by: 'c1' });
    close(gate, { nm: 'file:nights', src: 'f', sc: { c: ['dc2'] }, by: 'c2' });
    close(gate, { nm: 'file:nights', src: 'f', sc: { c: ['dc1'] }, by: 'c3' });
    gate.advance(60_000);
    assert.equal(gate.ask('heal', node('a')).a, 'refused', 'the first goes on');
    assert.equal(gate.ask('heal', node('b', { c: 'dc2' })).a, 'admitted');
  });
});

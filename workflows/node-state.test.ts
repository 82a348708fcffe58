import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { changed, type NodeChange, type NodeState, UNKNOWN_NODE } from './node-state.ts';

const by = { by: 'spiffe://example.com/person/ann', reason: 'stolen' };
const after = (...changes: NodeChange[]): NodeState =>
  changes.reduce((state, change, index) => changed(state, change, 1_000 + index), UNKNOWN_NODE);

describe('the record of a node', () => {
  test('keeps the first machine, whoever comes later', () => {
    const state = after({ op: 'pin', machineId: 'machine-1' }, { op: 'pin', machineId: 'machine-2' });
    assert.deepEqual([state.machineId, state.pinnedAt], ['machine-1', 1_000]);
  });
  test('takes another machine once it is unpinned, and forgets what it saw of others', () => {
    const state = after(
      { op: 'pin', machineId: 'machine-1' },
      { op: 'other', machineId: 'machine-2', via: 'token' },
      { op: 'unpin', ...by },
      { op: 'pin', machineId: 'machine-2' },
    );
    assert.deepEqual([state.machineId, state.otherMachine], ['machine-2', null]);
  });
  test('says who shut it out first, until it is restored', () => {
    const twice = after({ op: 'revoke', ...by }, { op: 'revoke', by: 'bob', reason: 'me too' });
    assert.deepEqual(twice.revoked, { ...by, at: 1_000 });
    assert.equal(changed(twice, { op: 'restore', ...by }, 2_000).revoked, null);
  });
  test('is never opened by anything but a restore, nor given another machine by anything but an unpin', () => {
    const change = fc.oneof(
      fc.record({ op: fc.constant('pin' as const), machineId: fc.constantFrom('a', 'b', 'c') }),
      fc.record({
        op: fc.constant('other' as const),
        machineId: fc.constantFrom('a', 'b', 'c'),
        via: fc.constantFrom('receipt' as const, 'token' as const),
      }),
      fc.record({
        op: fc.constantFrom('unpin' as const, 'revoke' as const, 'restore' as const),
        by: fc.string(),
        reason: fc.string(),
      }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        let state = UNKNOWN_NODE;
        for (const [index, one] of changes.entries()) {
          const next = changed(state, one, index);
          if (state.revoked !== null && next.revoked === null) assert.equal(one.op, 'restore');
          if (state.machineId !== null && next.machineId !== state.machineId) assert.equal(one.op, 'unpin');
          state = next;
        }
      }),
    );
  });
});

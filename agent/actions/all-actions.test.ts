import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ACTIONS } from '../../workflows/contract.ts';
import { ALL_ACTIONS } from './all-actions.ts';

it('does every action that the contract names, and no other', () => {
  assert.deepEqual([...ALL_ACTIONS.keys()].toSorted(), Object.keys(ACTIONS).toSorted());
});

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ACTION_ARGUMENTS } from './action-arguments.ts';
import { ACTIONS } from './contract.ts';

it('describes the arguments of every action there is, with patterns that compile', () => {
  assert.deepEqual(Object.keys(ACTION_ARGUMENTS).toSorted(), Object.keys(ACTIONS).toSorted());
  for (const { named } of Object.values(ACTION_ARGUMENTS)) {
    for (const rule of Object.values(named)) {
      assert.ok(new RegExp(`^(?:${rule.pattern})$`, 'u'));
      if (rule.type === 'number') assert.ok(rule.min !== undefined && rule.max !== undefined && rule.min < rule.max);
    }
  }
});

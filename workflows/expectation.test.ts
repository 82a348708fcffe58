import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareWorkflow } from '../test/support/bare-workflow.ts';
import type { Plan, Template } from './contract.ts';
import { unmet } from './expectation.ts';

const plan: Plan = {
  definition: bareWorkflow('w'),
  args: { least: 10, state: 'active' },
  target: { kind: 'node', node: 'web-1', nodeType: 'web', datacenter: 'dc1', labels: {} },
};
const ref = (name: string): Template => ({ template: [{ ref: name }] });

test('facts that are as expected leave nothing to say', () => {
  const facts = { active_state: 'active', free_percent: 12.5, failed: 0, more: 'ignored' };
  const expect = { active_state: ref('input.state'), free_percent: { min: ref('input.least') }, failed: 0 };
  assert.equal(unmet(expect, facts, plan), null);
  assert.equal(unmet({}, facts, plan), null);
});

test('a list names what a fact may be', () => {
  const expect = { active_state: ['active', 'reloading'] };
  assert.equal(unmet(expect, { active_state: 'reloading' }, plan), null);
  assert.equal(
    unmet(expect, { active_state: 'failed' }, plan),
    'active_state is "failed", not "active" or "reloading"',
  );
});

test('every fact that differs is named with what was expected', () => {
  assert.equal(
    unmet(
      { active_state: 'active', free_percent: { min: 10, max: 90 } },
      { active_state: 'failed', free_percent: 3 },
      plan,
    ),
    'active_state is "failed", not "active"; free_percent is 3, less than 10',
  );
  assert.equal(unmet({ load: { max: 2 } }, { load: 7.5 }, plan), 'load is 7.5, more than 2');
});

test('a fact that is missing, of another type, or inherited from nowhere is never as expected', () => {
  assert.equal(unmet({ failed: 0 }, {}, plan), 'failed is not among what the host answered');
  assert.equal(unmet({ failed: 0 }, { failed: '0' }, plan), 'failed is "0", not 0');
  assert.equal(unmet({ failed: { max: 0 } }, { failed: '0' }, plan), 'failed is "0", and no number');
  assert.match(unmet({ toString: 'x' }, {}, plan) ?? '', /not among/);
});

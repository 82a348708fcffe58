import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InputDefinition } from '../workflows/contract.ts';
import { checkArguments } from './arguments.ts';

const input = (name: string, type: InputDefinition['type'], more: Partial<InputDefinition> = {}): InputDefinition => ({
  name,
  type,
  description: '',
  pattern: null,
  min: null,
  max: null,
  values: null,
  default: null,
  required: true,
  ...more,
});

const problemsOf = (inputs: readonly InputDefinition[], given: Record<string, unknown>): string[] => {
  const checked = checkArguments(inputs, given);
  return 'problems' in checked ? checked.problems.map(({ argument, message }) => `${argument}: ${message}`) : [];
};

describe('arguments of a request', () => {
  it('passes what is declared, and fills in defaults', () => {
    const inputs = [
      input('unit', 'string'),
      input('tries', 'number', { default: 3, required: false }),
      input('hosts', 'list'),
    ];
    assert.deepEqual(checkArguments(inputs, { unit: 'web.service', hosts: ['a', 'b'] }), {
      args: { unit: 'web.service', tries: 3, hosts: ['a', 'b'] },
    });
  });

  it('names every problem at once', () => {
    const inputs = [
      input('unit', 'string', { pattern: '[a-z]+\\.service' }),
      input('tries', 'number', { min: 1, max: 5 }),
    ];
    assert.deepEqual(problemsOf(inputs, { unit: 'web.service; reboot', tries: 9, other: true }), [
      'other: the workflow has no input "other"; it takes unit, tries',
      'unit: must match [a-z]+\\.service',
      'tries: is 9; at most 5',
    ]);
  });

  for (const [what, type, value, wanted] of [
    ['a number for text', 'string', 1, /must be a string/],
    ['text for a number', 'number', '1', /must be a number/],
    ['text for a bool', 'bool', 'true', /must be a bool/],
    ['text for a list', 'list', 'a', /must be a list/],
    ['an object in a list', 'list', [{}], /element 1 must be text, a number or true\/false/],
    ['an infinite number', 'number', Number.POSITIVE_INFINITY, /finite/],
    ['a NUL', 'string', 'a\0b', /characters that no argument may hold/],
    ['a lone surrogate', 'string', '\ud800', /characters that no argument may hold/],
    ['a text of megabytes', 'string', 'x'.repeat(5_000), /at most 4096/],
    ['a list of thousands', 'list', Array.from({ length: 300 }, () => 'x'), /at most 256/],
    ['null', 'string', null, /missing/],
  ] as const) {
    it(`refuses ${what}`, () => {
      const [problem = ''] = problemsOf([input('x', type)], { x: value });
      assert.match(problem, wanted);
    });
  }

  it('matches a pattern against the whole value, not a part of it or one line', () => {
    const inputs = [input('unit', 'string', { pattern: 'a|b' })];
    assert.deepEqual(problemsOf(inputs, { unit: 'a' }), []);
    for (const unit of ['ab', 'a\n', '\na', 'xb'])
      assert.equal(problemsOf(inputs, { unit }).length, 1, JSON.stringify(unit));
  });

  it('takes no argument from the prototype', () => {
    assert.deepEqual(problemsOf([input('toString', 'string')], {}), ['toString: missing; give a string']);
  });

  it('allows only the values that are listed', () => {
    assert.match(problemsOf([input('x', 'string', { values: ['a', 'b'] })], { x: 'c' })[0] ?? '', /one of "a", "b"/);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BARE_HOST } from '../../test/support/action-host.ts';
import { ACTION_ARGUMENTS } from '../../workflows/action-arguments.ts';
import type { Scalar } from '../../workflows/contract.ts';
import { createAllowList } from '../allow-list.ts';
import { withDefaults } from '../argument-defaults.ts';
import { judge } from '../perform.ts';
import { RefusalError } from '../refusal.ts';
import { ALL_ACTIONS } from './all-actions.ts';

const place = { file: 'agent.hcl', line: 1, column: 1 };

describe('arguments', () => {
  it('of any kind and name are refused or taken, and never break an action', () => {
    const names = [...new Set(Object.values(ACTION_ARGUMENTS).flatMap(({ named }) => Object.keys(named)))];
    const hostile = fc.constantFrom(
      '',
      '-x',
      '--all',
      '../..',
      'a\0b',
      'a\nb',
      '$(id)',
      '${secret.x}',
      '{x}',
      '*',
      '\ud800',
    );
    const value = fc.oneof(
      fc.string(),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.array(fc.string(), { maxLength: 2 }),
      hostile,
    );
    const name = fc.oneof(
      fc.constantFrom(...names),
      fc.string(),
      fc.constantFrom('__proto__', 'constructor', 'toString'),
    );
    const property = fc.property(fc.constantFrom(...ALL_ACTIONS.keys()), fc.dictionary(name, value), (action, args) => {
      try {
        ALL_ACTIONS.get(action)!.prepare(args, BARE_HOST);
      } catch (error) {
        assert.ok(error instanceof RefusalError && error.code === 'args_invalid', String(error));
        assert.ok(error.message.startsWith(`${action}: `), error.message);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('left out count with their defaults where a host forbids a value', async () => {
    const allow = createAllowList(
      [{ place, action: '*', args: {}, perHour: null, concurrent: null }],
      [{ place, action: 'process.kill', args: { then_kill: { kind: 'pattern', pattern: 'true' } } }],
    );
    const asked = (args: Readonly<Record<string, Scalar>>) =>
      judge({ host: BARE_HOST, allow, secretsDir: null }, 'process.kill', args);
    const refused = (error: unknown): boolean => error instanceof RefusalError && error.code === 'action_not_allowed';
    await assert.rejects(asked({ unit: 'web.service', then_kill: true }), refused);
    await assert.rejects(asked({ unit: 'web.service' }), refused);
    assert.ok(await asked({ unit: 'web.service', then_kill: false }));
  });

  it('left out count with their defaults where a host counts what has begun', () => {
    const rule = { place, action: 'process.kill', args: { then_kill: { kind: 'pattern', pattern: 'true' } as const } };
    const allow = createAllowList([{ ...rule, perHour: 1, concurrent: null }]);
    const room = allow.check('process.kill', { unit: 'web.service' });
    const past = { action: 'process.kill', args: { unit: 'web.service' }, ageMs: 1000, atWork: false };
    assert.throws(() => room!([past]), RefusalError);
  });

  it('keep what was given, and nothing is made up for actions that do not exist', () => {
    assert.deepEqual(withDefaults('logs.tail', { lines: 5 }), { lines: 5, since_s: 3600 });
    assert.deepEqual(withDefaults('no.such', { a: 1 }), { a: 1 });
    assert.deepEqual(withDefaults('constructor', {}), {});
  });
});

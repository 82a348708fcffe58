import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AllowRule } from '../config/agent-rules.ts';
import type { Args } from '../workflows/contract.ts';
import { createAllowList } from './allow-list.ts';
import { RefusalError } from './refusal.ts';

const place = { file: '/etc/fettle/agent.hcl', line: 7, column: 3 };
const allowRule = (action: string, args: AllowRule['args'] = {}): AllowRule => ({
  place,
  action,
  args,
  perHour: null,
  concurrent: null,
});
const patterns = (args: Record<string, string> = {}): AllowRule['args'] =>
  Object.fromEntries(Object.entries(args).map(([name, pattern]) => [name, { kind: 'pattern', pattern }]));
const allows = (
  rules: readonly { action: string; args?: Record<string, string> }[],
  action: string,
  args: Args = {},
): boolean => {
  try {
    createAllowList(rules.map((rule) => allowRule(rule.action, patterns(rule.args)))).check(action, args);
    return true;
  } catch (error) {
    assert.ok(error instanceof RefusalError && error.code === 'action_not_allowed');
    assert.doesNotMatch(error.message, /swordfish/);
    return false;
  }
};

describe('the allow blocks of a host', () => {
  it('allow nothing when there are none', () => {
    assert.equal(allows([], 'ping'), false);
  });

  it('allow the action they name, or all', () => {
    assert.equal(allows([{ action: 'ping' }], 'ping'), true);
    assert.equal(allows([{ action: 'ping' }], 'exec'), false);
    assert.equal(allows([{ action: 'ping' }], 'pin'), false);
    assert.equal(allows([{ action: '*' }], 'exec', { command: 'x' }), true);
  });

  it('bind each argument as a whole, however its pattern is anchored', () => {
    for (const pattern of ['^web\\.service$', 'web\\.service', 'web\\.service|db\\.service']) {
      const rules = [{ action: 'systemd.restart', args: { unit: pattern } }];
      assert.equal(allows(rules, 'systemd.restart', { unit: 'web.service' }), true);
      for (const unit of ['web.service.d', 'a web.service', 'web.service\n', 'webxservice', '', 'swordfish']) {
        assert.equal(allows(rules, 'systemd.restart', { unit }), false);
      }
    }
  });

  it('want the arguments they name, and leave others free', () => {
    const rules = [{ action: 'exec', args: { command: 'clean' } }];
    assert.equal(allows(rules, 'exec', {}), false);
    assert.equal(allows(rules, 'exec', { command: 'clean', path: '/anything' }), true);
    assert.equal(allows([{ action: 'exec', args: { constructor: '.*' } }], 'exec', {}), false);
  });

  it('look at each element of a list, and at numbers and bools as text', () => {
    const rules = [{ action: 'exec', args: { names: '[a-z]+' } }];
    assert.equal(allows(rules, 'exec', { names: ['a', 'b'] }), true);
    assert.equal(allows(rules, 'exec', { names: ['a', 'B'] }), false);
    assert.equal(allows(rules, 'exec', { names: ['a', ['b', 'C']] }), false);
    assert.equal(allows(rules, 'exec', { names: [] }), false);
    assert.equal(allows([{ action: 'exec', args: { port: '80\\d\\d' } }], 'exec', { port: 8080 }), true);
    assert.equal(allows([{ action: 'exec', args: { port: '80\\d\\d' } }], 'exec', { port: 80800 }), false);
  });

  it('need only one block that fits', () => {
    const rules = [
      { action: 'systemd.restart', args: { unit: 'web\\.service' } },
      { action: 'systemd.restart', args: { unit: 'db\\.service' } },
    ];
    assert.equal(allows(rules, 'systemd.restart', { unit: 'db.service' }), true);
    assert.equal(allows(rules, 'systemd.restart', { unit: 'ssh.service' }), false);
  });

  it('with a broken pattern name the place', () => {
    const broken = [allowRule('exec', patterns({ command: '(' }))];
    assert.throws(
      () => createAllowList(broken),
      /^Error: \/etc\/fettle\/agent\.hcl:7:3: allow\["exec"\]\.args\.command: .*not a regular expression/,
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bareWorkflow } from '../test/support/bare-workflow.ts';
import type { ArgValue, Plan, Template } from './contract.ts';
import { fillArg, FillError, referenceOf } from './fill.ts';

const plan: Plan = {
  definition: bareWorkflow('w'),
  args: { unit: 'web.service', tries: 3, hosts: ['a', 'b'], sly: '${secret.token}' },
  target: { kind: 'node', node: 'web-1', nodeType: 'web', datacenter: 'dc1', labels: {} },
};
const template = (...parts: Template['template'][number][]): ArgValue => ({ template: parts });
const ref = (name: string): { ref: string } => ({ ref: name });

describe('references of a plan', () => {
  it('are filled inside text', () => {
    assert.equal(fillArg(template('on ', ref('target.node'), ' of ', ref('target.type')), plan), 'on web-1 of web');
  });

  it('keep the type of a value that stands alone', () => {
    assert.equal(fillArg(template(ref('input.tries')), plan), 3);
    assert.deepEqual(fillArg(template(ref('input.hosts')), plan), ['a', 'b']);
  });

  it('are filled within lists', () => {
    assert.deepEqual(fillArg(['x', template(ref('target.datacenter'))], plan), ['x', 'dc1']);
  });

  it('leave secrets for the host, and never make one of a value that looks like it', () => {
    const kept = template('key ', ref('secret.token'), ' on ', ref('target.node'));
    assert.deepEqual(fillArg(kept, plan), { template: ['key ', ref('secret.token'), ' on ', 'web-1'] });
    assert.equal(fillArg(template(ref('input.sly')), plan), '${secret.token}');
  });

  it('without a value are an error that names them', () => {
    assert.throws(
      () => fillArg(template(ref('input.nothing')), plan),
      (error: unknown) => {
        assert.ok(error instanceof FillError);
        assert.match(error.message, /input\.nothing/);
        return true;
      },
    );
    assert.throws(() => fillArg(template('a', ref('input.hosts')), plan), /is a list/);
    assert.throws(() => fillArg(template(ref('input.constructor')), plan), FillError);
  });

  it('stand for plain values alone in queries', () => {
    assert.equal(referenceOf(plan, 'input.unit'), 'web.service');
    assert.equal(referenceOf(plan, 'input.hosts'), undefined);
  });
});

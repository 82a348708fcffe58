import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import { webWedged } from '../test/support/watching.ts';
import { aimAt } from './aim.ts';

const ref = (name: string) => ({ template: [{ ref: `labels.${name}` }] });
const aimed = (target: TriggerConfig['target'], args: TriggerConfig['args'], labels: Record<string, string>) =>
  aimAt({ ...webWedged, target, args }, labels);

test('fills target and arguments from labels, lists included, and leaves what is no template', () => {
  const args = {
    unit: { template: ['app@', { ref: 'labels.shard' }, '.service'] },
    n: 3,
    all: [ref('shard'), 'x'],
    dry: false,
  };
  const aim = aimed({ kind: 'node', value: ref('node') }, args, { node: 'web-1', shard: '7' });
  assert.deepEqual(aim, {
    ok: true,
    target: { node: 'web-1' },
    args: { unit: 'app@7.service', n: 3, all: ['7', 'x'], dry: false },
  });
});

test('names node types and datacenters too', () => {
  assert.deepEqual(aimed({ kind: 'node_type', value: 'web' }, {}, {}), {
    ok: true,
    target: { node_type: 'web' },
    args: {},
  });
  assert.deepEqual(aimed({ kind: 'datacenter', value: ref('dc') }, {}, { dc: 'dc1' }), {
    ok: true,
    target: { datacenter: 'dc1' },
    args: {},
  });
});

for (const [what, labels, message] of [
  ['no such label', {}, /no label "node"/],
  ['an empty label', { node: '' }, /no label "node"/],
  ['a port in it', { node: 'web-1:9100' }, /"web-1:9100" is not a name/],
  ['white space', { node: 'web-1 web-2' }, /not a name/],
  ['a line break', { node: 'web-1\n' }, /not a name/],
  ['a path', { node: '../web' }, /not a name/],
  ['a wildcard', { node: '*' }, /not a name/],
  ['too much', { node: 'a'.repeat(129) }, /not a name/],
] as const) {
  test(`asks for nothing when the target has ${what}`, () => {
    const aim = aimed({ kind: 'node', value: ref('node') }, {}, labels);
    assert(!aim.ok);
    assert.match(aim.problem, message);
  });
}

test('asks for nothing when an argument has no label, or a reference is not a label at all', () => {
  assert.equal(aimed({ kind: 'node', value: 'web-1' }, { unit: ref('unit') }, {}).ok, false);
  const other = aimed({ kind: 'node', value: 'web-1' }, { unit: { template: [{ ref: 'target.node' }] } }, {});
  assert(!other.ok);
  assert.match(other.problem, /only \$\{labels\.NAME\}/);
});

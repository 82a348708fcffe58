import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FleetLimit } from '../../config/fleet-limits.ts';
import type { Constraint, StepDefinition, WorkflowDefinition } from '../../workflows/contract.ts';
import { createRulings, rulingOf } from './ruling.ts';

const place = { file: 'c.hcl', line: 1, column: 1 };
const constraint = (more: Partial<Constraint> = {}): Constraint => ({
  kind: 'concurrency',
  value: 1,
  percent: false,
  periodMs: 0,
  scope: 'target',
  ...more,
});
const limit = (name: string, more: Partial<FleetLimit> = {}): FleetLimit => ({
  ...constraint({ scope: 'global', value: 5 }),
  place,
  name,
  workflows: [],
  actions: [],
  ...more,
});
const step = (action: string, more: Partial<StepDefinition> = {}): StepDefinition => ({
  name: action,
  action,
  args: {},
  timeoutMs: 60_000,
  retry: { attempts: 1, waitMs: 0 },
  when: 'always',
  ...more,
});
const workflow = (name: string, more: Partial<WorkflowDefinition> = {}): WorkflowDefinition => ({
  name,
  description: '',
  taskQueueTarget: { kind: 'node' },
  constraints: [],
  mode: 'auto',
  modeOverrides: [],
  maxPending: 100,
  approvalMs: 1_800_000,
  inputs: [],
  steps: [step('systemd.restart')],
  undo: [],
  verify: null,
  onFailure: null,
  ...more,
});
const announced = (definition: WorkflowDefinition, limits: readonly FleetLimit[] = []) =>
  rulingOf(definition, { limits, labels: [] }).announcement('c1', 'd:1', 5);
const groups = (definition: WorkflowDefinition, ...limits: FleetLimit[]): (string | undefined)[] =>
  announced(definition, limits).lim.map(({ g }) => g);

test('an announcement carries own limits, mode, how many may wait, how long for a yes, how long it may take', () => {
  const definition = workflow('restart', {
    constraints: [
      constraint({ kind: 'maxUnavailable', value: 5, percent: true, scope: 'node_type' }),
      constraint({ kind: 'cooldown', periodMs: 600_000, scope: 'label:rack' }),
    ],
    mode: 'ask',
    modeOverrides: [{ mode: 'auto', nodeTypes: ['web'], datacenters: [], nodes: ['db-1'] }],
    maxPending: 7,
    steps: [step('systemd.restart', { timeoutMs: 120_000, retry: { attempts: 3, waitMs: 10_000 } })],
    verify: { source: 'prometheus.main', query: 'up', forMs: 0, timeoutMs: 300_000, everyMs: 5_000 },
  });
  const { d, ...rest } = announced(definition);
  assert.match(d, /^[\w-]{16}$/);
  assert.deepEqual(rest, {
    op: 'definitions',
    id: 'd:1',
    at: 5,
    by: 'c1',
    w: 'restart',
    lim: [
      { k: 'u', v: 5, p: 0, s: 'node_type', pc: true },
      { k: 'd', v: 1, p: 600_000, s: 'label:rack' },
    ],
    ch: true,
    md: 'ask',
    ov: [['auto', { y: ['web'], n: ['db-1'] }]],
    mp: 7,
    ap: 1_800_000,
    // To start, three attempts with the time to begin each, two waits, and the proof.
    du: 15_000 + 3 * (120_000 + 15_000) + 2 * 10_000 + 300_000,
  });
});

test('a fleet-wide limit without lists covers what changes hosts, in undo and on failure too', () => {
  const look = workflow('look', { steps: [step('systemd.status')] });
  const notes = { notify: [], steps: [step('exec')] };
  assert.deepEqual(groups(workflow('restart'), limit('all')), ['all']);
  assert.deepEqual(groups(look, limit('all')), []);
  assert.deepEqual(groups({ ...look, undo: [{ ...step('exec'), of: 'x' }] }, limit('all')), ['all']);
  assert.deepEqual(groups({ ...look, onFailure: notes }, limit('all')), ['all']);
});

test('a fleet-wide limit covers workflows by name, all by a star, and those with one of its actions', () => {
  const look = workflow('look', { steps: [step('systemd.status')] });
  const named = limit('named', { workflows: ['look'], actions: ['exec'] });
  const everything = limit('everything', { workflows: ['*'] });
  assert.deepEqual(groups(look, named, everything), ['named', 'everything']);
  assert.deepEqual(groups(workflow('restart'), named, everything), ['everything']);
  assert.deepEqual(groups(workflow('run', { steps: [step('ping'), step('exec')] }), named), ['named']);
});

test('a workflow in TypeScript may take any action, so limits on actions cover it', () => {
  const typescript = workflow('restart-if-down', { steps: [] });
  assert.deepEqual(groups(typescript, limit('reboots', { actions: ['exec'] }), limit('all')), ['reboots', 'all']);
  assert.deepEqual(groups(typescript, limit('other', { workflows: ['look'] })), []);
});

test('whatever is announced is in the digest, so that coordinators that differ are seen to', () => {
  const base = workflow('restart');
  const digest = (definition: WorkflowDefinition, ...limits: FleetLimit[]): string => announced(definition, limits).d;
  const all = [
    digest(base),
    digest({ ...base, mode: 'ask' }),
    digest({ ...base, maxPending: 1 }),
    digest({ ...base, approvalMs: 1 }),
    digest({ ...base, description: 'other' }),
    digest({ ...base, constraints: [constraint()] }),
    digest(base, limit('a')),
    digest(base, limit('b')),
    digest(base, limit('a', { value: 4 })),
  ];
  assert.equal(new Set(all).size, all.length);
  assert.equal(digest(base, limit('a', { workflows: ['other'] })), digest(base));
});

test('labels of any limit of any workflow travel with every target, until none counts by them any more', () => {
  const one = workflow('one', { constraints: [constraint({ scope: 'label:rack' })] });
  const two = workflow('two');
  const book = {
    workflows: [one, two].map((definition) => ({ place, definition })),
    limits: [limit('l', { scope: 'label:row' })],
  };
  let current = book;
  const ruling = createRulings(() => current);
  assert.deepEqual(ruling(two).labels, ['rack', 'row']);
  assert.equal(ruling(two), ruling(two));
  const before = ruling(two);
  current = { ...book, limits: [] };
  assert.deepEqual(ruling(two).labels, ['rack']);
  assert.notEqual(ruling(two).digest, before.digest);
});

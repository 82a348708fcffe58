import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { WindowConfig } from '../../config/window.ts';
import { MAX_OPERATION_BYTES, type TargetRef } from '../../workflows/gate/operations.ts';
import { fits } from '../../workflows/gate/windows.ts';
import { windowOperations } from './window-operations.ts';

const MINUTE = 60_000;
const place = { file: 'c.hcl', line: 1, column: 1 };
const friday = (time: string): number => Date.parse(`2026-11-20T${time}:00Z`);
const nightly: WindowConfig = {
  place,
  name: 'nights',
  changes: 'forbidden',
  times: {
    kind: 'hours',
    zone: 'UTC',
    days: [0, 1, 2, 3, 4, 5, 6],
    spans: [{ fromMs: 22 * 60 * MINUTE, untilMs: 30 * 60 * MINUTE }],
  },
  workflows: [],
  nodeTypes: [],
  datacenters: [],
  nodes: [],
  reason: 'backups run',
};
const operations = (window: WindowConfig, now: number, by = 'c1') =>
  windowOperations([window], {
    by,
    now,
    onTrouble: (_, error) => {
      throw error;
    },
  });

test('nothing is announced while no closure is on or near', () => {
  assert.deepEqual(operations(nightly, friday('12:00')), []);
  assert.deepEqual(operations(nightly, friday('21:54')), []);
});

test('a closure is announced before it begins, for five minutes at most', () => {
  const [before] = operations(nightly, friday('21:58'));
  assert.deepEqual(
    [before?.nm, before?.f, before?.u, before?.src, before?.why],
    ['file:nights', friday('22:00'), friday('22:03'), 'f', 'backups run'],
  );
  const [during] = operations(nightly, friday('23:00'));
  assert.deepEqual([during?.f, during?.u], [friday('22:00'), friday('23:05')]);
});

test('a closure is never announced beyond its end', () => {
  const [last] = operations(nightly, friday('05:58'));
  assert.equal(last?.u, friday('06:00'));
  assert.deepEqual(operations(nightly, friday('06:00')), []);
});

test('two closures that lie closer together than two announcements do are announced as one', () => {
  const spans = [
    { fromMs: 12 * 60 * MINUTE, untilMs: 12 * 60 * MINUTE + 2 * MINUTE },
    { fromMs: 12 * 60 * MINUTE + 3 * MINUTE, untilMs: 13 * 60 * MINUTE },
  ];
  const window = { ...nightly, times: { kind: 'hours' as const, zone: 'UTC', days: [5], spans } };
  const [one, ...more] = operations(window, friday('12:01'));
  assert.deepEqual([one?.f, one?.u, more], [friday('12:00'), friday('12:06'), []]);
});

test('a window that cannot be worked out is kept closed, and said so', () => {
  const broken = () => {
    throw new Error('its rule leads nowhere');
  };
  const times = { kind: 'calendar' as const, calendar: { file: 'f.ics', between: broken } };
  const told: string[] = [];
  const [closure] = windowOperations([{ ...nightly, times }], {
    by: 'c1',
    now: friday('12:00'),
    onTrouble: (window, error) => told.push(`${window}: ${(error as Error).message}`),
  });
  assert.ok(closure !== undefined && closure.f <= friday('12:00') && closure.u === friday('12:05'));
  assert.deepEqual(told, ['nights: its rule leads nowhere']);
});

const names = (letter: string, longest = 2) =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: longest })
    .map((all) => all.map((n) => `${letter}-${n}`));

test('what one operation cannot hold is announced in several that cover the same targets, each within its bounds', () => {
  const scope = fc.record({
    workflows: names('w'),
    nodeTypes: names('y'),
    datacenters: names('c'),
    nodes: names('n', 40),
  });
  const target = fc.record({
    w: fc.integer({ min: 0, max: 60 }),
    y: fc.integer({ min: 0, max: 60 }),
    c: fc.integer({ min: 0, max: 60 }),
    n: fc.integer({ min: 0, max: 60 }),
  });
  fc.assert(
    fc.property(scope, fc.array(target, { minLength: 20 }), (lists, targets) => {
      const long = { name: 'w'.repeat(40), reason: 'because '.repeat(20) };
      const all = operations({ ...nightly, ...long, ...lists }, friday('23:00'), 'c'.repeat(63));
      assert.equal(new Set(all.map(({ nm }) => nm)).size, all.length);
      assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
      for (const one of all) assert.ok(Buffer.byteLength(JSON.stringify(one)) <= MAX_OPERATION_BYTES);
      for (const { w, y, c, n } of targets) {
        const ref: TargetRef = { k: 'n', n: `n-${n}`, y: `y-${y}`, c: `c-${c}` };
        const workflow = `w-${w}`;
        const named = (list: readonly string[], value: string): boolean => list.length === 0 || list.includes(value);
        const expected =
          named(lists.workflows, workflow) &&
          named(lists.nodeTypes, ref.y ?? '') &&
          named(lists.datacenters, ref.c ?? '') &&
          named(lists.nodes, ref.n ?? '');
        assert.equal(
          all.some(({ sc }) => fits(sc, workflow, ref)),
          expected,
        );
      }
    }),
    { numRuns: 50 },
  );
});

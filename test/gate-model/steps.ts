/** Random sequences of what may happen to a gate: small numbers that `Trial` makes operations of, so that they shrink well. */
import fc from 'fast-check';
import type { LimitRef, ModeRef } from '../../workflows/gate/operations.ts';

const LIMITS: readonly LimitRef[] = [
  { k: 'c', v: 1, p: 0, s: 'target' },
  { k: 'c', v: 2, p: 0, s: 'global' },
  { k: 'c', v: 1, p: 60_000, s: 'node_type' },
  { k: 'c', v: 2, p: 30_000, s: 'label:rack' },
  { k: 'm', v: 1, p: 60_000, s: 'node' },
  { k: 'm', v: 2, p: 60_000, s: 'global' },
  { k: 'm', v: 3, p: 600_000, s: 'datacenter' },
  { k: 'm', v: 2, p: 120_000, s: 'label:rack' },
  { k: 'd', v: 1, p: 30_000, s: 'node' },
  { k: 'd', v: 1, p: 90_000, s: 'global' },
  { k: 'u', v: 1, p: 0, s: 'node_type' },
  { k: 'u', v: 50, p: 0, s: 'datacenter', pc: true },
  { k: 'u', v: 2, p: 0, s: 'label:rack' },
  { k: 'i', v: 2, p: 0, s: 'target' },
  { k: 'i', v: 1, p: 0, s: 'global' },
  { k: 'c', v: 2, p: 0, s: 'global', g: 'all' },
  { k: 'c', v: 1, p: 0, s: 'label:rack', g: 'all' },
  { k: 'm', v: 3, p: 60_000, s: 'global', g: 'all' },
  { k: 'd', v: 1, p: 30_000, s: 'datacenter', g: 'calm' },
  { k: 'u', v: 2, p: 0, s: 'global', g: 'calm' },
  { k: 'm', v: 1, p: 60_000, s: 'node', g: 'calm' },
  { k: 'i', v: 2, p: 0, s: 'node_type', g: 'calm' },
];

const OVERRIDES: readonly (readonly ModeRef[])[] = [
  [],
  [['ask', { y: ['db'] }]],
  [['auto', { c: ['dc1'] }]],
  [['shadow', { n: ['web-1'] }]],
];

const small = (max: number) => fc.nat({ max });

const definition = fc.record({
  lim: fc.subarray([...LIMITS], { maxLength: 3 }),
  mode: fc.constantFrom('auto', 'auto', 'auto', 'auto', 'ask', 'shadow'),
  ov: fc.constantFrom(...OVERRIDES, [] as ModeRef[], [] as ModeRef[]),
  mp: fc.constantFrom(0, 1, 3, 5),
  ap: fc.constantFrom(60_000, 300_000),
  du: fc.constantFrom(30_000, 90_000),
});

const ask = fc.record({
  do: fc.constant('ask' as const),
  w: fc.constantFrom(0, 0, 1, 2),
  d: fc.constantFrom(0, 0, 0, 0, 0, 1),
  t: fc.constantFrom(0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9),
  plan: fc.constantFrom(0, 0, 0, 1),
  e: fc.constantFrom(null, null, 0, 1, 2),
  began: fc.constantFrom(0, 0, 40_000),
  ob: small(1),
  wait: fc.constantFrom(null, 20_000, 300_000, 300_000),
  valid: fc.constantFrom(10_000, 60_000, 600_000, 600_000),
  dry: fc.constantFrom(false, false, false, false, false, false, true),
  by: small(2),
});

const permit = fc.record({
  do: fc.constant('permit' as const),
  lease: fc.constantFrom(0, 0, 0, 1, 2, 3, 7),
  s: small(1),
  a: fc.constantFrom(1, 1, 2),
  n: fc.constantFrom(null, null, null, 0, 1, 3, 5),
  ch: fc.constantFrom(true, true, false),
  undo: fc.constantFrom(false, false, false, true),
  sf: fc.constantFrom(false, false, true),
  sup: fc.constantFrom(null, null, 1),
  plan: fc.constantFrom(0, 0, 0, 0, 1),
  late: fc.constantFrom(0, 5_000, 20_000),
});

const lease = { lease: fc.constantFrom(0, 1, 1, 2, 3, 5, 8) };
const waiter = { waiter: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 5) };
const steps = [
  { weight: 26, arbitrary: ask },
  {
    weight: 16,
    arbitrary: fc.record({
      do: fc.constant('again' as const),
      ...waiter,
      valid: fc.constantFrom(10_000, 600_000),
      plan: fc.constantFrom(0, 0, 0, 0, 0, 1),
    }),
  },
  { weight: 8, arbitrary: permit },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      ...lease,
      outcome: fc.constantFrom('healed', 'failed', 'ineffective', 'cancelled'),
      late: fc.constantFrom(0, 5_000, 20_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('release' as const),
      ...lease,
      outcome: fc.constantFrom('healed', 'failed', 'ineffective', 'expired'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('result' as const), ...lease, s: small(1), a: fc.constantFrom(1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('started' as const), ...lease }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('free' as const), ...lease }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('sweep' as const),
      ...lease,
      found: fc.constantFrom('running', 'closed', 'not_found'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 500, 5_000, 20_000, 20_000, 61_000, 200_000),
      quiet: fc.constantFrom(false, false, false, false, false, true),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('until' as const), time: small(10), by: fc.constantFrom(-1, 0, 1) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('repeat' as const), which: small(60), plan: fc.constantFrom(0, 0, 0, 1) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('announce' as const), w: small(2), d: small(1), by: small(1) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fleet' as const),
      r: small(1),
      down: fc.subarray([0, 1, 2, 3, 4, 5], { maxLength: 3 }),
      parts: fc.constantFrom(1, 1, 2),
      lost: fc.constantFrom(false, false, true),
      missing: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('seen' as const), e: small(2), ob: small(1), resolved: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('word' as const),
      ...waiter,
      word: fc.constantFrom('approve', 'approve', 'approve', 'deny', 'leave'),
      by: small(2),
      glass: fc.constantFrom(false, false, true),
      plan: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pause' as const),
      scope: fc.constantFrom(0, 1, 2, 3, 3, 4, 5, 5),
      ms: fc.constantFrom(null, 30_000, 30_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), which: small(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('window' as const),
      scope: small(4),
      from: fc.constantFrom(0, 20_000),
      ms: fc.constantFrom(30_000, 300_000),
      person: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unwindow' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('adopt' as const), e: fc.constantFrom(null, 7) }) },
] as const;

export const history = fc.record({
  definitions: fc.tuple(definition, definition, definition, definition, definition, definition),
  steps: fc.array(fc.oneof(...steps), { minLength: 5, maxLength: 70, size: 'max' }),
});

export type History = typeof history extends fc.Arbitrary<infer T> ? T : never;
export type Step = History['steps'][number];

/** Random lives of a trigger: flaps, failed looks, restarts, clocks that step, answers of all kinds at any time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import { newTriggerState, takeLook } from './episodes.ts';
import type { Effect, Outcome, TriggerState } from './fault.ts';
import { takeOutcome } from './outcomes.ts';

const NODES = ['a', 'b', 'c', 'd'] as const;
type Node = (typeof NODES)[number];

type Event =
  | { readonly kind: 'answer'; readonly nodes: readonly Node[] }
  | { readonly kind: 'failed' | 'partial' | 'stale' }
  | { readonly kind: 'passes'; readonly ms: number }
  | { readonly kind: 'clock_steps'; readonly ms: number }
  | { readonly kind: 'restarts' }
  | { readonly kind: 'hears'; readonly node: Node; readonly outcome: Outcome };

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc
    .constantFrom('admitted' as const, 'duplicate' as const)
    .map((decision): Outcome => ({ kind: 'decision', decision: { decision, request_id: 'r', execution: 'x' } })),
  fc.option(fc.nat(300)).map((retry_after_s): Outcome => ({
    kind: 'decision',
    decision: {
      decision: 'refused',
      request_id: 'r',
      code: 'limits',
      message: 'full',
      reasons: [{ constraint: 'c', scope: 's', name: null, limit: 1, current: 1, retry_after_s }],
    },
  })),
  fc.integer({ min: -600_000, max: 600_000 }).map((ms): Outcome => ({
    kind: 'decision',
    decision: {
      decision: 'pending',
      request_id: 'r',
      pending: 'pending:x',
      waits_for: 'limits',
      message: 'full',
      reasons: [],
      place: 0,
      asks_again_at: '2026-11-01T00:00:00Z',
      expires_at: new Date(Date.parse('2026-11-01T00:00:00Z') + ms).toISOString(),
    },
  })),
  fc.constant<Outcome>({
    kind: 'decision',
    decision: { decision: 'shadow', request_id: 'r', would: 'admitted', message: '', reasons: [] },
  }),
  fc
    .constantFrom('void' as const, 'full' as const, 'storm' as const)
    .map((reason): Outcome => ({ kind: 'dropped', reason })),
  fc
    .constantFrom('not_allowed', 'no_such_node')
    .map((code): Outcome => ({ kind: 'rejected', code, message: '', retryAfterS: null })),
);

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.subarray([...NODES]).map((nodes): Event => ({ kind: 'answer', nodes })) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('failed' as const, 'partial' as const, 'stale' as const)
      .map((kind): Event => ({ kind })),
  },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 20_000 }).map((ms): Event => ({ kind: 'passes', ms })) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: -86_400_000, max: 86_400_000 }).map((ms): Event => ({ kind: 'clock_steps', ms })),
  },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'restarts' }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('hears' as const), node: fc.constantFrom(...NODES), outcome }),
  },
);

const trigger = (forMs: number, maxSeries: number, againMs: number | null): TriggerConfig => ({
  place: { file: 't.hcl', line: 1, column: 1 },
  name: 't',
  source: 'prometheus.main',
  condition: { kind: 'query', query: 'up == 0' },
  everyMs: 5_000,
  forMs,
  workflow: 'w',
  target: { kind: 'node', value: { template: [{ ref: 'labels.node' }] } },
  nodeTypes: null,
  args: {},
  validForMs: 60_000,
  maxSeries,
  volatileLabels: [],
  gapMs: 30_000,
  againMs,
  waitMs: 0,
});

/** Runs a life and checks every effect against a model that knows only what was seen and heard. */
class Life {
  state: TriggerState = newTriggerState();
  mono = 0;
  wall = 1_800_000_000_000;
  /** When the present unbroken run of sightings began, in this process. */
  readonly since = new Map<string, number>();
  readonly open = new Set<string>();
  readonly askedIn = new Set<string>();
  readonly trigger: TriggerConfig;
  constructor(config: TriggerConfig) {
    this.trigger = config;
  }

  step(event: Event): void {
    if (event.kind === 'passes') {
      this.mono += event.ms;
      this.wall += event.ms;
    } else if (event.kind === 'clock_steps') this.wall += event.ms;
    else if (event.kind === 'restarts') this.restart();
    else if (event.kind === 'hears') this.hear(event.node, event.outcome);
    else if (event.kind === 'answer') this.see(event.nodes);
    else {
      const before = this.state.faults;
      const { state, effects } = takeLook(this.state, { kind: event.kind, message: '' }, this.trigger, this);
      assert.deepEqual(effects, [], 'a look that cannot tell says nothing');
      assert.equal(state.faults, before, 'and changes no fault');
      this.state = state;
    }
  }

  restart(): void {
    this.state = newTriggerState();
    for (const memory of [this.since, this.open, this.askedIn]) memory.clear();
  }

  hear(node: string, outcome: Outcome): void {
    const fault = [...this.state.faults.values()].find(({ labels }) => labels['node'] === node);
    if (fault === undefined || !this.open.delete(node)) return;
    const { state, effects } = takeOutcome(this.state, fault.key, fault.asks, outcome, this.trigger, this);
    this.state = state;
    for (const effect of effects) assert.equal(effect.kind, 'rejected');
  }

  see(nodes: readonly Node[]): void {
    for (const node of this.since.keys()) if (!nodes.some((one) => one === node)) this.since.delete(node);
    const seen = nodes.map((node) => ({ labels: { node }, value: 0, since: null, certain: true }));
    const look = { kind: 'answer', seen, askedAt: this.wall, evaluatedAt: this.wall } as const;
    const { state, effects } = takeLook(this.state, look, this.trigger, this);
    this.state = state;
    for (const node of nodes) if (!this.since.has(node)) this.since.set(node, this.mono);
    for (const effect of effects) this.check(effect, nodes);
    const over = effects
      .filter(({ kind }) => kind === 'resolved')
      .map((effect) => ('fault' in effect ? effect.fault.labels['node'] : ''));
    const gone = [...this.askedIn].filter((node) => !nodes.some((one) => one === node));
    assert.deepEqual(new Set(over), new Set(gone), 'what was asked about and is gone is said to be over');
    for (const node of gone) {
      this.askedIn.delete(node);
      this.open.delete(node);
    }
  }

  check(effect: Effect, nodes: readonly string[]): void {
    if (effect.kind === 'storm_began' || effect.kind === 'storm_ended' || effect.kind === 'rejected') return;
    const node = effect.fault.labels['node'] ?? '';
    assert.equal(
      nodes.includes(node),
      effect.kind !== 'resolved',
      'only what is seen is asserted, only what is gone is over',
    );
    if (effect.kind !== 'request') return;
    assert(nodes.length <= this.trigger.maxSeries, 'no request in a storm');
    assert(!this.open.has(node), 'one open request of an identity');
    const since = this.since.get(node);
    assert(since !== undefined && this.mono - since >= this.trigger.forMs, 'no request before `for`');
    assert.deepEqual(effect.fault.aim, { ok: true, target: { node }, args: {} });
    this.open.add(node);
    this.askedIn.add(node);
  }
}

const SEED = 20261121;
const life = fc.record({
  events: fc.array(event, { maxLength: 60 }),
  forMs: fc.constantFrom(0, 5_000, 30_000),
  maxSeries: fc.constantFrom(1, 3, 4),
  againMs: fc.constantFrom(null, 60_000),
});

test('keeps its promises through flaps, failures, restarts and clocks that step', () => {
  fc.assert(
    fc.property(life, ({ events, forMs, maxSeries, againMs }) => {
      const one = new Life(trigger(forMs, maxSeries, againMs));
      for (const event of events) one.step(event);
    }),
    { seed: SEED, numRuns: 3_000 },
  );
});

test('whatever happened before, a fault that lasts is asked for until it is admitted', () => {
  fc.assert(
    fc.property(life, ({ events, forMs, maxSeries, againMs }) => {
      const one = new Life(trigger(forMs, maxSeries, againMs));
      for (const event of events) one.step(event);
      const admitted: Outcome = {
        kind: 'decision',
        decision: { decision: 'admitted', request_id: 'r', execution: 'x' },
      };
      // Longer than the longest back-off and the longest wait a refusal above asks for.
      for (let looks = 0; looks < 200; looks += 1) {
        one.step({ kind: 'passes', ms: 5_000 });
        one.step({ kind: 'answer', nodes: ['a'] });
        one.step({ kind: 'hears', node: 'a', outcome: admitted });
      }
      assert.equal([...one.state.faults.values()][0]?.phase.kind, 'joined');
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('two daemons over the same answers come to the same identities, whatever the order of series and labels', () => {
  const labels = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 5 });
  fc.assert(
    fc.property(fc.array(labels, { maxLength: 5 }), (all) => {
      const config = { ...trigger(0, 100, null), target: { kind: 'datacenter', value: 'dc1' } } as const;
      const keys = (list: readonly Record<string, string>[]): string[] => {
        const seen = list.map((one) => ({ labels: one, value: 0, since: null, certain: true }));
        const look = { kind: 'answer', seen, askedAt: 0, evaluatedAt: 0 } as const;
        return [...takeLook(newTriggerState(), look, config, { wall: 0, mono: 0 }).state.faults.keys()].sort((a, b) =>
          a < b ? -1 : 1,
        );
      };
      const turned = [...all].reverse().map((one) => Object.fromEntries(Object.entries(one).reverse()));
      assert.deepEqual(keys(turned), keys(all));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

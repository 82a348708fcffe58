import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import type { ApiReason } from '../workflows/api.ts';
import { newTriggerState, takeLook } from './episodes.ts';
import type { Clock, Effect, Fault, Outcome, Sighting, Step, TriggerLook, TriggerState } from './fault.ts';
import { takeEpisodeClosed, takeOutcome } from './outcomes.ts';

const START = Date.parse('2026-11-01T00:00:00Z');

const base: TriggerConfig = {
  place: { file: 't.hcl', line: 1, column: 1 },
  name: 'wedged',
  source: 'prometheus.main',
  condition: { kind: 'query', query: 'up == 0' },
  everyMs: 5_000,
  forMs: 15_000,
  workflow: 'restart',
  target: { kind: 'node', value: { template: [{ ref: 'labels.node' }] } },
  nodeTypes: null,
  args: {},
  validForMs: 120_000,
  maxSeries: 2,
  volatileLabels: ['pod'],
  gapMs: 30_000,
  againMs: null,
  waitMs: 0,
};

/** Drives the core as a daemon would, by a clock of its own. */
class Drive {
  state: TriggerState = newTriggerState();
  mono = 0;
  wall = START;
  readonly trigger: TriggerConfig;
  constructor(trigger: Partial<TriggerConfig> = {}) {
    this.trigger = { ...base, ...trigger };
  }
  get clock(): Clock {
    return { wall: this.wall, mono: this.mono };
  }
  after(ms: number): this {
    this.mono += ms;
    this.wall += ms;
    return this;
  }
  #take(step: Step): readonly Effect[] {
    this.state = step.state;
    return step.effects;
  }
  look(look: TriggerLook): readonly Effect[] {
    return this.#take(takeLook(this.state, look, this.trigger, this.clock));
  }
  sees(...seen: Sighting[]): readonly Effect[] {
    return this.look({ kind: 'answer', seen, askedAt: this.wall, evaluatedAt: this.wall });
  }
  /** Sees the same again and again, every `every`, and gives the kinds of all effects. */
  keepsSeeing(ms: number, ...seen: Sighting[]): string[] {
    const kinds: string[] = [];
    for (let passed = 0; passed < ms; passed += this.trigger.everyMs) {
      this.after(this.trigger.everyMs);
      kinds.push(...this.sees(...seen).map(({ kind }) => kind));
    }
    return kinds;
  }
  hears(outcome: Outcome): readonly Effect[] {
    const { key, asks } = this.fault();
    return this.#take(takeOutcome(this.state, key, asks, outcome, this.trigger, this.clock));
  }
  fault(): Fault {
    const [fault] = this.state.faults.values();
    assert(fault !== undefined, 'no fault is known');
    return fault;
  }
  /** Sees it until it is asked for. */
  asks(...seen: Sighting[]): this {
    this.sees(...seen);
    assert.deepEqual(this.keepsSeeing(this.trigger.forMs, ...seen), ['request']);
    return this;
  }
}

const down = (node: string, more: Record<string, string> = {}): Sighting => ({
  labels: { node, job: 'web', ...more },
  value: 0,
  since: null,
  certain: true,
});
const kindsOf = (effects: readonly Effect[]): string[] => effects.map(({ kind }) => kind);
const decision = (kind: 'admitted' | 'duplicate'): Outcome => ({
  kind: 'decision',
  decision: { decision: kind, request_id: 'r', execution: 'x' },
});
const refused = (...waits: (number | null)[]): Outcome => ({
  kind: 'decision',
  decision: {
    decision: 'refused',
    request_id: 'r',
    code: 'limits',
    message: 'full',
    reasons: waits.map((retry_after_s): ApiReason => ({
      constraint: 'c',
      scope: 's',
      name: null,
      limit: 1,
      current: 1,
      retry_after_s,
    })),
  },
});

const waits = (drive: Drive, ms: number): Outcome => ({
  kind: 'decision',
  decision: {
    decision: 'pending',
    request_id: 'r',
    pending: 'pending:x',
    waits_for: 'limits',
    message: 'full',
    reasons: [],
    place: 0,
    asks_again_at: new Date(drive.wall + 1_000).toISOString(),
    expires_at: new Date(drive.wall + ms).toISOString(),
  },
});

test('asks when the condition was seen to hold for `for`, and not before', () => {
  const drive = new Drive();
  assert.deepEqual(drive.sees(down('a')), []);
  assert.deepEqual(drive.after(5_000).sees(down('a')), []);
  assert.deepEqual(drive.after(5_000).sees(down('a')), []);
  assert.deepEqual(kindsOf(drive.after(5_000).sees(down('a'))), ['request']);
});

test('begins `for` anew when the condition stopped holding in between', () => {
  const drive = new Drive();
  drive.sees(down('a'));
  drive.keepsSeeing(10_000, down('a'));
  assert.deepEqual(drive.after(5_000).sees(), []);
  assert.deepEqual(drive.after(5_000).sees(down('a')), []);
  assert.deepEqual(drive.keepsSeeing(10_000, down('a')), []);
});

test('does not count time in which the source could not tell as time the condition held', () => {
  const drive = new Drive();
  drive.sees(down('a'));
  drive.after(60_000);
  drive.look({ kind: 'failed', message: 'away' });
  assert.deepEqual(drive.after(5_000).sees(down('a')), []);
  assert.equal(drive.fault().heldMs, 10_000);
});

test('neither ends nor begins anything on a failed, partial or stale look', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears(decision('admitted'));
  for (const kind of ['failed', 'partial', 'stale'] as const) {
    assert.deepEqual(drive.after(600_000).look({ kind, message: 'why' }), []);
    assert.equal(drive.state.look, kind);
    assert.equal(drive.state.faults.size, 1);
  }
});

test('says a fault is over only when a whole answer lacks it, and only when it was asked about', () => {
  const drive = new Drive();
  drive.sees(down('a'));
  assert.deepEqual(drive.after(5_000).sees(), []);
  drive.asks(down('a'));
  drive.hears(decision('admitted'));
  assert.deepEqual(kindsOf(drive.after(5_000).sees()), ['resolved']);
  assert.equal(drive.state.faults.size, 0);
});

test('has one request on its way at most, however long the answer takes', () => {
  const drive = new Drive().asks(down('a'));
  assert.deepEqual(drive.keepsSeeing(600_000, down('a')), []);
});

test('asserts a fault that lasts as seen, twice within the time its evidence and its episode live', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears(decision('admitted'));
  assert.deepEqual(drive.keepsSeeing(60_000, down('a')), ['seen', 'seen', 'seen', 'seen']);
});

test('asks again after a refusal when all limits can be free, and no earlier', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears(refused(100, 20));
  assert(!drive.keepsSeeing(95_000, down('a')).includes('request'));
  assert(drive.keepsSeeing(5_000, down('a')).includes('request'));
});

test('looks again after half a minute at a limit that cannot say when it is free', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears(refused(null));
  assert(!drive.keepsSeeing(25_000, down('a')).includes('request'));
  assert(drive.keepsSeeing(5_000, down('a')).includes('request'));
});

test('complains once about a request that is rejected, and asks ever more rarely', () => {
  const drive = new Drive().asks(down('a'));
  const rejected: Outcome = { kind: 'rejected', code: 'not_allowed', message: 'no rule', retryAfterS: null };
  const waits: number[] = [];
  assert.deepEqual(kindsOf(drive.hears(rejected)), ['rejected']);
  for (let round = 0; round < 8; round += 1) {
    const from = drive.mono;
    while (!drive.keepsSeeing(drive.trigger.everyMs, down('a')).includes('request'));
    waits.push((drive.mono - from) / 1000);
    assert.deepEqual(drive.hears(rejected), []);
  }
  assert.deepEqual(waits, [30, 60, 120, 240, 480, 600, 600, 600]);
  while (!drive.keepsSeeing(drive.trigger.everyMs, down('a')).includes('request'));
  assert.deepEqual(kindsOf(drive.hears({ ...rejected, code: 'no_such_node' })), ['rejected']);
});

test('asks anew, with fresh evidence, when a request was dropped undecided', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears({ kind: 'dropped', reason: 'void' });
  const [effect] = drive.after(5_000).sees(down('a'));
  assert(effect?.kind === 'request');
  assert.equal(effect.fault.observedAt, drive.wall);
});

test('asks the gate rarely whether a fault that outlives its remedy may be tried again, sooner when the trigger says so', () => {
  const plain = new Drive().asks(down('a'));
  plain.hears(decision('admitted'));
  assert(!plain.keepsSeeing(295_000, down('a')).includes('request'));
  assert(plain.keepsSeeing(5_000, down('a')).includes('request'));
  const again = new Drive({ againMs: 100_000 }).asks(down('a'));
  again.hears(decision('admitted'));
  assert(!again.keepsSeeing(95_000, down('a')).includes('request'));
  assert(again.keepsSeeing(5_000, down('a')).includes('request'));
  again.hears(decision('duplicate'));
  assert(!again.keepsSeeing(55_000, down('a')).includes('request'));
  assert(again.keepsSeeing(5_000, down('a')).includes('request'));
});

test('leaves what waits to the coordinator: asserts the fault, and looks in when the wait should be over, or rarely before', () => {
  const short = new Drive().asks(down('a'));
  short.hears(waits(short, 60_000));
  const meanwhile = short.keepsSeeing(60_000, down('a'));
  assert.deepEqual(meanwhile, ['seen', 'seen', 'seen', 'seen']);
  assert(short.keepsSeeing(10_000, down('a')).includes('request'));
  const long = new Drive().asks(down('a'));
  long.hears(waits(long, 3_600_000));
  assert(!long.keepsSeeing(295_000, down('a')).includes('request'));
  assert(long.keepsSeeing(5_000, down('a')).includes('request'));
});

test('does not storm a coordinator whose clock is behind', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears(waits(drive, -3_600_000));
  assert(!drive.keepsSeeing(25_000, down('a')).includes('request'));
});

test('says that a fault is over whose request waits, so that it waits no more', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears(waits(drive, 60_000));
  assert.deepEqual(kindsOf(drive.after(5_000).sees()), ['resolved']);
});

test('takes a rehearsal for decided: asserts the fault, and asks again rarely', () => {
  const drive = new Drive().asks(down('a'));
  const decided = { decision: 'shadow', request_id: 'r', would: 'admitted', message: 'shadow', reasons: [] } as const;
  drive.hears({ kind: 'decision', decision: { ...decided, reasons: [] } });
  const meanwhile = drive.keepsSeeing(295_000, down('a'));
  assert(meanwhile.includes('seen') && !meanwhile.includes('request'));
  assert(drive.keepsSeeing(5_000, down('a')).includes('request'));
});

test('a request that waits in a later storm is held until it is over', () => {
  const drive = new Drive({ maxSeries: 1 });
  drive.sees(down('a'));
  assert.deepEqual(drive.keepsSeeing(60_000, down('a'), down('b')), ['storm_began']);
  assert.deepEqual(drive.keepsSeeing(5_000, down('a')), ['storm_ended', 'request']);
});

test('asks again when the gate has closed the episode of a fault that is still there', () => {
  const drive = new Drive().asks(down('a'));
  drive.hears(decision('admitted'));
  drive.state = takeEpisodeClosed(drive.state, drive.fault().key);
  assert.deepEqual(kindsOf(drive.after(5_000).sees(down('a'))), ['request']);
});

test('ignores late news about a request that was followed by another or whose fault is over', () => {
  const drive = new Drive().asks(down('a'));
  const { key } = drive.fault();
  drive.after(5_000).sees();
  drive.asks(down('a'));
  drive.hears({ kind: 'dropped', reason: 'void' });
  drive.after(5_000).sees(down('a'));
  const before = drive.state;
  assert.equal(takeOutcome(before, key, 1, decision('admitted'), drive.trigger, drive.clock).state, before);
  assert.equal(
    takeOutcome(newTriggerState(), key, 1, decision('admitted'), drive.trigger, drive.clock).effects.length,
    0,
  );
});

test('holds all requests while there are more series than max_series, says so once, and goes on below', () => {
  const drive = new Drive({ forMs: 0, maxSeries: 2 });
  const three = [down('a'), down('b'), down('c')];
  assert.deepEqual(drive.sees(...three), [{ kind: 'storm_began', series: 3 }]);
  assert.deepEqual(drive.keepsSeeing(60_000, ...three), []);
  assert.equal(drive.state.storm, 3);
  assert.deepEqual(kindsOf(drive.after(5_000).sees(down('a'), down('b'))), ['storm_ended', 'request', 'request']);
});

test('a storm that begins later holds what was not yet asked, and still reports what is over', () => {
  const drive = new Drive({ maxSeries: 1 }).asks(down('a'));
  drive.hears(decision('admitted'));
  assert.deepEqual(kindsOf(drive.after(5_000).sees(down('b'), down('c'))), ['storm_began', 'resolved']);
});

test('never makes "all" of a missing label: says once what is missing and asks for nothing', () => {
  const drive = new Drive({ forMs: 0 });
  const nameless: Sighting = { labels: { job: 'web' }, value: 0, since: null, certain: true };
  const [effect] = drive.sees(nameless);
  assert(effect?.kind === 'unusable');
  assert.match(effect.problem, /no label "node"/);
  assert.deepEqual(drive.keepsSeeing(60_000, nameless), []);
});

test("a label of an object's own prototype is not a label of the series", () => {
  const drive = new Drive({ forMs: 0, target: { kind: 'node', value: { template: [{ ref: 'labels.constructor' }] } } });
  assert.deepEqual(kindsOf(drive.sees(down('a'))), ['unusable']);
});

test('takes series that differ in volatile labels for one fault, unless they disagree about what to do', () => {
  const one = new Drive({ forMs: 0 });
  assert.deepEqual(kindsOf(one.sees(down('a', { pod: '1' }), down('a', { pod: '2' }))), ['request']);
  assert.deepEqual(one.fault().labels, { job: 'web', node: 'a' });
  const torn = new Drive({ forMs: 0, target: { kind: 'node', value: { template: [{ ref: 'labels.pod' }] } } });
  assert.deepEqual(kindsOf(torn.sees(down('a', { pod: '1' }), down('a', { pod: '2' }))), ['unusable']);
});

test('by an alert, `for` counts from the time the source says it began, whatever our clock does', () => {
  const drive = new Drive({ condition: { kind: 'alert', alert: 'Down' } });
  const alert: Sighting = { ...down('a'), since: START - 10_000 };
  assert.deepEqual(drive.sees(alert), []);
  drive.wall += 3_600_000;
  assert.deepEqual(drive.look({ kind: 'answer', seen: [alert], askedAt: drive.wall, evaluatedAt: START + 4_000 }), []);
  const effects = drive.look({ kind: 'answer', seen: [alert], askedAt: drive.wall, evaluatedAt: START + 5_000 });
  assert.deepEqual(kindsOf(effects), ['request']);
  assert.equal(drive.fault().beganAt, START - 10_000);
});

test('an alert that is pending again neither begins nor ends a fault', () => {
  const drive = new Drive({ condition: { kind: 'alert', alert: 'Down' }, forMs: 0 });
  const alert: Sighting = { ...down('a'), since: START };
  assert.deepEqual(drive.sees({ ...alert, certain: false }), []);
  assert.equal(drive.state.faults.size, 0);
  assert.deepEqual(kindsOf(drive.sees(alert)), ['request']);
  drive.hears(decision('admitted'));
  assert.deepEqual(drive.after(600_000).sees({ ...alert, certain: false }), []);
  assert.equal(drive.state.faults.size, 1);
});

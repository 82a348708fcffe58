import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GateDriver, leaseOf, node } from '../../test/support/gate-driver.ts';
import { tick, trim } from './apply.ts';
import { Folder, type Recorded } from './fold.ts';
import { swept, type SweepFinding } from './leases.ts';
import type { Answer, LimitRef, Operation } from './operations.ts';
import { fromSnapshot, toSnapshot, type Snapshot } from './snapshot.ts';
import { emptyState, type GateState } from './state.ts';

const LIMITS: readonly LimitRef[] = [
  { k: 'c', v: 2, p: 0, s: 'node_type' },
  { k: 'm', v: 3, p: 600_000, s: 'target' },
  { k: 'd', v: 1, p: 20_000, s: 'target' },
  { k: 'i', v: 2, p: 0, s: 'target' },
  { k: 'c', v: 3, p: 0, s: 'global', g: 'all' },
];

/** A gate whose operations and answers are written down as its history would. */
class RecordedGate extends GateDriver {
  readonly record: Recorded[] = [];

  #trimmed = 0;

  /** As the gate does it: with its operations, and not too often. */
  #tidy(): void {
    tick(this.state, this.now);
    if (this.now - this.#trimmed <= 5_000) return;
    trim(this.state);
    this.#trimmed = this.now;
  }

  override apply(operation: Operation): Answer {
    this.#tidy();
    const answer = super.apply(operation);
    this.record.push({ kind: 'batch', now: this.now, ops: [operation], answers: [answer] });
    return answer;
  }

  sweep(finding: SweepFinding): void {
    this.#tidy();
    this.record.push({ kind: 'sweep', now: this.now, findings: [finding] });
    swept(this.state, finding);
  }

  folded(): GateState {
    const folder = new Folder(emptyState('main'));
    for (const entry of structuredClone(this.record)) folder.add(entry);
    return folder.finish();
  }
}

/** What counts of a state, without what a takeover changes on purpose. */
function essence(state: GateState): Omit<Snapshot, 'epoch' | 'next' | 'folds' | 'floor' | 'serial' | 'words'> {
  const { epoch: _, next: _n, folds: _f, floor: _o, serial: _s, words: _w, ...rest } = toSnapshot(state);
  return JSON.parse(JSON.stringify(rest)) as typeof rest;
}

const step = fc.record({
  what: fc.constantFrom('ask', 'wait', 'permit', 'result', 'release', 'failed', 'pause', 'resume', 'sweep', 'announce'),
  node: fc.integer({ min: 1, max: 4 }),
  workflow: fc.constantFrom('restart', 'clean'),
  pick: fc.nat(20),
  ms: fc.constantFrom(0, 10, 1_000, 16_000, 40_000),
});

describe('9.2 taking over from a lost run', () => {
  it('gives the state that was lost, whatever had happened', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const gate = new RecordedGate();
        for (const workflow of ['restart', 'clean']) gate.apply({ ...announcement(gate, workflow, LIMITS), mp: 10 });
        for (const one of steps) {
          gate.now += one.ms;
          play(gate, one);
        }
        assert.deepEqual(essence(gate.folded()), essence(gate.state));
      }),
      { numRuns: 300 },
    );
  });

  it('takes an admission as it was answered, though the limits would refuse it now', () => {
    const gate = new RecordedGate();
    gate.apply(announcement(gate, 'restart', [{ k: 'c', v: 1, p: 0, s: 'global' }]));
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    const ask = gate.record.at(-1);
    assert.ok(ask?.kind === 'batch' && ask.ops[0]?.op === 'ask');
    const other: Recorded = {
      ...ask,
      ops: [{ ...ask.ops[0], id: 'other', t: node('web-2') }],
      answers: [{ a: 'admitted', l: [1, 2], sb: gate.now + 15_000 }],
    };
    gate.record.push(other);
    const state = gate.folded();
    assert.deepEqual(
      [...state.leases.values()].map(({ ref }) => ref),
      [lease, [1, 2]],
    );
  });

  it('begins a new epoch, so that no lease number comes twice, and counts that it took over', () => {
    const gate = new RecordedGate();
    gate.apply(announcement(gate, 'restart', []));
    leaseOf(gate.ask('restart', node('web-1')));
    const taken = new GateDriver();
    taken.state = fromSnapshot(JSON.parse(JSON.stringify(toSnapshot(gate.folded()))) as Snapshot);
    const next = leaseOf(taken.ask('restart', node('web-2')));
    assert.deepEqual(next, [2, 1]);
    assert.equal(taken.state.folds, 1);
  });

  it('answers a request as the lost run had answered it', () => {
    const gate = new RecordedGate();
    gate.apply(announcement(gate, 'restart', []));
    const first = gate.ask('restart', node('web-1'), { id: 'same' });
    gate.state = gate.folded();
    assert.deepEqual(gate.ask('restart', node('web-1'), { id: 'same' }), { ...first, known: true });
  });

  it('stays closed when the lost run was closed, but for its having been reset', () => {
    const gate = new RecordedGate();
    const ops = [{ op: 'started', id: 'x', at: gate.now, l: [1, 1] }] as const;
    gate.record.push({
      kind: 'batch',
      now: gate.now,
      ops,
      answers: [{ a: 'quarantined', why: 'this gate was reset; so' }],
    });
    assert.equal(gate.folded().quarantine, null);
    gate.record.push({ kind: 'batch', now: gate.now, ops, answers: [{ a: 'quarantined', why: 'it lost decisions' }] });
    assert.equal(gate.folded().quarantine, 'it lost decisions');
  });
});

const announcement = (gate: GateDriver, w: string, lim: readonly LimitRef[]) =>
  ({ op: 'definitions', id: gate.id(), at: gate.now, w, d: 'd1', lim, ch: true, by: 'c1' }) as const;

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(gate: RecordedGate, { what, node: n, workflow, pick }: Step): void {
  const leases = [...gate.state.leases.values()];
  const lease = leases[pick % Math.max(1, leases.length)];
  const target = node(`web-${n}`);
  if (what === 'ask') gate.ask(workflow, target, { e: episode(gate, n) });
  if (what === 'wait') gate.ask(workflow, target, { wt: gate.now + 300_000, q: 'q', by: 'somebody' });
  if (what === 'announce') gate.apply({ ...announcement(gate, workflow, LIMITS), mp: 10 });
  if (what === 'pause')
    gate.apply({ op: 'pause', id: gate.id(), at: gate.now, sc: { k: 'n', v: `web-${n}` }, by: 'p', why: 'w' });
  const [pause] = gate.state.pauses.keys();
  if (what === 'resume' && pause !== undefined)
    gate.apply({ op: 'resume', id: gate.id(), at: gate.now, pause, by: 'p', why: 'w' });
  if (lease === undefined) return;
  if (what === 'permit') gate.permit(lease.ref, `s${pick % 2}`, { n: lease.target.n ?? '', at: gate.now });
  if (what === 'result') gate.result(lease.ref, `s${pick % 2}`);
  if (what === 'release') gate.release(lease.ref);
  if (what === 'failed') gate.release(lease.ref, 'failed');
  if (what === 'sweep')
    gate.sweep({ lease: lease.ref, execution: (['running', 'closed', 'not_found'] as const)[pick % 3] ?? 'running' });
}

const episode = (gate: GateDriver, n: number) => ({
  id: `fault-${n}`,
  ob: 'o',
  b: gate.now,
  gap: 30_000,
  again: 60_000,
});

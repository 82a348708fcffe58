/** Waiting, approval and rehearsal: docs/protocol.md §7. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateDriver, leaseOf, node, pendingOf, reasonsIn } from '../../test/support/gate-driver.ts';
import type { Answer, Ask, Definitions, EpisodeRef, LimitRef, TargetRef } from './operations.ts';

const one: LimitRef = { k: 'c', v: 1, p: 0, s: 'global' };
const A = node('web-1');
const B = node('web-2');
const C = node('web-3');
const LONG = 3_600_000;

const gateWith = (lim: readonly LimitRef[], more: Partial<Definitions> = {}): GateDriver => {
  const gate = new GateDriver();
  gate.announce('heal', lim, { mp: 5, ap: 300_000, du: 30_000, ...more });
  return gate;
};
const wait = (gate: GateDriver, target: TargetRef, more: Partial<Ask> = {}, w = 'heal') =>
  pendingOf(gate.ask(w, target, { wt: gate.now + LONG, eu: gate.now + LONG, by: 'ann', ...more }));
const again = (
  gate: GateDriver,
  target: TargetRef,
  { rq }: { rq: string },
  more: Partial<Ask> = {},
  w = 'heal',
): Answer => gate.ask(w, target, { rq, wt: gate.now + LONG, eu: gate.now + LONG, by: 'ann', ...more });
const fault = (gate: GateDriver, id = 'fault'): EpisodeRef => ({ id, ob: 'o', b: gate.now, gap: 30_000 });
const pause = (gate: GateDriver, v?: string) =>
  gate.apply({
    op: 'pause',
    id: 'stop',
    at: gate.now,
    sc: v === undefined ? { k: 'all' } : { k: 'n', v },
    by: 'ann',
    why: 'x',
  });
const say = (gate: GateDriver, op: 'approve' | 'deny', rq: string, by: string, more: object = {}): Answer =>
  gate.apply({ op, id: gate.id(), at: gate.now, rq, p: 'plan', by, ...more });

describe('§7.1 waiting', () => {
  it('is first come, first served: places, and later times for later ones', () => {
    const gate = gateWith([one]);
    const lease = leaseOf(gate.ask('heal', node('x')));
    const [a, b, c] = [A, B, C].map((target) => wait(gate, target));
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    assert.deepEqual([a.pl, b.pl, c.pl], [0, 1, 2]);
    assert.ok(a.ra < b.ra && b.ra < c.ra);
    gate.release(lease);
    assert.equal(again(gate, C, c).a, 'pending');
    assert.equal(again(gate, B, b).a, 'pending');
    gate.restart();
    assert.equal(again(gate, A, a).a, 'admitted');
  });

  it('keeps one order over two limits, so that nobody waits for each other', () => {
    const gate = gateWith([one]);
    gate.announce('both', [one, { ...one, g: 'all' }], { mp: 5 });
    gate.announce('other', [{ ...one, g: 'all' }], { mp: 5 });
    const held = leaseOf(gate.ask('other', node('x')));
    const first = wait(gate, A, {}, 'both');
    const second = wait(gate, B, {}, 'other');
    gate.release(held);
    assert.equal(again(gate, B, second, {}, 'other').a, 'pending');
    assert.equal(again(gate, A, first, {}, 'both').a, 'admitted');
  });

  it('holds nobody back at a limit that has room for the one that waits elsewhere', () => {
    const gate = gateWith([
      { k: 'c', v: 1, p: 0, s: 'node' },
      { ...one, v: 2 },
    ]);
    leaseOf(gate.ask('heal', A));
    wait(gate, A);
    assert.equal(gate.ask('heal', B).a, 'admitted', 'the first waits for its node alone');
  });

  it('holds nobody back while it waits for the end of a pause or for a yes, and keeps its place', () => {
    const gate = gateWith([one]);
    const lease = leaseOf(gate.ask('heal', node('x')));
    const first = wait(gate, A);
    const second = wait(gate, B);
    pause(gate, 'web-1');
    const paused = pendingOf(again(gate, A, first));
    assert.equal(paused.pause, true);
    gate.release(lease);
    const next = leaseOf(again(gate, B, second));
    gate.apply({ op: 'resume', id: 'r', at: gate.now, pause: 'stop', by: 'ann', why: 'over' });
    const third = wait(gate, C);
    assert.equal(pendingOf(again(gate, A, first)).pl, 0);
    gate.release(next);
    assert.equal(again(gate, C, third).a, 'pending');
    assert.equal(again(gate, A, first).a, 'admitted');
  });

  it('is bounded in number; what is refused for it says so', () => {
    const gate = gateWith([one], { mp: 1 });
    leaseOf(gate.ask('heal', node('x')));
    const first = wait(gate, A);
    const answer = gate.ask('heal', B, { wt: gate.now + LONG });
    assert.ok(answer.a === 'refused' && answer.full === true);
    gate.apply({ op: 'leave', id: 'l', at: gate.now, rq: first.rq });
    wait(gate, B);
  });

  it('does not begin when no room can come before its end, or nobody asked for it', () => {
    const gate = gateWith([{ k: 'm', v: 1, p: 60_000, s: 'global' }]);
    gate.finish(leaseOf(gate.ask('heal', node('x'))), 'x');
    assert.equal(gate.ask('heal', A).a, 'refused');
    assert.equal(gate.ask('heal', A, { wt: gate.now + 80_000 }).a, 'refused');
    assert.equal(gate.ask('heal', A, { wt: gate.now + 80_001 }).a, 'pending');
  });

  it('drops who does not ask again in time, and takes up who comes back as one that came now', () => {
    const gate = gateWith([one]);
    leaseOf(gate.ask('heal', node('x')));
    const first = wait(gate, A);
    gate.advance(first.ra + 60_000 - gate.now);
    assert.equal(gate.state.waiting.size, 1);
    gate.advance(1);
    assert.equal(gate.state.waiting.size, 0);
    const second = wait(gate, B);
    assert.equal(second.pl, 0);
    assert.equal(pendingOf(again(gate, A, first)).pl, 1);
  });

  it('never lets past a pause what it had dropped meanwhile', () => {
    const gate = gateWith([one]);
    const lease = leaseOf(gate.ask('heal', node('x')));
    const first = wait(gate, A);
    pause(gate);
    gate.release(lease);
    gate.advance(130_000);
    assert.equal(gate.state.waiting.size, 0);
    assert.equal(pendingOf(again(gate, A, first)).pause, true);
  });

  it('ends when its evidence is void, its fault is over, its time is up', () => {
    const gate = gateWith([one]);
    leaseOf(gate.ask('heal', node('x')));
    const first = wait(gate, A, { e: fault(gate) });
    gate.advance(1_000);
    gate.resolve(fault(gate));
    assert.deepEqual(again(gate, A, first, { e: fault(gate) }), { a: 'ended', c: 'no_fault' });
    const second = wait(gate, B);
    assert.deepEqual(again(gate, B, second, { eu: gate.now - 1 }), { a: 'ended', c: 'stale_evidence' });
    const third = wait(gate, C, { wt: gate.now + 10_000 });
    gate.advance(10_001);
    assert.deepEqual(again(gate, C, third, { wt: third.u }), { a: 'ended', c: 'wait_over' });
    assert.deepEqual(again(gate, C, third, { wt: third.u }), { a: 'ended', c: 'not_waiting' });
  });

  it('is one per fault: others of it are told of it, and of its lease afterwards', () => {
    const gate = gateWith([one]);
    const lease = leaseOf(gate.ask('heal', node('x')));
    const first = wait(gate, A, { e: fault(gate) });
    const other = wait(gate, A, { e: fault(gate), by: 'bob' });
    assert.deepEqual([other.rq, other.same], [first.rq, true]);
    gate.release(lease);
    const admitted = leaseOf(again(gate, A, first, { e: fault(gate) }));
    const told = gate.ask('heal', A, { e: fault(gate) });
    assert.ok(told.a === 'duplicate');
    assert.deepEqual(told.l, admitted);
  });

  it('of a dry run is nothing that a real request of the fault joins', () => {
    const gate = gateWith([one]);
    leaseOf(gate.ask('heal', node('x')));
    const dry = wait(gate, A, { e: fault(gate), dry: true });
    assert.notEqual(wait(gate, A, { e: fault(gate) }).rq, dry.rq);
  });

  it('is for the plan and target that were asked for', () => {
    const gate = gateWith([one]);
    leaseOf(gate.ask('heal', node('x')));
    const first = wait(gate, A);
    assert.equal(again(gate, A, first, { p: 'other' }).a, 'reused');
    assert.equal(again(gate, B, first).a, 'reused');
    assert.equal(again(gate, A, first).a, 'pending');
  });
});

describe('§7.2 approval', () => {
  const asked = () => {
    const gate = gateWith([one], { md: 'ask' });
    return { gate, first: wait(gate, A) };
  };

  it('needs somebody else than who asked, the plan that was shown, and a request that waits for it', () => {
    const { gate, first } = asked();
    assert.equal(first.ap, true);
    assert.deepEqual(say(gate, 'approve', first.rq, 'ann'), { a: 'no_approval', c: 'same_person', by: 'ann' });
    assert.deepEqual(say(gate, 'approve', first.rq, 'bob', { p: 'other' }), { a: 'no_approval', c: 'plan_differs' });
    assert.deepEqual(say(gate, 'approve', 'another', 'bob'), { a: 'no_approval', c: 'not_waiting' });
    assert.equal(again(gate, A, first).a, 'pending');
    gate.restart();
    assert.deepEqual(say(gate, 'approve', first.rq, 'bob'), { a: 'ok' });
    assert.deepEqual(say(gate, 'approve', first.rq, 'eve'), { a: 'no_approval', c: 'decided', by: 'bob' });
    gate.restart();
    assert.equal(again(gate, A, first).a, 'admitted');
  });

  it('is decided again: limits may still make it wait, in its old place', () => {
    const { gate, first } = asked();
    gate.announce('free', [], {});
    gate.announce('auto', [{ ...one, g: 'all' }], { mp: 5 });
    gate.announce('heal', [{ ...one, g: 'all' }], { digest: 'd2', md: 'ask', mp: 5, ap: 300_000 });
    leaseOf(gate.ask('auto', node('x')));
    const later = wait(gate, B, {}, 'auto');
    assert.equal(later.pl, 0, 'who waits for a yes is in nobody’s way');
    say(gate, 'approve', first.rq, 'bob');
    const waits = pendingOf(again(gate, A, first));
    assert.equal(waits.ap, undefined);
    assert.equal(waits.pl, 0);
    assert.equal(pendingOf(again(gate, B, later, {}, 'auto')).pl, 1);
  });

  it('ends by a no, which no yes undoes', () => {
    const { gate, first } = asked();
    assert.deepEqual(say(gate, 'deny', first.rq, 'eve'), { a: 'ok' });
    assert.deepEqual(say(gate, 'approve', first.rq, 'bob'), { a: 'no_approval', c: 'decided', by: 'eve' });
    gate.restart();
    assert.deepEqual(again(gate, A, first), { a: 'ended', c: 'denied', by: 'eve' });
  });

  it('has its own time, however long the request would wait for limits', () => {
    const { gate, first } = asked();
    assert.equal(first.u, gate.now + 300_000);
    for (let minute = 0; minute < 5; minute += 1) {
      gate.advance(60_000);
      gate.announce('heal', [one], { md: 'ask', mp: 5, ap: 300_000 });
      assert.equal(again(gate, A, first).a, 'pending');
    }
    gate.advance(1);
    assert.deepEqual(say(gate, 'approve', first.rq, 'bob'), { a: 'no_approval', c: 'not_waiting' });
    assert.deepEqual(again(gate, A, first), { a: 'ended', c: 'wait_over' });
  });

  it('by broken glass may be one’s own, and lifts windows for all of it; never a limit, never a pause', () => {
    const { gate, first } = asked();
    const sc = { n: ['web-1'] };
    gate.apply({
      op: 'window',
      id: 'w',
      at: gate.now,
      nm: 'w',
      sc,
      f: gate.now,
      u: gate.now + LONG,
      src: 'p',
      by: 'ann',
    });
    assert.deepEqual(say(gate, 'approve', first.rq, 'ann', { glass: true }), { a: 'ok' });
    pause(gate);
    assert.equal(pendingOf(again(gate, A, first)).pause, true);
    gate.apply({ op: 'resume', id: 'r', at: gate.now, pause: 'stop', by: 'ann', why: 'over' });
    gate.announce('other', [{ ...one, g: 'all' }]);
    gate.announce('heal', [{ ...one, g: 'all' }], { digest: 'd2', md: 'ask', mp: 5, ap: 300_000 });
    const held = leaseOf(gate.ask('other', node('x')));
    assert.deepEqual(
      reasonsIn(again(gate, A, first)).map(([kind]) => kind),
      ['c'],
    );
    gate.release(held);
    const lease = leaseOf(again(gate, A, first));
    gate.restart();
    assert.equal(gate.permit(lease, 's').a, 'permit');
  });

  it('by broken glass also ends the wait for a window in mode auto', () => {
    const gate = gateWith([]);
    const f = gate.now;
    gate.apply({ op: 'window', id: 'w', at: f, nm: 'w', sc: {}, f, u: f + 60_000, src: 'p', by: 'ann' });
    const first = wait(gate, A);
    assert.deepEqual(say(gate, 'approve', first.rq, 'bob'), { a: 'no_approval', c: 'not_waiting' });
    say(gate, 'approve', first.rq, 'bob', { glass: true });
    assert.equal(again(gate, A, first).a, 'admitted');
  });

  it('is not needed for a dry run', () => {
    const { gate } = asked();
    assert.equal(gate.ask('heal', B, { dry: true }).a, 'admitted');
  });
});

describe('§7.3 shadow', () => {
  const shadow = (lim: readonly LimitRef[]) => {
    const gate = gateWith(lim, { md: 'shadow' });
    gate.announce(
      'real',
      lim.map((limit) => ({ ...limit, g: 'all' })),
    );
    return gate;
  };

  it('decides against its own virtual leases, which last as long as declared', () => {
    const gate = shadow([one]);
    assert.deepEqual(gate.ask('heal', A), { a: 'shadow' });
    assert.deepEqual(gate.ask('heal', B), { a: 'shadow', r: [['c', 'g', 1, 1, null]] });
    gate.advance(29_999);
    gate.restart();
    assert.equal(reasonsIn(gate.ask('heal', B)).length, 1);
    gate.advance(1);
    assert.deepEqual(gate.ask('heal', B), { a: 'shadow' });
    assert.equal(gate.state.leases.size, 0);
  });

  it('counts a virtual start for its period, as a real one, also after a restart', () => {
    const gate = shadow([{ k: 'm', v: 1, p: 60_000, s: 'global' }]);
    const began = gate.now;
    gate.ask('heal', A);
    gate.advance(40_000);
    gate.restart();
    assert.deepEqual(reasonsIn(gate.ask('heal', B)), [['m', 'g', 1, 1, began + 80_001]]);
  });

  it('meets real leases, and no real request meets a virtual one', () => {
    const gate = gateWith([{ ...one, g: 'all' }], { md: 'shadow' });
    gate.announce('real', [{ ...one, g: 'all' }]);
    gate.ask('heal', A);
    const lease = leaseOf(gate.ask('real', A));
    assert.deepEqual(
      reasonsIn(gate.ask('heal', B)).map(([kind, , , current]) => [kind, current]),
      [['c', 2]],
    );
    gate.advance(30_000);
    assert.equal(reasonsIn(gate.ask('heal', B))[0]?.[3], 1);
    gate.release(lease);
    assert.deepEqual(gate.ask('heal', B), { a: 'shadow' });
  });

  it('counts a fault once', () => {
    const gate = shadow([]);
    gate.ask('heal', A, { e: fault(gate) });
    assert.deepEqual(gate.ask('heal', A, { e: fault(gate) }), { a: 'shadow', known: true });
  });
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { GateDriver, leaseOf, node } from '../../test/support/gate-driver.ts';
import { SLACK_MS } from './counts.ts';
import { swept } from './leases.ts';
import { toSnapshot } from './snapshot.ts';
import {
  CLOCK_SKEW_MS,
  MAX_ANSWER_BYTES,
  MAX_OPERATION_BYTES,
  REMEMBER_MS,
  START_MS,
  type Ask,
  type EpisodeRef,
  type LimitRef,
} from './operations.ts';

const HOUR = 3_600_000;
const perHour: LimitRef = { k: 'm', v: 1, p: HOUR, s: 'target' };
const one: LimitRef = { k: 'c', v: 1, p: 0, s: 'target' };

/** As long and as random as the real ones. */
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);

const gateWith = (...limits: LimitRef[]): GateDriver => {
  const gate = new GateDriver();
  gate.announce('restart', limits);
  return gate;
};
const episode = (gate: GateDriver, more: Partial<EpisodeRef> = {}): EpisodeRef => ({
  id: 'fault',
  ob: 'o1',
  b: gate.now,
  gap: 30_000,
  ...more,
});

describe('§1 operations and time', () => {
  it('1.1 answers a repeated operation as it answered before', () => {
    const gate = gateWith(perHour);
    const first = gate.ask('restart', node('web-1'), { id: 'same' });
    const again = gate.ask('restart', node('web-1'), { id: 'same' });
    assert.deepEqual(again, { ...first, known: true });
    assert.equal(gate.state.leases.size, 1);
  });

  it('1.1 repeats a refusal even when the limit has freed meanwhile', () => {
    const gate = gateWith(one);
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    assert.equal(gate.ask('restart', node('web-1'), { id: 'refused' }).a, 'refused');
    gate.release(lease);
    assert.equal(gate.ask('restart', node('web-1'), { id: 'refused' }).a, 'refused');
  });

  it('1.1 refuses an operation older than what it remembers', () => {
    const gate = gateWith();
    assert.equal(gate.ask('restart', node('web-1'), { at: gate.now - REMEMBER_MS - 1 }).a, 'too_old');
  });

  it('1.1 refuses as too old whatever may have been forgotten early', () => {
    const gate = gateWith();
    gate.state.floor = gate.now + 1;
    assert.equal(gate.ask('restart', node('web-1'), { at: gate.now + 1 }).a, 'too_old');
  });

  it('1.3 never lets time run backwards', () => {
    const gate = gateWith();
    gate.advance(10_000);
    const { now } = gate.state;
    gate.now -= 60_000;
    gate.advance(0);
    assert.equal(gate.state.now, now);
  });

  it('1.4 keeps operations within 400 bytes and answers within 200', () => {
    const gate = gateWith(
      { k: 'm', v: 100, p: 86_400_000, s: 'label:availability_zone' },
      { k: 'c', v: 1, p: 900_000, s: 'datacenter' },
      { k: 'm', v: 1, p: 86_400_000, s: 'global' },
      { k: 'm', v: 1, p: 3_600_000, s: 'node' },
    );
    const long: Partial<Ask> = {
      id: `a:${'x'.repeat(22)}`,
      d: 'd1',
      p: 'p'.repeat(22),
      e: { id: 'e'.repeat(22), ob: 'o'.repeat(8), b: gate.now, gap: 3_600_000, again: 3_600_000 },
    };
    const target = node('node-with-a-rather-long-name-0001', {
      y: 'database-replica',
      c: 'eu-central-1',
      l: { rack: 'r-12' },
    });
    const operation: Ask = {
      op: 'ask',
      id: '',
      at: gate.now,
      w: 'restart-with-a-long-name',
      d: 'd'.repeat(16),
      t: target,
      p: '',
      eu: gate.now,
      ...long,
    };
    assert.ok(JSON.stringify(operation).length <= MAX_OPERATION_BYTES, String(JSON.stringify(operation).length));
    leaseOf(gate.ask('restart', target, { ...long, id: 'first' }));
    const refused = gate.ask('restart', target, { ...long, e: { ...episode(gate), id: 'other' }, id: 'second' });
    assert.equal(refused.a, 'refused');
    assert.ok(JSON.stringify(refused).length <= MAX_ANSWER_BYTES, JSON.stringify(refused));
  });

  it('answers a malformed operation with its reason and changes nothing', () => {
    const gate = gateWith();
    // @ts-expect-error hostile input
    assert.equal(gate.apply({ op: 'ask' }).a, 'malformed');
    // @ts-expect-error hostile input
    assert.equal(gate.apply(null).a, 'malformed');
    // @ts-expect-error hostile input
    assert.equal(gate.apply({ op: 'nonsense', id: 'x', at: gate.now }).a, 'malformed');
    // @ts-expect-error hostile input
    assert.equal(gate.apply({ op: 'permit', id: 'y', at: gate.now, l: 'no lease' }).a, 'malformed');
  });
});

describe('§2 episodes and requests', () => {
  it('2.1 refuses the same request id with another plan', () => {
    const gate = gateWith();
    gate.ask('restart', node('web-1'), { id: 'r', p: 'plan-a' });
    assert.equal(gate.ask('restart', node('web-1'), { id: 'r', p: 'plan-b' }).a, 'reused');
  });

  it('2.3 admits one fault once, whoever asks and however often', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: episode(gate) }));
    for (let time = 0; time < 20; time += 1) {
      gate.advance(5_000);
      const answer = gate.ask('restart', node('web-1'), { e: episode(gate, { ob: `o${time % 2}` }) });
      assert.equal(answer.a, 'duplicate');
      assert.deepEqual(leaseOf(answer), lease);
    }
  });

  it('2.2 joins a fault that flaps within its gap to the episode it belongs to', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: episode(gate) }));
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.release(lease);
    gate.resolve(episode(gate));
    gate.advance(10_000);
    assert.equal(gate.ask('restart', node('web-1'), { e: episode(gate) }).a, 'duplicate');
  });

  it('2.2 takes a fault as a new one when it was gone for its gap and began after', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: episode(gate) }));
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.release(lease);
    gate.resolve(episode(gate));
    gate.advance(31_000);
    const next = gate.ask('restart', node('web-1'), { e: episode(gate) });
    assert.equal(next.a, 'admitted');
    assert.notDeepEqual(leaseOf(next), lease);
  });

  it('2.2 takes a late message about the old fault for what it is', () => {
    const gate = gateWith();
    const old = episode(gate);
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: old }));
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.release(lease);
    gate.resolve(old);
    gate.advance(60_000);
    assert.equal(gate.ask('restart', node('web-1'), { e: old }).a, 'duplicate');
  });

  it('2.2 never closes an episode while its lease lives', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: episode(gate) }));
    gate.permit(lease, 's');
    gate.advance(600_000);
    gate.announce('restart', []);
    assert.equal(gate.ask('restart', node('web-1'), { e: episode(gate) }).a, 'duplicate');
  });

  it('2.2 tries a fault that outlives its remedy again after `again`, and not before', () => {
    const gate = gateWith();
    const seen = (): EpisodeRef => episode(gate, { again: 60_000 });
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: seen() }));
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.release(lease, 'failed');
    gate.advance(20_000);
    assert.equal(gate.ask('restart', node('web-1'), { e: seen() }).a, 'duplicate');
    gate.advance(20_000);
    assert.equal(gate.ask('restart', node('web-1'), { e: seen() }).a, 'duplicate');
    gate.advance(21_000);
    assert.equal(gate.ask('restart', node('web-1'), { e: seen() }).a, 'admitted');
  });

  it('2.2 counts at most eight observers of one fault', () => {
    const gate = gateWith();
    for (let observer = 0; observer < 30; observer += 1) {
      gate.advance(10);
      gate.ask('restart', node('web-1'), { e: episode(gate, { ob: `o${observer}` }) });
    }
    assert.equal(gate.state.episodes.get('fault')?.observers.size, 8);
  });

  it('2.3 refuses the first changing permit once every observer said resolved, and only then', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: episode(gate, { ob: 'a' }) }));
    gate.apply({ op: 'seen', id: 'seen', at: gate.now, e: episode(gate, { ob: 'b' }), eu: gate.now + 60_000 });
    gate.resolve(episode(gate, { ob: 'a' }));
    const permitted = gate.permit(lease, 'first');
    assert.equal(permitted.a, 'permit', 'one observer still sees it');
    const other = gateWith();
    const second = leaseOf(other.ask('restart', node('web-1'), { e: episode(other, { ob: 'a' }) }));
    other.resolve(episode(other, { ob: 'a' }));
    assert.deepEqual(other.permit(second, 'first'), { a: 'no_permit', c: 'no_fault' });
  });

  it("2.3 takes one observer's word when the other has fallen silent, and never silence alone", () => {
    const gate = gateWith();
    const lease = leaseOf(
      gate.ask('restart', node('web-1'), { e: episode(gate, { ob: 'a', gap: 5_000 }), eu: gate.now + 60_000 }),
    );
    gate.apply({
      op: 'seen',
      id: 'seen',
      at: gate.now,
      e: episode(gate, { ob: 'b', gap: 5_000 }),
      eu: gate.now + 60_000,
    });
    gate.advance(10_000);
    assert.equal(gate.permit(lease, 'look', { sf: true, n: 'web-1', id: 'silent', ch: false as never }).a, 'permit');
    gate.result(lease, 'look');
    gate.resolve(episode(gate, { ob: 'a', gap: 5_000 }));
    assert.deepEqual(gate.permit(lease, 'fix', { sf: true }), { a: 'no_permit', c: 'no_fault' });
  });

  it('2.4 refuses a permit for another plan than the one admitted', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    assert.deepEqual(gate.permit(lease, 's', { p: 'forged' }), { a: 'no_permit', c: 'plan_differs' });
  });
});

describe('§3 limits', () => {
  it('3.1 says every limit in the way, with its count and when it can be free', () => {
    const gate = gateWith(one, perHour, { k: 'm', v: 1, p: 24 * HOUR, s: 'global' });
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    const both = gate.ask('restart', node('web-1'));
    assert.equal(both.a, 'refused');
    assert.deepEqual(both.a === 'refused' ? both.r.map(([kind, scope]) => [kind, scope]) : [], [
      ['c', 't'],
      ['m', 't'],
      ['m', 'g'],
      ['node', 'n'],
    ]);
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.release(lease);
    const later = gate.ask('restart', node('web-1'));
    assert.ok(later.a === 'refused' && later.r[0]?.[4] === gate.now + HOUR + SLACK_MS + 1, JSON.stringify(later));
  });

  it('3.1 counts an open execution however old it is', () => {
    const gate = gateWith({ k: 'c', v: 1, p: 60_000, s: 'target' });
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.advance(10 * HOUR);
    gate.announce('restart', [{ k: 'c', v: 1, p: 60_000, s: 'target' }]);
    assert.equal(gate.ask('restart', node('web-1')).a, 'refused');
    gate.permit(lease, 's', { at: gate.now });
    assert.equal(gate.release(lease).a, 'ok');
  });

  it('3.1 adds for concurrency those that began within the period', () => {
    const gate = gateWith({ k: 'c', v: 1, p: 60_000, s: 'target' });
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.release(lease);
    assert.equal(gate.ask('restart', node('web-1')).a, 'refused');
    gate.advance(60_000 + SLACK_MS + 1);
    assert.equal(gate.ask('restart', node('web-1')).a, 'admitted');
  });

  it('3.1 gives back the start of a lease that never got a permit', () => {
    const gate = gateWith(perHour);
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.release(lease);
    assert.equal(gate.ask('restart', node('web-1')).a, 'admitted');
  });

  for (const scope of ['node', 'node_type', 'datacenter', 'global', 'label:rack', 'target'] as const) {
    it(`3.1 counts per ${scope}`, () => {
      const gate = gateWith({ k: 'm', v: 1, p: HOUR, s: scope });
      const here = node('web-1', { l: { rack: 'r1' } });
      leaseOf(gate.ask('restart', here));
      const same = {
        node: 'web-1',
        node_type: 'web-2',
        datacenter: 'web-2',
        global: 'web-2',
        'label:rack': 'web-2',
        target: 'web-1',
      }[scope];
      assert.equal(gate.ask('restart', node(same, { l: { rack: 'r1' } })).a, 'refused');
      const elsewhere = node('db-9', { y: 'db', c: 'dc2', l: { rack: 'r2' } });
      assert.equal(gate.ask('restart', elsewhere).a, scope === 'global' ? 'refused' : 'admitted');
    });
  }

  it('3.2 asks for a definition that it was not told of, and decides nothing', () => {
    const gate = new GateDriver();
    assert.equal(gate.ask('restart', node('web-1'), { id: 'x' }).a, 'unknown_definition');
    gate.announce('restart', []);
    assert.equal(gate.ask('restart', node('web-1'), { id: 'x' }).a, 'admitted');
  });

  it('3.2 lets the strictest of two definitions hold while both were announced', () => {
    const gate = gateWith({ k: 'm', v: 5, p: HOUR, s: 'global' });
    gate.announce('restart', [{ k: 'm', v: 1, p: HOUR, s: 'global' }], { digest: 'd2' });
    leaseOf(gate.ask('restart', node('web-1')));
    assert.equal(gate.ask('restart', node('web-2')).a, 'refused');
    gate.advance(299_000);
    gate.announce('restart', [{ k: 'm', v: 5, p: HOUR, s: 'global' }]);
    gate.advance(2_000);
    gate.announce('restart', [{ k: 'm', v: 5, p: HOUR, s: 'global' }]);
    assert.equal(
      gate.ask('restart', node('web-2')).a,
      'admitted',
      'the stricter one was not announced for five minutes',
    );
  });

  it('3.2 fills a newly scoped limit from live leases and kept starts', () => {
    const gate = gateWith(one);
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.release(lease);
    leaseOf(gate.ask('restart', node('web-2')));
    gate.announce('restart', [{ k: 'm', v: 2, p: HOUR, s: 'node_type' }], { digest: 'd2' });
    assert.equal(gate.ask('restart', node('web-3')).a, 'refused');
  });

  it('3.4 lets one changing execution at a time have a node, over all workflows', () => {
    const gate = gateWith();
    gate.announce('reboot', []);
    gate.announce('look', [], { changing: false });
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    const refused = gate.ask('reboot', node('web-1'));
    assert.ok(refused.a === 'refused' && refused.r[0]?.[0] === 'node');
    assert.equal(gate.ask('look', node('web-1')).a, 'admitted');
    gate.release(lease);
    assert.equal(gate.ask('reboot', node('web-1')).a, 'admitted');
  });

  it('3.1 never lets a window of real starts exceed the limit, whatever the order of events', () => {
    const limit = { k: 'm', v: 3, p: 60_000, s: 'global' } as const satisfies LimitRef;
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 20_000 }),
      startAfter: fc.integer({ min: 0, max: START_MS + CLOCK_SKEW_MS }),
      action: fc.constantFrom('ask', 'ask', 'ask', 'release', 'restart', 'forget'),
      target: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const gate = gateWith(limit);
        const open: ReturnType<typeof leaseOf>[] = [];
        const starts: number[] = [];
        for (const { wait, startAfter, action, target } of steps) {
          gate.advance(wait);
          gate.announce('restart', [limit]);
          if (action === 'restart') gate.restart();
          const ended = action === 'release' || action === 'forget' ? open.shift() : undefined;
          if (ended !== undefined && action === 'forget') gate.release(ended);
          if (ended !== undefined && action === 'release') {
            gate.permit(ended, 's', { ch: false as never });
            gate.result(ended, 's');
            gate.release(ended);
          }
          if (action !== 'ask') continue;
          const answer = gate.ask('restart', node(`web-${target}`));
          if (answer.a !== 'admitted') continue;
          // It really starts some time after; a permit makes the start count for good.
          if (gate.permit(answer.l, 'go', { n: `web-${target}` }).a === 'permit') starts.push(gate.now + startAfter);
          gate.result(answer.l, 'go');
          open.push(answer.l);
        }
        starts.sort((a, b) => a - b);
        for (const [index, start] of starts.entries()) {
          const within = starts.slice(index).filter((other) => other - start < limit.p).length;
          assert.ok(within <= limit.v, `${within} starts within ${limit.p} ms`);
        }
      }),
      { numRuns: 400, seed: 7 },
    );
  });
});

describe('§4 lease and start', () => {
  it('4.1 numbers leases so that none repeats, across a restart and an adoption', () => {
    const gate = gateWith();
    const seen = new Set<string>();
    for (let n = 0; n < 5; n += 1) seen.add(String(leaseOf(gate.ask('restart', node(`a${n}`)))));
    gate.restart();
    for (let n = 0; n < 5; n += 1) seen.add(String(leaseOf(gate.ask('restart', node(`b${n}`)))));
    gate.apply({ op: 'adopt', id: 'adopt', at: gate.now, by: 'me', why: 'test' });
    for (let n = 0; n < 5; n += 1) seen.add(String(leaseOf(gate.ask('restart', node(`c${n}`)))));
    assert.equal(seen.size, 15);
  });

  it('4.2 tells a duplicate whether to start: not started yet, and the plan its own', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: episode(gate) }));
    const mine = gate.ask('restart', node('web-1'), { e: episode(gate) });
    assert.ok(mine.a === 'duplicate' && mine.same && !mine.st);
    const other = gate.ask('restart', node('web-1'), { e: episode(gate), p: 'another' });
    assert.ok(other.a === 'duplicate' && !other.same);
    gate.apply({ op: 'started', id: 'st', at: gate.now, l: lease });
    const late = gate.ask('restart', node('web-1'), { e: episode(gate) });
    assert.ok(late.a === 'duplicate' && late.st);
  });

  it('4.4 forgets a request whose execution never came to be, so that it can be asked again', () => {
    const gate = gateWith(perHour);
    const lease = leaseOf(gate.ask('restart', node('web-1'), { id: 'r', e: episode(gate) }));
    swept(gate.state, { lease, execution: 'not_found' });
    const again = gate.ask('restart', node('web-1'), { id: 'r', e: episode(gate) });
    assert.equal(again.a, 'admitted');
    assert.notDeepEqual(leaseOf(again), lease);
  });

  it('4.4 orphans a lease whose execution closed without release and with something unsettled', () => {
    const gate = gateWith(one);
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.permit(lease, 's');
    swept(gate.state, { lease, execution: 'closed' });
    assert.equal(gate.ask('restart', node('web-1')).a, 'refused');
    gate.result(lease, 's', 'unknown');
    assert.equal(gate.state.leases.size, 0);
  });
});

describe('§5 permits', () => {
  it('5.1 gives the same permit to whoever asks again, even after its answer was forgotten', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    const first = gate.permit(lease, 's', { id: 'p1' });
    assert.deepEqual(gate.permit(lease, 's', { id: 'p1' }), first);
    gate.advance(REMEMBER_MS * 2);
    gate.restart();
    assert.deepEqual(gate.permit(lease, 's', { id: 'p1', at: gate.now }), first);
  });

  it('5.2 needs fresh evidence to begin a change, not to finish it', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.advance(61_000);
    assert.deepEqual(gate.permit(lease, 'first'), { a: 'no_permit', c: 'stale_evidence' });
    const other = gateWith();
    const begun = leaseOf(other.ask('restart', node('web-1')));
    assert.equal(other.permit(begun, 'first').a, 'permit');
    other.result(begun, 'first');
    other.advance(61_000);
    assert.equal(other.permit(begun, 'second').a, 'permit');
  });

  it('5.2 takes a later sighting as fresh evidence', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1'), { e: episode(gate) }));
    gate.advance(55_000);
    gate.apply({ op: 'seen', id: 'seen', at: gate.now, e: episode(gate), eu: gate.now + 60_000 });
    gate.advance(20_000);
    assert.equal(gate.permit(lease, 'first').a, 'permit');
  });

  it('5.2 exempts undo from pause and evidence, never from the lease', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.permit(lease, 's');
    gate.result(lease, 's');
    gate.apply({ op: 'pause', id: 'stop', at: gate.now, sc: { k: 'all' }, by: 'me', why: 'incident' });
    gate.advance(120_000);
    assert.equal(gate.permit(lease, 'undo-s', { undo: true }).a, 'permit');
    gate.result(lease, 'undo-s');
    gate.release(lease);
    assert.deepEqual(gate.permit(lease, 'undo-more', { undo: true }), { a: 'no_permit', c: 'no_lease' });
  });

  it('5.3 fixes a step to the node of its first permit', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', { k: 'y', y: 'web' }));
    gate.permit(lease, 's', { n: 'web-1' });
    gate.result(lease, 's', 'failed');
    assert.deepEqual(gate.permit(lease, 's', { a: 2, n: 'web-2' }), { a: 'no_permit', c: 'other_node', why: 'web-1' });
  });

  it('5.3 lets a step go to another node only once the first one has fenced it', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', { k: 'y', y: 'web' }));
    assert.equal(gate.permit(lease, 's', { n: 'web-1' }).a, 'permit');
    assert.equal(gate.permit(lease, 's', { n: 'web-2', a: 2 }).a, 'no_permit');
    gate.result(lease, 's', 'never_begun');
    assert.equal(gate.permit(lease, 's', { n: 'web-2', a: 2 }).a, 'permit');
    gate.result(lease, 's', 'failed', 2);
    assert.deepEqual(gate.permit(lease, 's', { n: 'web-1', a: 3 }), { a: 'no_permit', c: 'other_node', why: 'web-2' });
  });

  it('5.3 lets a step of a shared queue take its node only when no other change is under way there', () => {
    const gate = gateWith();
    leaseOf(gate.ask('restart', node('web-1')));
    const shared = leaseOf(gate.ask('restart', { k: 'y', y: 'web' }));
    assert.equal(gate.permit(shared, 's', { n: 'web-1' }).a, 'no_permit');
    assert.equal(gate.permit(shared, 's', { n: 'web-2', id: 'other' }).a, 'permit');
  });
});

describe('§6 not knowing', () => {
  it('6.2 gives no further attempt while the earlier one is not settled, unless it supersedes it', () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.permit(lease, 's', { a: 1 });
    const early = gate.permit(lease, 's', { a: 2 });
    assert.ok(early.a === 'no_permit' && early.c === 'attempt_unsettled');
    assert.equal(gate.permit(lease, 's', { a: 2, sup: 1, id: 'sup' }).a, 'permit');
  });

  it("6.4 holds an orphan's limits until there is proof, however long that takes", () => {
    const gate = gateWith(one);
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.permit(lease, 's');
    assert.deepEqual(gate.release(lease, 'failed'), { a: 'ok', held: true });
    gate.advance(100 * HOUR);
    gate.announce('restart', [one]);
    assert.equal(gate.ask('restart', node('web-1')).a, 'refused');
    gate.result(lease, 's', 'never_begun');
    assert.equal(gate.ask('restart', node('web-1')).a, 'admitted');
  });

  it('6.4 frees an orphan when a person says so', () => {
    const gate = gateWith(one);
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    gate.permit(lease, 's');
    gate.release(lease, 'failed');
    gate.apply({ op: 'free', id: 'free', at: gate.now, l: lease, by: 'me', why: 'the host was scrapped' });
    assert.equal(gate.ask('restart', node('web-1')).a, 'admitted');
  });
});

describe('§8 stop', () => {
  it("8.1 names the permits that may still begin, admits nothing, and resumes by the pause's own id", () => {
    const gate = gateWith();
    const lease = leaseOf(gate.ask('restart', node('web-1')));
    const permit = gate.permit(lease, 's');
    const paused = gate.apply({ op: 'pause', id: 'stop', at: gate.now, sc: { k: 'all' }, by: 'me', why: 'incident' });
    assert.deepEqual(paused, { a: 'ok', perms: [[lease, permit.a === 'permit' ? permit.bb : 0]] });
    assert.equal(gate.ask('restart', node('web-2')).a, 'paused');
    assert.equal(gate.permit(lease, 'next').a, 'no_permit');
    gate.apply({ op: 'resume', id: 'wrong', at: gate.now, pause: 'another', by: 'me', why: 'x' });
    assert.equal(gate.ask('restart', node('web-2')).a, 'paused');
    gate.apply({ op: 'resume', id: 'right', at: gate.now, pause: 'stop', by: 'me', why: 'over' });
    assert.equal(gate.ask('restart', node('web-2')).a, 'admitted');
  });
});

describe("§9 the gate's own death", () => {
  it('decides nothing in quarantine until a person adopts it', () => {
    const gate = gateWith();
    gate.state.quarantine = 'reset';
    assert.equal(gate.ask('restart', node('web-1'), { id: 'x' }).a, 'quarantined');
    gate.apply({ op: 'adopt', id: 'adopt', at: gate.now, by: 'me', why: 'looked' });
    assert.equal(gate.ask('restart', node('web-1'), { id: 'x' }).a, 'admitted');
  });

  it('numbers leases above every epoch that a coordinator has seen, once adopted', () => {
    const gate = gateWith();
    gate.state.quarantine = 'lost decisions';
    gate.apply({ op: 'adopt', id: 'adopt', at: gate.now, by: 'me', why: 'looked', e: 7 });
    assert.deepEqual(leaseOf(gate.ask('restart', node('web-1'))), [8, 1]);
  });

  it('1.1 carries the latest answers over, and refuses whatever is as old as those left behind', () => {
    const gate = gateWith();
    for (let n = 0; n < 9_000; n += 1) {
      gate.now += 1;
      gate.advance(0);
      gate.ask('restart', node('web-1'), { id: `r${n}`, at: gate.now });
    }
    gate.restart();
    assert.equal(gate.state.remembered.size, 8_000);
    assert.equal(gate.ask('restart', node('web-1'), { id: 'r8999' }).a, 'refused');
    assert.equal(gate.ask('restart', node('web-1'), { id: 'r10', at: gate.now - 8_990 }).a, 'too_old');
  });

  it('1.4 stays within 1 MiB with ten thousand running leases', () => {
    const gate = gateWith(one, perHour);
    for (let n = 0; n < 10_000; n += 1) {
      const answer = gate.ask('restart', node(`web-${String(n).padStart(5, '0')}.eu-central-1`), {
        id: `a:${digest(`a${n}`)}`,
        p: digest(`p${n}`),
        e: episode(gate, { id: digest(`e${n}`), ob: digest('o').slice(0, 10) }),
      });
      gate.apply({ op: 'started', id: `s${n}`, at: gate.now, l: leaseOf(answer) });
    }
    const bytes = gzipSync(JSON.stringify(toSnapshot(gate.state)), { level: 1 }).length;
    assert.ok(bytes <= 1024 * 1024, `${bytes} bytes`);
  });

  it('knows after a restart exactly what it knew before', () => {
    const gate = gateWith(one, perHour, { k: 'm', v: 2, p: 24 * HOUR, s: 'label:rack' });
    const done = leaseOf(gate.ask('restart', node('web-1', { l: { rack: 'r1' } }), { e: episode(gate) }));
    gate.permit(done, 's');
    gate.result(done, 's');
    gate.release(done);
    const open = leaseOf(gate.ask('restart', node('web-2', { l: { rack: 'r1' } })));
    gate.permit(open, 's', { n: 'web-2' });
    gate.apply({ op: 'pause', id: 'p', at: gate.now, sc: { k: 'n', v: 'db-1' }, by: 'me', why: 'x' });
    const before = gate.state;
    gate.restart();
    const held = (state: typeof before): unknown =>
      [...state.leases.values()].map((lease) => ({ ...lease, ask: lease.permitted ? '' : lease.ask }));
    assert.deepEqual(held(gate.state), held(before));
    assert.deepEqual(gate.state.episodes, before.episodes);
    assert.deepEqual(gate.state.remembered, before.remembered);
    assert.deepEqual(gate.state.real.nodes, before.real.nodes);
    assert.deepEqual(gate.state.pauses, before.pauses);
    const asked = { id: 'probe' };
    const target = node('web-3', { l: { rack: 'r1' } });
    const answer = gate.ask('restart', target, asked);
    gate.state = before;
    assert.deepEqual(gate.ask('restart', target, asked), answer);
    assert.equal(answer.a, 'refused');
  });
});

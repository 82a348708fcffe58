/** §1.4: with the longest names that are likely, operations stay within 400 bytes, answers within 200, the state within 1 MiB. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { GateDriver, leaseOf, node, pendingOf } from '../../test/support/gate-driver.ts';
import {
  MAX_ANSWER_BYTES,
  MAX_OPERATION_BYTES,
  type Answer,
  type Ask,
  type LimitRef,
  type Operation,
  type TargetRef,
} from './operations.ts';
import { toSnapshot } from './snapshot.ts';

const digest = (text: string, length = 22): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, length);
const HOST = 'database-replica-0042.eu-central-1.prod1';
const WORKFLOW = 'restart-database-replica';
const TARGET = node(HOST, { y: 'database-replica', c: 'eu-central-1', l: { rack: 'row-12-rack-07' } });
const ANN = 'spiffe://prod.example.com/people/on-call/annabelle-van-dijk'.padEnd(60, '-');
const BOB = ANN.replace('annabelle', 'sebastian');
/** Three times as many bytes as characters. */
const WHY = '東京の障害対応中「全面停止」"'.repeat(8);
const LIMITS: readonly LimitRef[] = [
  { k: 'm', v: 100, p: 86_400_000, s: 'label:availability_zone' },
  { k: 'c', v: 25, p: 900_000, s: 'label:rack', g: 'reboots-of-database-replicas' },
  { k: 'm', v: 10, p: 86_400_000, s: 'global', g: 'changes-to-the-whole-fleet' },
  { k: 'u', v: 5, p: 0, s: 'datacenter', pc: true, g: 'eu-central-1-health-floor' },
  { k: 'd', v: 1, p: 3_600_000, s: 'node' },
];

const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

function small(answer: Answer, what: string): Answer {
  const bytes = Buffer.byteLength(JSON.stringify(answer));
  assert.ok(bytes <= MAX_ANSWER_BYTES, `${what}: ${bytes} bytes: ${JSON.stringify(answer)}`);
  return answer;
}

const gateWith = (lim: readonly LimitRef[], more: object = {}): GateDriver => {
  const gate = new GateDriver();
  gate.announce(WORKFLOW, lim, { digest: digest('d'), mp: 500, ap: 86_400_000, du: 60_000, ...more });
  return gate;
};
const asking = (gate: GateDriver, name: string, more: Partial<Ask> = {}): Ask => ({
  op: 'ask',
  id: `a:${digest(name)}`,
  at: gate.now,
  w: WORKFLOW,
  d: digest('d'),
  t: TARGET,
  p: digest('plan'),
  e: { id: digest('fault'), ob: digest('observer', 10), b: gate.now, gap: 3_600_000, again: 3_600_000 },
  eu: gate.now + 86_400_000,
  by: ANN,
  wt: gate.now + 86_400_000,
  ...more,
});
const racks = Array.from({ length: 250 }, (_, n) => [`l:rack=row-${n % 20}-rack-${n}`, 80, 4] as const);
const full = (gate: GateDriver): void => {
  for (let n = 0; n < 110; n += 1) {
    const t: TargetRef = { ...TARGET, n: `${n}-${HOST}` };
    gate.apply(asking(gate, `taken ${n}`, { t, e: { ...asking(gate, '').e, id: digest(`e${n}`) } as never }));
  }
};

describe('§1.4 sizes', () => {
  it('keeps an ask within 400 bytes with usual names and all that is for the record, within 512 with the longest', () => {
    const gate = gateWith([]);
    const record = { q: digest('request', 12), ev: 'prometheus.main', d: digest('d', 16) };
    const usual = {
      ...record,
      w: 'restart-web',
      t: node('web-0042.eu-1', { c: 'eu-1' }),
      by: 'spiffe://example.com/trigger-daemon/eu-1',
    };
    const { wt: _, ...first } = asking(gate, 'first', usual);
    assert.ok(size(first) <= MAX_OPERATION_BYTES, `${size(first)} bytes`);
    assert.ok(size(asking(gate, 'first', { d: digest('d', 16) })) <= 512);
    const e = { id: digest('fault'), ob: '', b: 0, gap: 0 };
    const again = asking(gate, 'first', { id: `a:${digest('first')}/999`, rq: `a:${digest('first')}`, e });
    assert.ok(size(again) <= 512, `${size(again)} bytes`);
  });

  it('keeps what is said of a request within 200 bytes, whatever stands against it', () => {
    const gate = gateWith(LIMITS);
    gate.fleet('c1', [['c:eu-central-1', 10_000, 123]]);
    const taken = leaseOf(small(gate.apply(asking(gate, 'taken')), 'admitted'));
    const e = { id: digest('x'), ob: digest('o', 10), b: gate.now, gap: 1 };
    small(gate.apply(asking(gate, 'taken')), 'admitted, known');
    small(gate.apply(asking(gate, 'twice')), 'duplicate');
    const known = pendingOf(small(gate.apply(asking(gate, 'waits', { e })), 'pending'));
    small(gate.apply(asking(gate, 'joins', { e, id: 'a:joins' })), 'pending, same');
    gate.apply({
      op: 'window',
      id: 'w',
      at: gate.now,
      nm: `file:${'winter-freeze-of-all-databases'.repeat(2)}`,
      sc: {},
      f: gate.now,
      u: gate.now + 3_600_000,
      src: 'f',
      by: 'c1',
    });
    small(gate.apply(asking(gate, 'waits', { e, id: 'a:waits/2', rq: known.rq })), 'pending again');
    small(gate.apply(asking(gate, 'refused', { e: { ...e, id: 'other' }, wt: 1 })), 'refused');
    small(gate.apply(asking(gate, 'refused', { e: { ...e, id: 'other' }, wt: 1 })), 'refused, known');
    const id = `pause:${digest('pause')}`;
    small(gate.apply({ op: 'pause', id, at: gate.now, sc: { k: 'all' }, by: ANN, why: WHY }), 'pause');
    small(gate.apply(asking(gate, 'paused', { e: { ...e, id: 'third' } })), 'paused');
    small(gate.apply(asking(gate, 'waits', { e, id: 'a:waits/3', rq: known.rq })), 'pending, paused');
    small(gate.permit(taken, 'restart-the-replica', { n: HOST, p: digest('plan') }), 'no_permit, paused');
    small(gate.apply({ op: 'deny', id: 'deny', at: gate.now, rq: known.rq, by: BOB }), 'deny');
    small(gate.apply(asking(gate, 'waits', { e, id: 'a:waits/4', rq: known.rq })), 'denied');
  });

  it('says full, for a yes, of a rehearsal, and no within 200 bytes', () => {
    const gate = gateWith(LIMITS, { md: 'ask', mp: 1 });
    const first = pendingOf(small(gate.apply(asking(gate, 'first')), 'pending, ap'));
    small(gate.apply(asking(gate, 'second', { e: { ...asking(gate, '').e, id: 'other' } as never })), 'full');
    const approve = { op: 'approve', at: gate.now, rq: first.rq, p: digest('plan') } as const;
    small(gate.apply({ ...approve, id: 'y1', by: ANN }), 'same_person');
    small(gate.apply({ ...approve, id: 'y2', by: BOB }), 'ok');
    small(gate.apply({ ...approve, id: 'y3', by: ANN }), 'decided');
    const shadow = gateWith(LIMITS, { md: 'shadow' });
    full(shadow);
    small(shadow.apply(asking(shadow, 'last', { e: { ...asking(shadow, '').e, id: 'other' } as never })), 'shadow');
  });

  it('keeps permits and their refusals within 200 bytes', () => {
    const gate = gateWith([]);
    const lease = leaseOf(gate.apply(asking(gate, 'taken')));
    const p = digest('plan');
    small(gate.permit(lease, 'restart-the-replica', { n: HOST, p, busy: 86_400_000 }), 'permit');
    small(gate.permit(lease, 'restart-the-replica', { n: `x${HOST}`, p }), 'other_node');
    small(gate.permit(lease, 'restart-the-replica', { n: HOST, p, a: 2 }), 'attempt_unsettled');
    gate.state.quarantine = `this gate lost decisions that a coordinator has seen; a person must look, and then run on a coordinator's host: fettle gate adopt`;
    small(gate.permit(lease, 'more', { n: HOST, p }), 'quarantined');
    gate.state.quarantine = null;
    const leases: Operation = { op: 'release', id: 'r', at: gate.now, l: lease, o: 'failed' };
    small(gate.apply(leases), 'release');
  });

  it('keeps its state within 1 MiB: ten thousand leases with their faults, the fleet with 1,000 nodes down, 500 that wait', () => {
    const gate = gateWith([
      { k: 'c', v: 9_999, p: 0, s: 'global' },
      { k: 'm', v: 1, p: 3_600_000, s: 'node' },
      { k: 'u', v: 20_000, p: 0, s: 'global' },
    ]);
    const names = Array.from({ length: 1_000 }, (_, n) => `${digest(`dead${n}`, 6)}.${HOST.slice(0, 33)}`);
    for (const reporter of ['coordinator-1.eu-central-1', 'coordinator-2.eu-central-1'])
      gate.fleet(reporter, [['g', 20_000, 1_000], ...racks], names);
    for (let n = 0; n < 10_499; n += 1) {
      // In the order in which they come, a millisecond apart now and then, as in a storm.
      if (n % 40 === 0) gate.advance(1);
      const t = { ...TARGET, n: `${String(n).padStart(5, '0')}-${HOST.slice(6)}` };
      const e = { id: digest(`e${n}`), ob: digest('o', 10), b: gate.now - n, gap: 3_600_000 };
      const answer = gate.apply(asking(gate, `a${n}`, { t, e, p: digest(`p${n}`) }));
      assert.equal(answer.a, n < 9_999 ? 'admitted' : 'pending');
      if (answer.a === 'admitted') gate.apply({ op: 'started', id: `s${n}`, at: gate.now, l: answer.l });
    }
    const bytes = gzipSync(JSON.stringify(toSnapshot(gate.state)), { level: 1 }).length;
    assert.ok(bytes <= 1024 * 1024, `${bytes} bytes`);
  });
});

/** Each check on records made by hand: with one violation planted, and clean ones at the very edge of what is allowed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRecord } from './checks/all-checks.ts';
import { Fabricated, limit, node } from './fabricated.ts';
import type { FindingKind } from './finding.ts';
import type { AskedOp, ProofRecord } from './record.ts';

const A = node('web-1');
const B = node('web-2');

function finds(record: ProofRecord, kind: FindingKind, subject?: RegExp | string): void {
  const findings = checkRecord(record);
  const kinds = [...new Set(findings.map((finding) => finding.kind))];
  assert.deepEqual(kinds, [kind], JSON.stringify(findings, null, 1));
  if (typeof subject === 'string') assert.ok(findings.some((finding) => finding.subject === subject));
  if (subject instanceof RegExp) assert.match(findings.map(({ what }) => what).join('\n'), subject);
}

const clean = (record: ProofRecord): void => assert.deepEqual(checkRecord(record), []);

const begin = (...limits: Parameters<typeof limit>[]): Fabricated => {
  const made = new Fabricated();
  made.announce(
    'heal',
    limits.map((one) => limit(...one)),
  );
  return made;
};

describe('the checker finds what was planted, and nothing at the edge', () => {
  describe('concurrency', () => {
    it('one more lease held at once than the limit allows', () => {
      const made = begin(['c', 1, { s: 'global' }]);
      made.admit('heal', A);
      made.pass(1).admit('heal', B);
      finds(
        made.record(),
        'concurrency',
        /2 at once by leases \(everything\): 1-1, 1-2; allowed: concurrency 1 per global/,
      );
    });

    it('exactly at the limit, and one admitted in the moment another was given back', () => {
      const made = begin(['c', 2, { s: 'global' }]);
      made.run('heal', A);
      made.admit('heal', A);
      const second = made.admit('heal', B);
      made.start(second);
      made.release(second);
      made.admit('heal', B);
      clean(made.record());
    });

    it('other targets, dry runs and other workflows do not count', () => {
      const made = begin(['c', 1]);
      made.announce('other', []);
      made.admit('heal', A);
      made.admit('heal', B);
      made.admit('heal', A, { dry: true });
      made.admit('other', node('web-3'));
      clean(made.record());
    });

    it('a limit over a period counts one that began within it, not one exactly a period old', () => {
      const wrong = begin(['c', 1, { p: 60_000 }]);
      wrong.run('heal', A);
      wrong.pass(58).admit('heal', A);
      finds(wrong.record(), 'concurrency', /2 at once by leases/);
      const right = begin(['c', 1, { p: 60_000 }]);
      right.run('heal', A);
      right.pass(59).run('heal', A);
      clean(right.record());
    });

    it('executions that overlap although their leases did not', () => {
      const made = begin(['c', 1, { s: 'global' }]);
      const first = made.admit('heal', A);
      made.start(first);
      made.pass(10).release(first);
      const second = made.admit('heal', B);
      made.start(second, -5);
      finds(made.record(), 'concurrency', /2 at once by executions/);
    });

    it('a host that still acts when the next one begins', () => {
      const made = begin(['c', 1, { s: 'global' }]);
      const first = made.admit('heal', A);
      made.start(first);
      made.permit(first);
      made.act(first, 20);
      made.pass(2).tell({ op: 'free', l: first.ref }, { a: 'ok' });
      made.run('heal', B);
      finds(made.record(), 'concurrency', /2 at once by hosts still acting/);
    });

    it('a limit over the whole fleet counts all workflows that it covers, and no other', () => {
      const fleet = { s: 'label:rack', g: 'one-per-rack' };
      const inRack = (name: string) => node(name, { l: { rack: 'r1' } });
      const make = (covered: boolean): ProofRecord => {
        const made = begin(['c', 1, fleet]);
        made.announce('other', covered ? [limit('c', 1, fleet)] : []);
        made.admit('heal', inRack('web-1'));
        made.admit('other', inRack('web-2'));
        return made.record();
      };
      finds(make(true), 'concurrency', /limit "one-per-rack"/);
      clean(make(false));
    });

    it('while coordinators differ the strictest of the last five minutes holds, and not longer', () => {
      const make = (seconds: number): ProofRecord => {
        const made = begin(['c', 1, { s: 'global' }]);
        made.pass(seconds).announce('heal', [limit('c', 2, { s: 'global' })], 'd2');
        made.admit('heal', A, { d: 'd2' });
        made.admit('heal', B, { d: 'd2' });
        return made.record();
      };
      finds(make(300), 'concurrency');
      clean(make(301));
    });

    it('a lease that ended without proof is still held', () => {
      const made = begin(['c', 1, { s: 'global' }]);
      const first = made.admit('heal', A);
      made.start(first);
      made.permit(first);
      made.release(first, 'failed', { a: 'ok', held: true });
      made.admit('heal', B);
      finds(made.record(), 'concurrency');
    });

    it('proof for the last step of an orphan frees it', () => {
      const made = begin(['c', 1, { s: 'global' }]);
      const first = made.admit('heal', A);
      made.start(first);
      made.permit(first);
      made.pass(40).sweep(first, 'closed');
      made.pass(1).prove(first);
      made.admit('heal', B);
      clean(made.record());
    });
  });

  describe('maxExecution', () => {
    const twice = ['m', 2, { p: 60_000, s: 'global' }] as const;

    it('one start too many within the period, by the server although not by admission', () => {
      const made = begin([...twice]);
      const late = made.admit('heal', A);
      made.start(late, 15);
      made.permit(late);
      made.prove(late);
      made.release(late);
      made.pass(61).run('heal', B);
      made.pass(1).run('heal', A);
      finds(made.record(), 'max-execution', /3 starts by the server within 60 s/);
    });

    it('starts exactly one period apart stand in no window together', () => {
      const made = begin([...twice]);
      made.run('heal', A, 0);
      made.run('heal', B, 0);
      made.pass(60).run('heal', A, 0);
      made.run('heal', B, 0);
      clean(made.record());
    });

    it('a start within the period that got no permit is given back', () => {
      const made = begin([...twice]);
      made.run('heal', A);
      const gone = made.admit('heal', B);
      made.pass(30).sweep(gone, 'not_found');
      made.run('heal', B);
      clean(made.record());
      made.run('heal', B);
      finds(made.record(), 'max-execution', /3 admissions within 60 s/);
    });
  });

  describe('cooldown', () => {
    it('admitted before its time since the last one ended, not exactly at it', () => {
      const make = (seconds: number): ProofRecord => {
        const made = begin(['d', 1, { p: 60_000 }]);
        made.run('heal', A);
        made.pass(seconds).run('heal', A);
        return made.record();
      };
      finds(make(59.999), 'cooldown', /1-1 ended 59.999 s before/);
      clean(make(60));
    });

    it('admitted while one is held; but one that never acted leaves no trace', () => {
      const open = begin(['d', 1, { p: 60_000, s: 'global' }]);
      open.admit('heal', A);
      open.admit('heal', B);
      finds(open.record(), 'cooldown', /1-1 is still held/);
      const gone = begin(['d', 1, { p: 60_000, s: 'global' }]);
      const first = gone.admit('heal', A);
      gone.pass(30).sweep(first, 'not_found');
      gone.run('heal', B);
      clean(gone.record());
    });
  });

  describe('maxUnavailable', () => {
    const floor = ['u', 50, { pc: true, s: 'node_type' }] as const;
    const report = (made: Fabricated, down: string[]): void =>
      made.tell(
        {
          op: 'fleet',
          r: 'c1',
          v: 1,
          i: 0,
          of: 1,
          tot: [
            ['y:web', 4, down.length],
            ['g', 4, down.length],
          ],
          dn: down,
        },
        { a: 'ok' },
      );

    it('nodes down and nodes held together, one more than the share of the fleet', () => {
      const make = (down: string[]): ProofRecord => {
        const made = begin([...floor]);
        report(made, down);
        made.admit('heal', A);
        made.admit('heal', B);
        return made.record();
      };
      finds(make(['web-4']), 'max-unavailable', /3 of 4 down or held \(y:web\); allowed: 2/);
      clean(make([]));
      clean(make(['web-1']));
    });

    it('no report of the fleet within a minute', () => {
      const make = (seconds: number): ProofRecord => {
        const made = begin([...floor]);
        report(made, []);
        made.pass(seconds).admit('heal', A);
        return made.record();
      };
      finds(make(61), 'max-unavailable', /without a report of the fleet/);
      clean(make(60));
    });

    it('a report that nothing has changed keeps the former one good', () => {
      const made = begin([...floor]);
      report(made, []);
      made.pass(50).tell({ op: 'fleet', r: 'c1', v: 1 }, { a: 'ok' });
      made.pass(50).admit('heal', A);
      clean(made.record());
    });
  });

  describe('maxIneffective', () => {
    const fail = (made: Fabricated, outcome: string): void => {
      const lease = made.admit('heal', A);
      made.start(lease);
      made.pass(1).release(lease, outcome);
    };
    const make = (...outcomes: string[]): Fabricated => {
      const made = begin(['i', 2]);
      for (const outcome of outcomes) fail(made, outcome);
      return made;
    };

    it('admitted after as many outcomes in a row that did not help', () => {
      const made = make('failed', 'ineffective');
      made.admit('heal', A);
      finds(made.record(), 'max-ineffective', /after 2 outcomes in a row/);
    });

    it('one that helped begins the count anew, others leave it, a person lifts it', () => {
      clean(make('failed', 'healed', 'failed').record());
      const others = make('failed', 'cancelled', 'no_fault', 'failed');
      others.admit('heal', A);
      finds(others.record(), 'max-ineffective');
      const resumed = make('failed', 'failed');
      resumed.tell({ op: 'resume', pause: 'breaker:heal:t:n:web-1' }, { a: 'ok' });
      resumed.admit('heal', A);
      clean(resumed.record());
    });
  });

  describe('one change per node', () => {
    it('two leases of different workflows on one node; one after the other is well', () => {
      const made = begin();
      made.announce('other', []);
      made.run('heal', A);
      made.admit('heal', A);
      clean(made.record());
      made.admit('other', A);
      finds(made.record(), 'one-per-node', 'web-1');
    });

    it('a node that a step claimed on a shared queue while another holds it', () => {
      const made = begin();
      const type = made.admit('heal', { k: 'y', y: 'web' });
      made.start(type);
      made.admit('heal', A);
      made.permit(type, { n: 'web-1' });
      finds(made.record(), 'one-per-node', 'web-1');
    });
  });

  it('a host that goes on acting after its lease was given back, unless a person freed it', () => {
    const make = (op: 'release' | 'free'): ProofRecord => {
      const made = begin();
      const lease = made.admit('heal', A);
      made.start(lease);
      made.permit(lease);
      made.act(lease, 30);
      made.prove(lease);
      made.tell({ op, l: lease.ref, o: 'healed' }, { a: 'ok' });
      return made.record();
    };
    finds(make('release'), 'acting-outside-lease', '1-1');
    clean(make('free'));
  });

  describe('pause', () => {
    const pause = (made: Fabricated): void =>
      made.tell({ op: 'pause', id: 'p1', sc: { k: 'w', v: 'heal' }, until: made.now + 60_000 }, { a: 'ok' });

    it('admitted, or permitted for a step that is no undo, while it holds', () => {
      const made = begin();
      const before = made.admit('heal', A);
      made.start(before);
      pause(made);
      made.permit(before, { undo: true });
      clean(made.record());
      made.permit(before, { s: 'second' });
      finds(made.record(), 'paused', /permit was answered permit under the pause p1/);
      const other = begin();
      pause(other);
      other.admit('heal', A);
      finds(other.record(), 'paused', /ask was answered admitted/);
    });

    it('not after it has run out or was lifted, and not over others', () => {
      const made = begin();
      made.announce('other', []);
      pause(made);
      made.admit('other', B);
      made.pass(60).run('heal', A);
      pause(made);
      made.tell({ op: 'resume', pause: 'p1' }, { a: 'ok' });
      made.run('heal', A);
      clean(made.record());
    });
  });

  describe('windows', () => {
    const close = (made: Fabricated, src: 'f' | 'p', seconds: number): void =>
      made.tell(
        { op: 'window', nm: 'night', src, sc: { y: ['web'] }, f: made.now, u: made.now + seconds * 1_000 },
        { a: 'ok' },
      );

    it('admitted, or permitted a change, while one is closed', () => {
      const made = begin();
      const before = made.admit('heal', A);
      made.start(before);
      close(made, 'f', 60);
      made.permit(before, { s: 'undo', undo: true });
      clean(made.record());
      made.permit(before);
      finds(made.record(), 'closed-window', /permitted step act while the window night was closed/);
      const other = begin();
      close(other, 'p', 60);
      other.pass(59).admit('heal', A);
      finds(other.record(), 'closed-window', /admitted while the window night was closed/);
    });

    it('not once it has opened, was removed by hand, is over others, or by breaking the glass', () => {
      const made = begin();
      close(made, 'f', 60);
      made.admit('heal', node('db-1', { y: 'db' }));
      made.pass(60).run('heal', A);
      close(made, 'p', 60);
      made.tell({ op: 'unwindow', nm: 'night' }, { a: 'ok' });
      made.run('heal', A);
      close(made, 'p', 60);
      made.tell({ op: 'approve', rq: 'a:1', p: 'plan-4', by: 'somebody', glass: true }, { a: 'ok' });
      made.run('heal', A, 1, { rq: 'a:1' });
      clean(made.record());
    });
  });

  describe('modes', () => {
    const inMode = (md: string, ov: AskedOp['ov'] = []): Fabricated => {
      const made = new Fabricated();
      made.tell({ op: 'definitions', w: 'heal', d: 'd1', lim: [], ch: true, md, ov }, { a: 'limits', v: 1 });
      return made;
    };
    const yes = (made: Fabricated, more: Partial<AskedOp> = {}): void =>
      made.tell({ op: 'approve', rq: 'a:1', p: 'plan-1', by: 'other', ...more }, { a: 'ok' });

    it('admitted in shadow, and without a yes, by who asked, or for another plan in ask', () => {
      const shadow = inMode('shadow');
      shadow.admit('heal', A);
      finds(shadow.record(), 'unapproved', /only rehearsed/);
      const asked = (more: Partial<AskedOp> | null): ProofRecord => {
        const made = inMode('ask');
        if (more !== null) yes(made, more);
        made.admit('heal', A, { rq: 'a:1', by: 'me' });
        return made.record();
      };
      finds(asked(null), 'unapproved', /without the yes/);
      finds(asked({ by: 'me' }), 'unapproved', /approved by who asked, me/);
      finds(asked({ p: 'another' }), 'unapproved', /another plan/);
      clean(asked({}));
      clean(asked({ by: 'me', glass: true }));
    });

    it('of overrides that fit the strictest holds, in the place of the own mode', () => {
      const scope = { y: ['web'] };
      const stricter = inMode('auto', [['ask', scope]]);
      stricter.admit('heal', node('db-1', { y: 'db' }));
      clean(stricter.record());
      stricter.admit('heal', A);
      finds(stricter.record(), 'unapproved');
      const laxer = inMode('ask', [['auto', scope]]);
      laxer.admit('heal', A);
      clean(laxer.record());
    });
  });

  describe('executions without a decision', () => {
    it('no admission of its lease, another plan, another workflow, an input that is none of ours', () => {
      const planted = (change: (made: Fabricated) => void): ProofRecord => {
        const made = begin();
        made.run('heal', A);
        change(made);
        return made.record();
      };
      const with_ = (more: object) => (made: Fabricated) => {
        const lease = made.admit('heal', B);
        made.start(lease);
        const [execution] = made.executions.splice(-1);
        assert.ok(execution?.input);
        made.executions.push({ ...execution, input: { ...execution.input, ...more } });
      };
      finds(
        planted(with_({ planDigest: 'other', planIs: 'other' })),
        'unadmitted',
        /plan is not the one that was admitted/,
      );
      finds(planted(with_({ planIs: 'other' })), 'unadmitted', /not the one its input names/);
      finds(planted(with_({ target: 'web-3' })), 'unadmitted', /its target is web-3/);
      finds(
        planted((made) => made.start({ ref: [1, 9], execution: 'heal:web-1:1-9', workflow: 'heal', target: 'web-1' })),
        'unadmitted',
        /no admission of lease 1-9/,
      );
      finds(
        planted((made) =>
          made.start({ ref: [1, 1], execution: 'x', workflow: 'heal', target: 'web-1' }, 0, { input: null }),
        ),
        'unadmitted',
        /no execution of ours/,
      );
    });

    it('what began before the journal reaches back cannot be judged', () => {
      const made = begin();
      made.start({ ref: [1, 9], execution: 'heal:web-1:1-9', workflow: 'heal', target: 'web-1' }, -60);
      clean(made.record({ whole: false }));
    });
  });

  describe('admitted and never started', () => {
    it('is found when nothing gave it back in time, and when it was given back without proof', () => {
      const waiting = begin();
      waiting.admit('heal', A);
      clean(waiting.pass(89).record());
      finds(waiting.pass(2).record(), 'never-started', '1-1');
      const released = begin();
      released.release(released.admit('heal', A));
      finds(released.record(), 'never-started', /no execution of it is on record/);
    });

    it('is well when a sweep saw it or a person freed it', () => {
      const made = begin();
      const swept = made.admit('heal', A);
      const freed = made.admit('heal', B);
      made.pass(30).sweep(swept, 'not_found');
      made.tell({ op: 'free', l: freed.ref }, { a: 'ok' });
      clean(made.pass(600).record());
    });
  });

  describe('doubled actions', () => {
    it('two receipts of one attempt that began at two times; a second attempt by its own permit is well', () => {
      const made = begin();
      const lease = made.admit('heal', A);
      made.start(lease);
      made.permit(lease);
      made.act(lease, 1);
      made.prove(lease);
      made.pass(2).permit(lease, { a: 2 });
      made.act(lease, 1, { attempt: 2, nonce: 'nonce-1-act-2' });
      clean(made.record());
      made.pass(2).act(lease, 1);
      finds(made.record(), 'doubled-action', /begun at .* and again at/);
    });

    it('begun without a permit, and begun after its permit had run out', () => {
      const none = begin();
      const lease = none.admit('heal', A);
      none.start(lease);
      none.act(lease, 1);
      finds(none.record(), 'doubled-action', /without a permit/);
      const late = begin();
      const second = late.admit('heal', A);
      late.start(second);
      late.permit(second);
      late.pass(16).act(second, 1);
      clean(late.record());
      late.actions.splice(0);
      late.pass(1).act(second, 1);
      finds(late.record(), 'doubled-action', /after its permit had run out/);
    });

    it('a command that ran more often than attempts were permitted', () => {
      const made = begin();
      const lease = made.admit('heal', A);
      made.start(lease);
      made.permit(lease);
      const effect = { mark: 'mark-1', step: 'act', node: 'web-1', phase: 'begin', at: made.now, pid: 1 } as const;
      made.effects.push(effect);
      clean(made.record());
      made.effects.push({ ...effect, pid: 2 });
      finds(made.record(), 'doubled-action', /ran 2 times on web-1; attempts permitted: 1/);
    });
  });

  describe('episodes', () => {
    const fault = (made: Fabricated, more: object = {}) => ({
      e: { id: 'e1', ob: 'o1', b: made.now, gap: 30_000, ...more },
    });

    it('a second admission for one fault', () => {
      const made = begin();
      const began = fault(made);
      made.run('heal', A, 1, began);
      made.pass(5).run('heal', A, 1, began);
      finds(made.record(), 'doubled-episode', '1-2');
    });

    it('while the first is still held, whatever `again` says', () => {
      const made = begin();
      const began = fault(made, { again: 1_000 });
      made.admit('heal', A, began);
      made.pass(5).admit('heal', B, began);
      finds(made.record(), 'doubled-episode', /still held for/);
    });

    it('is well after `again`, after one that never acted, and for a fault that began after the old one was gone', () => {
      const again = begin();
      const began = fault(again, { again: 4_000 });
      again.run('heal', A, 1, began);
      again.pass(3).run('heal', A, 1, began);
      clean(again.record());
      const gone = begin();
      const same = fault(gone);
      const first = gone.admit('heal', A, same);
      gone.pass(30).sweep(first, 'not_found');
      gone.run('heal', A, 1, same);
      clean(gone.record());
      const over = begin();
      over.run('heal', A, 1, fault(over));
      over.tell({ op: 'resolved', ...fault(over) }, { a: 'episode' });
      over.pass(30).run('heal', A, 1, fault(over));
      clean(over.record());
    });

    it('what is asked again for a request that waits is no sighting of the fault', () => {
      const made = begin();
      const ref = fault(made);
      made.tell({ op: 'ask', id: 'a:1', w: 'heal', d: 'd1', t: A, p: 'plan-1', ...ref }, { a: 'pending', rq: 'a:1' });
      made.pass(10).run('heal', A, 1, { ...ref, rq: 'a:1' });
      made.pass(20).run('heal', A, 1, fault(made));
      clean(made.record());
    });

    it('a fault that began before the old one had been gone for its gap is the old one', () => {
      const made = begin();
      made.run('heal', A, 1, fault(made));
      made.tell({ op: 'resolved', ...fault(made) }, { a: 'episode' });
      made.pass(29).run('heal', A, 1, fault(made));
      finds(made.record(), 'doubled-episode', '1-2');
    });
  });

  describe('contradictions', () => {
    it('one question answered in two ways', () => {
      const made = begin();
      const ask = { op: 'ask', id: 'a:1', w: 'heal', d: 'd1', t: A, p: 'plan-1' };
      made.tell(ask, { a: 'refused' });
      made.tell(ask, { a: 'refused', known: true });
      made.tell(ask, { a: 'too_old' });
      clean(made.record());
      made.start({ ref: [1, 1], execution: 'heal:web-1:1-1', workflow: 'heal', target: 'web-1' });
      made.tell(ask, { a: 'admitted', l: [1, 1] });
      finds(made.record(), 'contradiction', /answered refused to c1, and admitted 1-1 to c1/);
    });

    it('an admission whose execution never came to be may be decided anew', () => {
      const made = begin();
      const first = made.admit('heal', A, { id: 'a:1' });
      made.pass(30).sweep(first, 'not_found');
      made.start(made.admit('heal', A, { id: 'a:1' }));
      clean(made.record());
      made.admit('heal', B, { id: 'a:1' });
      finds(made.record(), 'contradiction', 'a:1');
    });

    it('one lease number for two questions, and two executions of one lease', () => {
      const numbers = begin();
      numbers.start(numbers.admit('heal', A));
      numbers.tell({ op: 'ask', w: 'heal', d: 'd1', t: B, p: 'plan-1' }, { a: 'admitted', l: [1, 1] });
      finds(numbers.record(), 'contradiction', '1-1');
      const executions = begin();
      const lease = executions.admit('heal', A);
      executions.start(lease);
      executions.start(lease, 1, { run: 'another' });
      finds(executions.record(), 'contradiction', /one lease, 2 executions/);
    });
  });

  describe('lost requests', () => {
    it('a question without an answer', () => {
      const made = begin();
      made.tell({ op: 'ask', id: 'a:1', w: 'heal', t: A, p: 'p' }, null);
      finds(made.record(), 'lost', 'a:1');
    });

    it('told to wait and never heard of again; but not one that was admitted, left, or is still to be asked', () => {
      const made = begin();
      const waiting = { a: 'pending', rq: 'a:1', ra: made.now + 10_000, u: made.now + 60_000 };
      const ask = { op: 'ask', w: 'heal', d: 'd1', t: A, p: 'plan-1' };
      made.tell({ ...ask, id: 'a:1' }, waiting);
      clean(made.pass(70).record());
      finds(made.pass(1).record(), 'lost', 'a:1');
      made.tell({ ...ask, id: 'a:1/1', rq: 'a:1' }, { a: 'ended', c: 'wait_over' });
      clean(made.record());
      made.tell({ ...ask, id: 'a:2' }, { ...waiting, rq: 'a:2' });
      made.tell({ op: 'leave', rq: 'a:2' }, { a: 'ok' });
      clean(made.pass(100).record());
    });

    it('not when only a question was repeated after it had ended, or its fault waits under another request', () => {
      const made = begin();
      const ask = { op: 'ask', w: 'heal', d: 'd1', t: A, p: 'plan-1' };
      const waiting = { a: 'pending', rq: 'a:1', ra: made.now + 10_000, u: made.now + 60_000 };
      made.tell({ ...ask, id: 'a:1' }, waiting);
      made.tell({ ...ask, id: 'a:1/1', rq: 'a:1' }, waiting);
      made.tell({ ...ask, id: 'a:1/2', rq: 'a:1' }, { a: 'ended', c: 'wait_over' });
      made.tell({ ...ask, id: 'a:1' }, waiting);
      made.tell({ ...ask, id: 'a:1/1', rq: 'a:1' }, waiting);
      made.tell({ ...ask, id: 'a:2' }, { ...waiting, rq: 'a:2' });
      made.tell({ ...ask, id: 'a:2/1', rq: 'a:2' }, { ...waiting, rq: 'a:3', same: true });
      clean(made.pass(100).record());
    });
  });
});

/** Plays one history to the gate's reducer and to the reference, and compares every answer. */
import assert from 'node:assert/strict';
import { GateDriver, START } from '../support/gate-driver.ts';
import { swept } from '../../workflows/gate/leases.ts';
import type {
  Answer,
  Ask,
  EpisodeRef,
  LeaseRef,
  LimitRef,
  Operation,
  PauseScope,
  TargetRef,
  WindowScope,
} from '../../workflows/gate/operations.ts';
import { Reference, sameSet, type Expected } from './reference.ts';
import { isOpen, say, see } from './reference-faults.ts';
import { roomOf, type Doubt } from './reference-limits.ts';
import type { History, Step } from './steps.ts';
import { Witness } from './witness.ts';

export const WORKFLOWS = ['fix', 'boot', 'look'] as const;
const node = (n: string, y: string, c: string, rack?: string): TargetRef => ({
  k: 'n',
  n,
  y,
  c,
  ...(rack === undefined ? {} : { l: { rack } }),
});
const NODES = [
  node('web-1', 'web', 'dc1', 'a'),
  node('web-2', 'web', 'dc1', 'b'),
  node('web-3', 'web', 'dc2', 'a'),
  node('db-1', 'db', 'dc1', 'a'),
  node('db-2', 'db', 'dc2', 'b'),
  node('odd', 'odd', 'dc1'),
];
const TARGETS: readonly TargetRef[] = [
  ...NODES,
  { k: 'y', y: 'web' },
  { k: 'y', y: 'web', c: 'dc1' },
  { k: 'c', c: 'dc1' },
  { k: 'n', n: 'web-1', y: 'web', c: 'dc1', l: { rack: 'a' } },
];
const SCOPES: readonly PauseScope[] = [
  { k: 'all' },
  { k: 'w', v: 'fix' },
  { k: 'n', v: 'web-1' },
  { k: 'y', v: 'db' },
  { k: 'c', v: 'dc1' },
  { k: 'c', v: 'dc2' },
];
const WINDOWS: readonly WindowScope[] = [
  {},
  { w: ['fix'] },
  { y: ['web'], c: ['dc1'] },
  { n: ['web-2'] },
  { c: ['dc2'] },
];
const PEOPLE = ['ann', 'bob', 'trigger'];

export class Trial {
  readonly gate: GateDriver;
  readonly reference = new Reference(START);
  readonly witness = new Witness(NODES);
  readonly #log: string[];
  readonly #heard: (answer: Answer) => void;
  readonly #definitions: History['definitions'];
  readonly #asked: Ask[] = [];
  readonly #waited: Ask[] = [];
  readonly #operations: Operation[] = [];
  readonly #leases: { ref: LeaseRef; ask: Ask }[] = [];
  readonly #times = new Set<number>();
  readonly #reports = new Map<string, number>();
  #ids = 0;
  #asks = 0;

  /** @param log told every operation and its answer, for people; `heard` each answer */
  constructor(definitions: History['definitions'], log: string[], heard: (answer: Answer) => void = () => {}) {
    this.#log = log;
    this.#heard = heard;
    this.#definitions = definitions;
    this.gate = new GateDriver();
  }

  play(steps: readonly Step[]): void {
    for (const w of WORKFLOWS.keys()) this.#announce(w, 0, 0);
    this.#fleet({ r: 0, down: [], parts: 1, lost: false, missing: false });
    for (const step of steps) {
      this.#log.push(JSON.stringify(step));
      this.#step(step);
    }
    this.witness.ends();
  }

  #step(step: Step): void {
    const { gate, reference } = this;
    switch (step.do) {
      case 'ask':
        return this.#ask(step);
      case 'again':
        return this.#again(step);
      case 'permit':
        return this.#permit(step);
      case 'finish':
        return this.#finish(step);
      case 'pass':
        return this.#pass(step.ms, step.quiet);
      case 'until':
        return this.#until(step);
      case 'repeat':
        return this.#repeat(step);
      case 'announce':
        return this.#announce(step.w, step.d, step.by);
      case 'fleet':
        return this.#fleet(step);
      case 'word':
        return this.#word(step);
      case 'restart':
        return gate.restart();
      case 'sweep': {
        const lease = this.#pick(this.#leases, step.lease)?.ref;
        if (lease === undefined) return;
        swept(gate.state, { lease, execution: step.found });
        reference.sweep(lease, step.found);
        return this.#whoLives();
      }
      default:
        return this.#rest(step);
    }
  }

  #rest(step: Step): void {
    const common = this.#common();
    switch (step.do) {
      case 'release':
      case 'started':
      case 'free':
      case 'result': {
        const l = this.#pick(this.#leases, step.lease)?.ref;
        if (l === undefined) return;
        if (step.do === 'release') this.#tell({ op: 'release', ...common, l, o: step.outcome });
        if (step.do === 'started') this.#tell({ op: 'started', ...common, l });
        if (step.do === 'free') this.#tell({ op: 'free', ...common, l, by: 'ann', why: 'scrapped' });
        if (step.do === 'result') this.#tell({ op: 'result', ...common, l, s: `s${step.s}`, a: step.a, r: 'done' });
        return;
      }
      case 'seen':
        if (step.resolved) this.#tell({ op: 'resolved', ...common, e: this.#episode(step.e, step.ob, 0) });
        else this.#tell({ op: 'seen', ...common, e: this.#episode(step.e, step.ob, 0), eu: gateTime(this) + 60_000 });
        return;
      case 'pause': {
        const sc = SCOPES[step.scope] ?? { k: 'all' };
        const until = step.ms === null ? {} : { until: gateTime(this) + step.ms };
        this.#tell({ op: 'pause', ...common, sc, by: 'ann', why: 'incident', ...until });
        return;
      }
      case 'resume': {
        const ids = [...this.reference.pauses, ...this.reference.streaks].map(({ id }) => id);
        const pause = this.#pick(ids, step.which) ?? 'nothing';
        this.#tell({ op: 'resume', ...common, pause, by: 'ann', why: 'over' });
        return;
      }
      case 'window': {
        const f = gateTime(this) + step.from;
        const who = step.person ? ({ src: 'p', nm: 'release' } as const) : ({ src: 'f', nm: 'file:nights' } as const);
        this.#tell({ op: 'window', ...common, ...who, sc: WINDOWS[step.scope] ?? {}, f, u: f + step.ms, by: 'c0' });
        this.#times.add(f + step.ms);
        return;
      }
      case 'unwindow':
        this.#tell({ op: 'unwindow', ...common, nm: 'release', by: 'ann', why: 'done' });
        return;
      case 'adopt':
        this.#tell({ op: 'adopt', ...common, by: 'ann', why: 'looked', ...(step.e === null ? {} : { e: step.e }) });
        return;
      default:
        throw new Error(`no such step: ${step.do}`);
    }
  }

  #ask(step: Extract<Step, { do: 'ask' }>): void {
    const now = gateTime(this);
    this.#asks += 1;
    const name = WORKFLOWS[step.w] ?? 'fix';
    const operation: Ask = {
      op: 'ask',
      id: `a:${this.#asks}`,
      at: now,
      w: name,
      d:
        step.d === 1 && this.reference.announced.some(({ definition: { w, d } }) => w === name && d === 'd1')
          ? 'd1'
          : 'd0',
      t: TARGETS[step.t] ?? NODES[0] ?? { k: 'c' },
      p: `plan${step.plan}`,
      eu: now + step.valid,
      by: PEOPLE[step.by] ?? '',
      ...(step.e === null ? {} : { e: this.#episode(step.e, step.ob, step.began) }),
      ...(step.wait === null ? {} : { wt: now + step.wait }),
      ...(step.dry ? { dry: true as const } : {}),
    };
    this.#asked.push(operation);
    this.#tell(operation);
  }

  #again(step: Extract<Step, { do: 'again' }>): void {
    const first = this.#pick(this.#waited, step.waiter);
    if (first === undefined) return;
    const rq = first.rq ?? first.id;
    this.#ids += 1;
    const id = `${rq}/${this.#ids}`;
    const p = step.plan === 0 ? first.p : 'other';
    this.#tell({ ...first, id, at: gateTime(this), rq, p, eu: gateTime(this) + step.valid });
  }

  #permit(step: Extract<Step, { do: 'permit' }>): void {
    const lease = this.#pick(this.#leases, step.lease);
    if (lease === undefined) return;
    const chosen = step.n === null ? undefined : NODES[step.n];
    const place = chosen ?? (lease.ask.t.k === 'n' ? lease.ask.t : NODES[0]);
    const foreign = place?.n !== lease.ask.t.n;
    this.witness.starts(lease.ref, gateTime(this), step.late);
    this.#tell({
      op: 'permit',
      ...this.#common(),
      l: lease.ref,
      p: step.plan === 0 ? lease.ask.p : 'other',
      s: `s${step.s}`,
      a: step.a,
      n: place?.n ?? '',
      busy: 30_000,
      ...(foreign && place !== undefined ? { t: place } : {}),
      ...(step.ch ? { ch: true as const } : {}),
      ...(step.undo ? { undo: true as const } : {}),
      ...(step.sf ? { sf: true as const } : {}),
      ...(step.sup === null ? {} : { sup: step.sup }),
    });
  }

  /** A remedy from its permit to its end. */
  #finish({ lease: which, outcome, late }: Extract<Step, { do: 'finish' }>): void {
    const lease = this.#pick(this.#leases, which);
    if (lease === undefined) return;
    const n = lease.ask.t.n ?? 'web-2';
    const t = n === lease.ask.t.n ? {} : { t: NODES[1] ?? { k: 'c' } };
    this.witness.starts(lease.ref, gateTime(this), late);
    const permit = { op: 'permit', l: lease.ref, p: lease.ask.p, s: 's0', a: 1, n, busy: 30_000, ch: true } as const;
    this.#tell({ ...permit, ...t, ...this.#common() });
    this.#tell({ op: 'result', ...this.#common(), l: lease.ref, s: 's0', a: 1, r: 'done' });
    this.#tell({ op: 'release', ...this.#common(), l: lease.ref, o: outcome });
  }

  #word({ waiter, word, by, glass, plan }: Extract<Step, { do: 'word' }>): void {
    const first = this.#pick(this.#waited, waiter);
    if (first === undefined) return;
    const rq = first.rq ?? first.id;
    const who = PEOPLE[by] ?? '';
    if (word === 'leave') this.#tell({ op: 'leave', ...this.#common(), rq });
    else if (word === 'deny') this.#tell({ op: 'deny', ...this.#common(), rq, by: who });
    else {
      const p = plan === 0 ? first.p : 'other';
      this.#tell({ op: 'approve', ...this.#common(), rq, p, by: who, ...(glass ? { glass: true as const } : {}) });
    }
  }

  #announce(w: number, d: number, by: number): void {
    const { lim, mode, ov, mp, ap, du } = this.#definitions[w * 2 + d] ?? this.#definitions[0];
    const name = WORKFLOWS[w] ?? 'fix';
    this.#tell({
      op: 'definitions',
      ...this.#common(),
      w: name,
      d: `d${d}`,
      lim,
      ch: name !== 'look',
      by: `c${by}`,
      ...(mode === 'auto' ? {} : { md: mode }),
      ...(ov.length === 0 ? {} : { ov }),
      mp,
      ap,
      du,
    });
  }

  /** `missing`: this one's inventory lacks a node; `lost`: the last part never comes. */
  #fleet({ r: reporter, down, parts, lost, missing }: Omit<Extract<Step, { do: 'fleet' }>, 'do'>): void {
    const known = NODES.filter(({ n }) => !missing || n !== 'web-3');
    const dead = known.filter((_, index) => down.includes(index));
    const r = `c${reporter}`;
    const v = (this.#reports.get(r) ?? 0) + 1;
    this.#reports.set(r, v);
    const rooms = new Set(
      NODES.flatMap((one) => (['node_type', 'datacenter', 'global', 'label:rack'] as const).map((s) => roomOf(s, one))),
    );
    const under = (nodes: readonly TargetRef[], room: string): number =>
      nodes.filter((one) =>
        (['node_type', 'datacenter', 'global', 'label:rack'] as const).some((s) => roomOf(s, one) === room),
      ).length;
    const tot = [...rooms].map((room) => [room, under(known, room), under(dead, room)] as const);
    const dn = dead.flatMap(({ n }) => n ?? []);
    this.#times.add(gateTime(this) + 60_000);
    const half = parts === 1 ? tot.length : 3;
    this.#tell({ op: 'fleet', ...this.#common(), r, v, i: 0, of: parts, tot: tot.slice(0, half), dn });
    if (parts > 1 && !lost)
      this.#tell({ op: 'fleet', ...this.#common(), r, v, i: 1, of: parts, tot: tot.slice(half), dn: [] });
  }

  #pass(ms: number, quiet: boolean): void {
    this.gate.advance(ms);
    this.reference.advance(ms);
    if (quiet) return;
    // What coordinators do by the clock: announce, and say that the fleet is as it was.
    for (const [w, name] of WORKFLOWS.entries()) {
      for (const { d } of this.reference.inForce.get(name) ?? []) if (d === 'd0') this.#announce(w, 0, 0);
    }
    for (const [r, v] of this.#reports) {
      const heard = this.#tell({ op: 'fleet', ...this.#common(), r, v });
      if (heard.a === 'unknown_fleet' && r === 'c0')
        this.#fleet({ r: 0, down: [], parts: 1, lost: false, missing: false });
    }
  }

  /** To the millisecond before, at, or after some time that an answer named. */
  #until({ time, by }: Extract<Step, { do: 'until' }>): void {
    const later = [...this.#times].filter((when) => when + by > gateTime(this)).toSorted((a, b) => a - b);
    const when = this.#pick(later, time);
    if (when !== undefined) this.#pass(when + by - gateTime(this), false);
  }

  #repeat({ which, plan }: Extract<Step, { do: 'repeat' }>): void {
    const operation = this.#pick(this.#operations, which);
    if (operation === undefined || operation.op === 'definitions' || operation.op === 'fleet') return;
    this.#tell(operation.op === 'ask' && plan === 1 ? { ...operation, p: 'other' } : operation);
  }

  // --- both at once

  #tell(operation: Operation): Answer {
    this.#operations.push(operation);
    const expected = this.reference.again(operation) ?? this.#expect(operation);
    const answer = this.gate.apply(operation);
    this.#log.push(`  ${JSON.stringify(operation)}\n    → ${JSON.stringify(answer)}`);
    if ('exactly' in expected) assert.deepEqual(answer, expected.exactly);
    else this.#compare(operation, expected, answer);
    this.#learn(operation, answer);
    this.#heard(answer);
    this.witness.hears(operation, answer, gateTime(this));
    this.#whoLives();
    return answer;
  }

  #expect(operation: Operation): Expected {
    const { reference } = this;
    switch (operation.op) {
      case 'ask':
        return reference.ask(operation);
      case 'permit':
        return reference.permit(operation);
      case 'definitions':
        return reference.define(operation);
      case 'fleet':
        return reference.report(operation);
      case 'approve':
        return reference.approve(operation);
      case 'deny':
        return reference.deny(operation);
      case 'window':
        return reference.close(operation);
      case 'release':
        return reference.release(operation.l, operation.o);
      case 'seen':
        see(reference.faults, operation.e, operation.eu, reference.now, (lease) => reference.isLive(lease));
        return { a: 'episode', open: true };
      case 'resolved': {
        const fault = reference.faults.find(({ id }) => id === operation.e.id);
        if (fault !== undefined) say(fault, operation.e.ob, reference.now, true);
        return { a: 'episode', open: fault !== undefined && isOpen(fault, reference.now) };
      }
      default:
        return this.#expectOk(operation);
    }
  }

  #expectOk(operation: Operation): Expected {
    const { reference } = this;
    switch (operation.op) {
      case 'pause': {
        const { id, sc, why, until = null } = operation;
        reference.pauses.push({ id, sc, why, until });
        const live = reference.leases.filter(({ end }) => end === null);
        const open = live.flatMap(({ w, t: target, open: permits }) =>
          permits
            .filter(({ n, bb }) => {
              const elsewhere = n !== target.n && (sc.k === 'y' || sc.k === 'c');
              return bb > reference.now && (elsewhere || reference.covers(sc, w, { ...target, n }));
            })
            .map(({ bb }) => bb),
        );
        return { a: 'ok', begins: open.toSorted((a, b) => b - a).slice(0, 4) };
      }
      case 'resume':
        reference.pauses = reference.pauses.filter(({ id }) => id !== operation.pause);
        reference.streaks = reference.streaks.filter(({ id }) => id !== operation.pause);
        break;
      case 'unwindow':
        reference.windows = reference.windows.filter(({ name, byPerson }) => !byPerson || name !== operation.nm);
        break;
      case 'leave':
        reference.drop(operation.rq);
        break;
      case 'started': {
        const lease = reference.live(operation.l);
        if (lease !== undefined) lease.started = true;
        break;
      }
      case 'result':
        reference.prove(operation.l, operation.s, operation.a);
        break;
      case 'free':
        reference.free(operation.l);
        break;
      case 'adopt':
        reference.epoch = Math.max(reference.epoch, operation.e ?? 0) + 1;
        reference.next = 1;
        break;
      default:
        throw new Error(`nothing expected of ${operation.op}`);
    }
    return { a: 'ok' };
  }

  #compare(operation: Operation, expected: Expected, answer: Answer): void {
    const { r, lim, begins, no, ...said } = expected;
    const heard: Record<string, unknown> = { ...answer };
    const { r: reasons, more = 0, lim: told, perms, ra } = heard;
    for (const key of ['r', 'more', 'lim', 'perms', 'hd', 'ra', 'why', ...(no === undefined ? ['no'] : [])])
      delete heard[key];
    const wanted = { ...said, ...(no === undefined ? {} : { no }) };
    for (const [key, value] of Object.entries(wanted))
      if (value === undefined) delete (wanted as Record<string, unknown>)[key];
    assert.deepEqual(heard, wanted);
    compareReasons((reasons ?? []) as unknown[], Number(more), r ?? []);
    assert.equal(lim === undefined, told === undefined, 'limits are told when they changed');
    if (lim !== undefined) assert.ok(sameSet(lim as LimitRef[], told as LimitRef[]), 'limits that hold');
    if (begins !== undefined)
      assert.deepEqual(
        (perms as [LeaseRef, number][]).map(([, bb]) => bb),
        begins,
      );
    if (answer.a !== 'pending' || operation.op !== 'ask') return;
    const known = this.reference.waiters.find(({ rq }) => rq === answer.rq);
    if (answer.same === true) assert.equal(ra, known?.askAgain);
    else assert.ok(answer.ra >= gateTime(this) && answer.ra <= gateTime(this) + 60_000, 'asks again soon');
  }

  /** What is the gate's to choose: when to ask again, nonces, the order of limits. */
  #learn(operation: Operation, answer: Answer): void {
    const { reference } = this;
    if (answer.a === 'pending' && answer.same !== true) {
      const known = reference.waiters.find(({ rq }) => rq === answer.rq);
      const first = reference.remembered.some(({ id }) => id === operation.id);
      if (known !== undefined && !first) known.askAgain = answer.ra;
    }
    if (answer.a === 'limits' && operation.op === 'definitions') {
      const lim = answer.lim ?? reference.told.get(operation.w)?.lim ?? [];
      reference.told.set(operation.w, { v: answer.v, lim });
    }
    if (answer.a === 'permit' && operation.op === 'permit') {
      const given = reference.live(operation.l)?.open.find(({ s, a }) => s === operation.s && a === operation.a);
      if (given !== undefined) given.no = answer.no;
    }
    if (operation.op === 'ask' && answer.a === 'admitted' && answer.known !== true)
      this.#leases.push({ ref: answer.l, ask: operation });
    if (operation.op === 'ask' && answer.a === 'pending' && answer.same !== true && operation.rq === undefined)
      this.#waited.push(operation);
    this.#noteTimes(answer);
    reference.remember(operation, answer);
  }

  #noteTimes(answer: Answer): void {
    if (answer.a === 'admitted') this.#times.add(answer.sb);
    if (answer.a === 'pending')
      this.#times
        .add(answer.ra)
        .add(answer.u)
        .add(answer.ra + 60_000);
    if (answer.a === 'pending' || answer.a === 'refused' || answer.a === 'shadow')
      for (const [, , , , free] of answer.r ?? []) if (free !== null) this.#times.add(free);
  }

  #whoLives(): void {
    const keys = [...this.gate.state.leases.values()].map(({ ref }) => String(ref));
    this.witness.living(new Set(keys), gateTime(this));
  }

  #common(): { id: string; at: number } {
    this.#ids += 1;
    return { id: `o${this.#ids}`, at: gateTime(this) };
  }

  #episode(e: number, ob: number, began: number): EpisodeRef {
    const again = e === 1 ? { again: 40_000 } : {};
    return { id: `fault${e}`, ob: `ob${ob}`, b: gateTime(this) - began, gap: 30_000, ...again };
  }

  /** The latest are picked most easily. */
  #pick<T>(list: readonly T[], index: number): T | undefined {
    return list.length === 0 ? undefined : list.at(-1 - (index % list.length));
  }
}

const gateTime = (trial: Trial): number => trial.reference.now;

function compareReasons(heard: unknown[], more: number, expected: readonly Doubt[]): void {
  const wanted = expected.map(({ kind, scope, limit, current, free, name }) =>
    JSON.stringify([kind, scope, limit, current, free, ...(name === undefined ? [] : [name])]),
  );
  for (const reason of heard) {
    const index = wanted.indexOf(JSON.stringify(reason));
    assert.ok(index >= 0, `${JSON.stringify(reason)} is none of ${wanted.join(' ')}`);
    wanted.splice(index, 1);
  }
  assert.equal(wanted.length, more, `left out: ${wanted.join(' ')}`);
}

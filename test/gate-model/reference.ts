/**
 * What the gate ought to answer, written from docs/protocol.md alone: plain lists, and everything found out by looking through all of them.
 * Slow on purpose; the gate's reducer is held against it.
 */
import type { Outcome } from '../../workflows/contract.ts';
import {
  BEGIN_MS,
  DEFINITION_MS,
  REMEMBER_MS,
  START_MS,
  WAITER_GRACE_MS,
  type Answer,
  type Approve,
  type Ask,
  type Definitions,
  type Deny,
  type FleetReport,
  type LeaseRef,
  type LimitRef,
  type Operation,
  type Permit,
  type TargetRef,
  type Window,
} from '../../workflows/gate/operations.ts';
import {
  closedWindows,
  covers,
  reasonsAgainst,
  roomOf,
  streakId,
  verdict,
  type Doubt,
  type Held,
  type Rehearsed,
  type Report,
  type Waiter,
} from './reference-limits.ts';
import * as faults from './reference-faults.ts';

/** What the gate must say. `r`: every reason there is; the gate may leave some out and count them (`more`). */
export type Expected = { readonly a: Answer['a']; readonly r?: readonly Doubt[] } & Record<string, unknown>;
/** The very answer that was given before. */
export type Again = { readonly exactly: Answer };

type Announced = { readonly definition: Definitions; at: number };
type Streak = { id: string; workflow: string; g: string | undefined; s: string; streak: number; open: boolean };
type Closure = { name: string; scope: Window['sc']; from: number; until: number; byPerson: boolean };
type Remembered = { readonly id: string; readonly at: number; readonly plan: string | null; readonly answer: Answer };

export class Reference {
  now: number;
  epoch = 1;
  next = 1;
  arrivals = 0;
  leases: Held[] = [];
  faults: faults.Fault[] = [];
  waiters: Waiter[] = [];
  rehearsals: Rehearsed[] = [];
  reports: Report[] = [];
  parts: FleetReport[] = [];
  announced: Announced[] = [];
  /** By workflow: the definitions that were put together at its latest announcement. */
  inForce = new Map<string, Definitions[]>();
  /** Limits of each workflow, in the order in which the gate told them, and their version. */
  told = new Map<string, { v: number; lim: readonly LimitRef[] }>();
  streaks: Streak[] = [];
  pauses: { id: string; sc: { k: string; v?: string | undefined }; until: number | null; why: string }[] = [];
  windows: Closure[] = [];
  remembered: Remembered[] = [];

  constructor(now: number) {
    this.now = now;
  }

  /** Time passes, and with it whatever only time ends. */
  advance(ms: number): void {
    this.now += ms;
    const { now } = this;
    this.pauses = this.pauses.filter(({ until }) => until === null || until > now);
    this.windows = this.windows.filter(({ until }) => until > now);
    for (const silent of this.waiters.filter((w) => Math.max(w.askAgain, w.since) + WAITER_GRACE_MS < now))
      this.drop(silent.rq);
    this.faults = this.faults.filter((fault) => !faults.forgotten(fault, now, this.isLive(fault.lease)));
    this.remembered = this.remembered.filter(({ at }) => at + REMEMBER_MS >= now);
  }

  /** What was answered under this id, if that is remembered. */
  again(operation: Operation): Expected | Again | null {
    const known = this.remembered.find(({ id }) => id === operation.id);
    if (known === undefined) return operation.at + REMEMBER_MS < this.now ? { a: 'too_old' } : null;
    if (operation.op === 'ask' && operation.p !== known.plan) return { a: 'reused' };
    const { answer } = known;
    const said = answer.a === 'admitted' || answer.a === 'refused' || answer.a === 'shadow';
    return { exactly: said ? { ...answer, known: true } : answer };
  }

  /** Once both have answered: what repeating would change is remembered, under the gate's own words. */
  remember(operation: Operation, answer: Answer): void {
    const repeatable = ['started', 'result', 'release', 'definitions', 'fleet', 'leave'].includes(operation.op);
    if (repeatable || ['too_old', 'unknown_definition', 'malformed'].includes(answer.a)) return;
    if (this.remembered.some(({ id }) => id === operation.id)) return;
    const plan = operation.op === 'ask' ? operation.p : null;
    this.remembered.push({ id: operation.id, at: operation.at, plan, answer });
  }

  // --- definitions

  define(operation: Definitions): Expected {
    const known = this.announced.find(({ definition: { w, d } }) => w === operation.w && d === operation.d);
    if (known === undefined) this.announced.push({ definition: operation, at: this.now });
    else known.at = this.now;
    this.announced = this.announced.filter(
      ({ definition, at }) => definition.w !== operation.w || at + DEFINITION_MS >= this.now,
    );
    const together = this.announced.filter(({ definition }) => definition.w === operation.w);
    this.inForce.set(
      operation.w,
      together.map(({ definition }) => definition),
    );
    const limits = this.limitsOf(operation.w);
    for (const streak of this.streaks) {
      const same = (limit: LimitRef): boolean =>
        limit.k === 'i' && limit.g === streak.g && limit.s === streak.s && streak.streak >= limit.v;
      if ((streak.g !== undefined || streak.workflow === operation.w) && limits.some(same)) streak.open = true;
    }
    const before = this.told.get(operation.w);
    const changed = before === undefined || !sameSet(before.lim, limits);
    return { a: 'limits', v: (before?.v ?? 0) + (changed ? 1 : 0), lim: changed ? limits : undefined };
  }

  /** All that was announced, each once. */
  limitsOf(workflow: string): LimitRef[] {
    const all = (this.inForce.get(workflow) ?? []).flatMap(({ lim }) => lim);
    return all.filter((limit, index) => all.findIndex((other) => same(other, limit)) === index);
  }

  least(workflow: string, of: (definition: Definitions) => number): number {
    return Math.min(...(this.inForce.get(workflow) ?? []).map(of));
  }

  modeOf(workflow: string, target: TargetRef): 'auto' | 'ask' | 'shadow' {
    const modes = (this.inForce.get(workflow) ?? []).flatMap(({ md, ov }) => {
      const fitting = (ov ?? []).filter(([, scope]) => covers(scope, workflow, target, false)).map(([mode]) => mode);
      return fitting.length > 0 ? fitting : [md ?? 'auto'];
    });
    return modes.includes('shadow') ? 'shadow' : modes.includes('ask') ? 'ask' : 'auto';
  }

  // --- asking

  ask(operation: Ask): Expected {
    const definition = this.announced.find(
      ({ definition: { w, d }, at }) => w === operation.w && d === operation.d && at + DEFINITION_MS >= this.now,
    )?.definition;
    if (definition === undefined) return { a: 'unknown_definition' };
    if (operation.rq !== undefined) return this.askAgain(operation, operation.rq, definition);
    const fault =
      operation.e === undefined || operation.dry === true
        ? null
        : faults.see(this.faults, operation.e, operation.eu, this.now, (lease) => this.isLive(lease));
    const decided = fault === null ? null : this.decidedFor(fault, operation);
    if (decided !== null) return decided;
    if (operation.eu < this.now) return { a: 'stale_evidence' };
    const pause = this.pauseOver(operation.w, operation.t);
    if (pause !== undefined) return { a: 'paused', pause: pause.id };
    return this.decide(operation, definition, fault, null);
  }

  private askAgain(operation: Ask, rq: string, definition: Definitions): Expected {
    const waiter = this.waiters.find((one) => one.rq === rq) ?? null;
    const differs =
      waiter !== null &&
      (waiter.ask.p !== operation.p ||
        waiter.ask.w !== operation.w ||
        roomOf('target', waiter.ask.t) !== roomOf('target', operation.t));
    if (differs) return { a: 'reused' };
    const fault = operation.dry === true ? null : (this.faults.find(({ id }) => id === operation.e?.id) ?? null);
    const answer = this.answerAgain(operation, definition, waiter, fault);
    if (answer.a !== 'pending') this.drop(rq);
    return answer;
  }

  private answerAgain(
    operation: Ask,
    definition: Definitions,
    waiter: Waiter | null,
    fault: faults.Fault | null,
  ): Expected {
    if (waiter !== null && waiter.deniedBy !== null) return { a: 'ended', c: 'denied', by: waiter.deniedBy };
    const until = waiter?.approval === true ? waiter.until : Math.max(waiter?.until ?? 0, operation.wt ?? 0);
    if (until < this.now) return { a: 'ended', c: waiter === null ? 'not_waiting' : 'wait_over' };
    if (waiter !== null) waiter.until = until;
    const decided = fault === null ? null : this.decidedFor(fault, operation);
    if (decided !== null) return decided;
    if (fault !== null && faults.saidOver(fault, this.now)) return { a: 'ended', c: 'no_fault' };
    if (Math.max(operation.eu, fault?.evidenceUntil ?? 0) < this.now) return { a: 'ended', c: 'stale_evidence' };
    const pause = this.pauseOver(operation.w, operation.t);
    if (pause === undefined) return this.decide(operation, definition, fault, waiter);
    const kept = waiter ?? this.enter(operation, operation.wt ?? 0);
    if (kept === null) return { a: 'paused', pause: pause.id };
    kept.lines = [];
    return { ...pendingOf(kept, []), pause: true };
  }

  private decidedFor(fault: faults.Fault, operation: Ask): Expected | null {
    const waiter = this.waiters.find(({ rq }) => rq === fault.waiting);
    if (waiter !== undefined && waiter.rq !== operation.rq) return { ...pendingOf(waiter, []), same: true };
    if (fault.lease === null) return null;
    const lease = this.live(fault.lease);
    if (lease === undefined && fault.again !== null && fault.admittedAt + fault.again <= this.now) return null;
    return {
      a: 'duplicate',
      l: fault.lease,
      sb: lease === undefined ? 0 : lease.at + START_MS,
      st: lease === undefined || lease.started,
      same: lease?.plan === operation.p,
    };
  }

  private decide(operation: Ask, definition: Definitions, fault: faults.Fault | null, waiter: Waiter | null): Expected {
    const { w, t, dry } = operation;
    const mode = dry === true ? 'auto' : this.modeOf(w, t);
    if (mode === 'shadow') return this.rehearse(operation, definition, fault);
    const v = this.told.get(w)?.v;
    if (mode === 'ask' && (waiter?.approvedBy ?? null) === null) {
      const kept = waiter ?? this.enter(operation, this.now + this.least(w, ({ ap }) => ap ?? 0));
      if (kept === null) return { a: 'refused', r: [], v, full: true };
      kept.lines = [];
      kept.approval = true;
      return pendingOf(kept, []);
    }
    const changing = definition.ch && dry !== true;
    const asked = { w, t, changing, waiter, rehearsal: false, glass: waiter?.glass === true };
    const against = reasonsAgainst(this, asked);
    if (against.length === 0) return this.admit(operation, definition, fault, waiter);
    const { wt } = operation;
    const passes = ({ waits, free }: Doubt): boolean => waits && (free === null || free <= (wt ?? 0));
    if (wt === undefined || wt <= this.now || !against.every(passes)) return { a: 'refused', r: against, v };
    const kept = waiter ?? this.enter(operation, wt);
    if (kept === null) return { a: 'refused', r: against, v, full: true };
    kept.until = Math.max(kept.until, wt);
    kept.approval = false;
    kept.lines = against.flatMap(({ line }) => (line === null ? [] : [line]));
    kept.place = Math.max(
      0,
      ...kept.lines.map(
        (line) => this.waiters.filter((other) => other.order < kept.order && other.lines.includes(line)).length,
      ),
    );
    return pendingOf(kept, against);
  }

  private admit(operation: Ask, definition: Definitions, fault: faults.Fault | null, waiter: Waiter | null): Expected {
    const { w, t, dry } = operation;
    const changing = definition.ch && dry !== true;
    const asked = { w, t, changing, waiter, rehearsal: false, glass: waiter?.glass === true };
    const counts = (this.told.get(w)?.lim ?? []).map((limit) => verdict(this, asked, limit).current);
    const ref: LeaseRef = [this.epoch, this.next];
    this.next += 1;
    const lease: Held = {
      ref,
      ask: operation.id,
      w,
      t,
      plan: operation.p,
      fault: dry === true ? null : (operation.e?.id ?? null),
      at: this.now,
      evidenceUntil: operation.eu,
      dry: dry === true,
      glass: asked.glass,
      started: false,
      permitted: false,
      changed: false,
      orphaned: false,
      steps: [],
      open: [],
      nodes: [],
      end: null,
    };
    if (changing && t.k === 'n' && t.n !== undefined) lease.nodes.push({ n: t.n, t, at: this.now });
    this.leases.push(lease);
    if (fault !== null) {
      fault.lease = ref;
      fault.admittedAt = this.now;
    }
    return { a: 'admitted', l: ref, sb: this.now + START_MS, v: this.told.get(w)?.v, n: counts };
  }

  private rehearse(operation: Ask, definition: Definitions, fault: faults.Fault | null): Expected {
    if (fault?.rehearsed === true) return { a: 'shadow', known: true };
    const { w, t } = operation;
    const asked = { w, t, changing: definition.ch, waiter: null, rehearsal: true, glass: false };
    const against = reasonsAgainst(this, asked);
    if (against.length > 0) return { a: 'shadow', r: against };
    if (fault !== null) fault.rehearsed = true;
    const du = Math.max(...(this.inForce.get(w) ?? []).map((one) => one.du ?? 0));
    this.rehearsals.push({ w, t, at: this.now, until: this.now + du, changing: definition.ch });
    return { a: 'shadow' };
  }

  // --- waiting

  private enter(operation: Ask, until: number): Waiter | null {
    const { w } = operation;
    const waiting = this.waiters.filter(({ ask }) => ask.w === w).length;
    if (waiting >= this.least(w, ({ mp }) => mp ?? 0)) return null;
    this.arrivals += 1;
    const made: Waiter = {
      rq: operation.rq ?? operation.id,
      ask: operation,
      since: this.now,
      order: this.arrivals,
      until,
      askAgain: until,
      place: 0,
      approval: false,
      approvedBy: null,
      deniedBy: null,
      glass: false,
      lines: [],
    };
    this.waiters.push(made);
    const fault = operation.dry === true ? undefined : this.faults.find(({ id }) => id === operation.e?.id);
    if (fault !== undefined) fault.waiting = made.rq;
    return made;
  }

  drop(rq: string): void {
    this.waiters = this.waiters.filter((one) => one.rq !== rq);
    for (const fault of this.faults) if (fault.waiting === rq) fault.waiting = null;
  }

  approve({ rq, p, by, glass }: Approve): Expected {
    const waiter = this.waiters.find((one) => one.rq === rq);
    if (waiter === undefined || waiter.until < this.now) return { a: 'no_approval', c: 'not_waiting' };
    if (waiter.ask.p !== p) return { a: 'no_approval', c: 'plan_differs' };
    if (waiter.deniedBy !== null) return { a: 'no_approval', c: 'decided', by: waiter.deniedBy };
    if (glass !== true) {
      if (waiter.approvedBy !== null) return { a: 'no_approval', c: 'decided', by: waiter.approvedBy };
      if (!waiter.approval) return { a: 'no_approval', c: 'not_waiting' };
      if ((waiter.ask.by ?? '') === by) return { a: 'no_approval', c: 'same_person', by };
    }
    waiter.approvedBy = by;
    waiter.glass = glass === true;
    waiter.approval = false;
    return { a: 'ok' };
  }

  deny({ rq, by }: Deny): Expected {
    const waiter = this.waiters.find((one) => one.rq === rq);
    if (waiter === undefined) return { a: 'no_approval', c: 'not_waiting' };
    waiter.deniedBy = by;
    waiter.lines = [];
    return { a: 'ok' };
  }

  // --- stop

  pauseOver(workflow: string, target: TargetRef) {
    return this.pauses.find(({ sc }) => this.covers(sc, workflow, target));
  }

  covers({ k, v }: { k: string; v?: string | undefined }, workflow: string, target: TargetRef): boolean {
    return (
      k === 'all' ||
      (k === 'w' && v === workflow) ||
      (k === 'n' && v === target.n) ||
      (k === 'y' && v === target.y) ||
      (k === 'c' && v === target.c)
    );
  }

  close({ nm, sc, f, u, src }: Window): Expected {
    const byPerson = src === 'p';
    const other = this.windows.find(
      ({ name, scope, byPerson: person }) =>
        name === nm && person === byPerson && (byPerson || JSON.stringify(scope) === JSON.stringify(sc)),
    );
    this.windows = this.windows.filter((one) => one !== other);
    const on = other !== undefined && !byPerson && other.until > this.now ? other : undefined;
    const from = Math.min(f, on?.from ?? f);
    this.windows.push({ name: nm, scope: sc, from, until: Math.max(u, on?.until ?? u), byPerson });
    return { a: 'ok' };
  }

  report(operation: FleetReport): Expected {
    const known = this.reports.find(
      ({ r, v, at }) => r === operation.r && v === operation.v && at + 60_000 >= this.now,
    );
    if (operation.of === undefined) {
      if (known === undefined) return { a: 'unknown_fleet' };
      known.at = this.now;
      return { a: 'ok' };
    }
    const ours = ({ r, v, of }: FleetReport): boolean => r === operation.r && v === operation.v && of === operation.of;
    this.parts = this.parts.filter((part) => part.r !== operation.r || (ours(part) && part.i !== operation.i));
    this.parts.push(operation);
    const all = this.parts.filter(ours);
    if (all.length < operation.of) return { a: 'ok' };
    this.parts = this.parts.filter((part) => !ours(part));
    this.reports = this.reports.filter(({ r }) => r !== operation.r);
    const tot = all.flatMap((part) => part.tot ?? []);
    this.reports.push({ r: operation.r, v: operation.v, at: this.now, tot, dn: all.flatMap((part) => part.dn ?? []) });
    return { a: 'ok' };
  }

  // --- leases

  live(ref: LeaseRef): Held | undefined {
    return this.leases.find((lease) => lease.end === null && lease.ref[0] === ref[0] && lease.ref[1] === ref[1]);
  }

  isLive(ref: LeaseRef | null): boolean {
    return ref !== null && this.live(ref) !== undefined;
  }

  permit(operation: Permit): Expected {
    const { l, s, a, n, p, ch, undo, sup, sf, busy, t } = operation;
    const no = (c: string): Expected => ({ a: 'no_permit', c });
    const lease = this.live(l);
    if (lease === undefined) return no('no_lease');
    if (lease.orphaned) return no('lease_ended');
    const given = lease.open.find((one) => one.s === s && one.a === a);
    const holds = ch !== true || lease.dry || lease.nodes.some((node) => node.n === n);
    if (given !== undefined && given.n === n && lease.plan === p && holds)
      return { a: 'permit', bb: given.bb, bu: given.bu, at: given.at, no: given.no };
    if (lease.plan !== p) return no('plan_differs');
    const foreign = n !== lease.t.n;
    const places: TargetRef[] = foreign
      ? [
          { ...t, n, ...lease.t },
          { ...lease.t, ...t, k: 'n', n },
        ]
      : [lease.t];
    if (undo !== true && places.some((place) => this.pauseOver(lease.w, place) !== undefined)) return no('paused');
    if (ch === true && undo !== true && !lease.glass) {
      if (places.some((place) => closedWindows(this, lease.w, place).length > 0)) return no('window');
    }
    const fixed = lease.steps.find((step) => step.s === s);
    if (fixed !== undefined && fixed.n !== n) return no('other_node');
    if (lease.open.some((one) => one.s === s && one.a !== sup)) return no('attempt_unsettled');
    const fault = this.faults.find(({ id }) => id === lease.fault);
    const over = fault !== undefined && faults.saidOver(fault, this.now);
    if (sf === true && over) return no('no_fault');
    if (ch === true && undo !== true && !lease.changed) {
      if (over) return no('no_fault');
      if (Math.max(lease.evidenceUntil, fault?.evidenceUntil ?? 0) < this.now) return no('stale_evidence');
    }
    if (ch === true && !lease.dry && !lease.nodes.some((node) => node.n === n)) {
      if (this.holdersOf(n).length > 0) return no('node_busy');
      const place: TargetRef = foreign ? { ...t, k: 'n', n } : lease.t;
      if (foreign && undo !== true) {
        const asked = { w: lease.w, t: place, changing: true, waiter: null, rehearsal: false, glass: lease.glass };
        const theirs = (this.told.get(lease.w)?.lim ?? []).filter((limit) => limit.s === 'node' || limit.k === 'u');
        if (theirs.some((limit) => verdict(this, asked, limit).full)) return no('node_limit');
      }
      lease.nodes.push({ n, t: place, at: this.now });
    }
    if (ch === true && !lease.dry) lease.changed = true;
    lease.started = true;
    lease.permitted ||= !lease.dry;
    if (fixed === undefined) lease.steps.push({ s, n });
    lease.open = lease.open.filter((one) => one.s !== s || one.a !== a);
    const bb = this.now + BEGIN_MS;
    lease.open.push({ s, a, n, bb, bu: bb + busy, at: this.now, no: null });
    return { a: 'permit', bb, bu: bb + busy, at: this.now };
  }

  /** Leases that hold this node for changing. */
  holdersOf(node: string): Held[] {
    return this.leases.filter((lease) => lease.end === null && lease.nodes.some(({ n }) => n === node));
  }

  prove(ref: LeaseRef, s: string, a: number): void {
    const lease = this.live(ref);
    if (lease === undefined) return;
    lease.open = lease.open.filter((one) => one.s !== s || one.a > a);
    if (lease.orphaned && lease.open.length === 0) this.end(lease);
  }

  release(ref: LeaseRef, outcome: Outcome): Expected {
    const lease = this.live(ref);
    if (lease === undefined) return { a: 'ok' };
    if (lease.orphaned) return { a: 'ok', held: true };
    this.note(lease, outcome);
    if (lease.open.length === 0) {
      this.end(lease);
      return { a: 'ok' };
    }
    lease.orphaned = true;
    return { a: 'ok', held: true };
  }

  free(ref: LeaseRef): void {
    const lease = this.live(ref);
    if (lease !== undefined) this.end(lease);
  }

  sweep(ref: LeaseRef, found: 'running' | 'closed' | 'not_found'): void {
    const lease = this.live(ref);
    if (lease === undefined) return;
    if (found === 'running') {
      lease.started = true;
      return;
    }
    if (lease.permitted && !lease.orphaned) this.note(lease, 'failed');
    if (lease.open.length > 0) {
      lease.orphaned = true;
      return;
    }
    if (found === 'not_found' && !lease.permitted)
      this.remembered = this.remembered.filter(({ id }) => id !== lease.ask);
    this.end(lease);
  }

  private end(lease: Held): void {
    lease.end = this.now;
    if (lease.permitted || lease.dry) return;
    for (const fault of this.faults) if (String(fault.lease) === String(lease.ref)) fault.lease = null;
  }

  /** Each streak counts an outcome once, against the strictest limit announced for it. */
  private note(lease: Held, outcome: Outcome): void {
    if (lease.dry) return;
    const limits = (this.told.get(lease.w)?.lim ?? []).filter(({ k }) => k === 'i');
    for (const id of new Set(limits.map((limit) => streakId(lease.w, limit, lease.t)))) {
      const ours = limits.filter((limit) => streakId(lease.w, limit, lease.t) === id);
      const v = Math.min(...ours.map((limit) => limit.v));
      const known = this.streaks.find((one) => one.id === id);
      if (outcome === 'healed' && known?.open === false && known.streak < v)
        this.streaks = this.streaks.filter((one) => one !== known);
      if (outcome !== 'failed' && outcome !== 'ineffective') continue;
      const [first] = ours;
      const streak = known ?? { id, workflow: lease.w, g: first?.g, s: first?.s ?? '', streak: 0, open: false };
      if (known === undefined) this.streaks.push(streak);
      streak.streak += 1;
      if (streak.streak >= v) streak.open = true;
    }
  }
}

export const pendingOf = (waiter: Waiter, r: readonly Doubt[]): Expected => ({
  a: 'pending',
  rq: waiter.rq,
  u: waiter.until,
  pl: waiter.place,
  r,
  ...(waiter.approval ? { ap: true } : {}),
});

const same = (a: LimitRef, b: LimitRef): boolean =>
  a.k === b.k && a.v === b.v && a.p === b.p && a.s === b.s && a.pc === b.pc && a.g === b.g;

export const sameSet = (a: readonly LimitRef[], b: readonly LimitRef[]): boolean =>
  a.length === b.length && a.every((limit) => b.some((other) => same(limit, other)));

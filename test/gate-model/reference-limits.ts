/** Limits as docs/protocol.md §3 has them: each counted by looking through everything there is. */
import type { Scope } from '../../workflows/contract.ts';
import type { Ask, LeaseRef, LimitRef, ReasonCode, TargetRef, WindowScope } from '../../workflows/gate/operations.ts';
import type { Reference } from './reference.ts';

/** From admission an execution may take so long to begin: 15 s to start, 5 s of difference between clocks. */
export const MAY_BEGIN_MS = 20_000;

export type Held = {
  readonly ref: LeaseRef;
  readonly ask: string;
  readonly w: string;
  readonly t: TargetRef;
  readonly plan: string;
  readonly fault: string | null;
  readonly at: number;
  readonly evidenceUntil: number;
  readonly dry: boolean;
  readonly glass: boolean;
  started: boolean;
  permitted: boolean;
  changed: boolean;
  orphaned: boolean;
  steps: { s: string; n: string }[];
  open: { s: string; a: number; n: string; bb: number; bu: number; at: number; no: string | null }[];
  nodes: { n: string; t: TargetRef; at: number }[];
  /** Null: it lives. */
  end: number | null;
};
export type Rehearsed = {
  readonly w: string;
  readonly t: TargetRef;
  readonly at: number;
  readonly until: number;
  readonly changing: boolean;
};
export type Waiter = {
  readonly rq: string;
  readonly ask: Ask;
  readonly since: number;
  readonly order: number;
  until: number;
  askAgain: number;
  place: number;
  approval: boolean;
  approvedBy: string | null;
  deniedBy: string | null;
  glass: boolean;
  lines: string[];
};
export type Report = {
  readonly r: string;
  readonly v: number;
  at: number;
  readonly tot: readonly (readonly [string, number, number])[];
  readonly dn: readonly string[];
};
/** A reason, and how one may wait for it. */
export type Doubt = {
  readonly kind: ReasonCode;
  readonly scope: string;
  readonly limit: number;
  readonly current: number;
  readonly free: number | null;
  readonly name: string | undefined;
  readonly line: string | null;
  readonly waits: boolean;
};
export type Asked = {
  readonly w: string;
  readonly t: TargetRef;
  readonly changing: boolean;
  readonly waiter: Waiter | null;
  readonly rehearsal: boolean;
  readonly glass: boolean;
};

/** The name of the room that targets share under a scope. */
export function roomOf(scope: Scope, t: TargetRef): string {
  switch (scope) {
    case 'target':
      return `t:${t.k}:${t.k === 'n' ? t.n : t.k === 'c' ? t.c : [t.y, t.c].filter((part) => part !== undefined).join('/')}`;
    case 'node':
      return `n:${t.n ?? ''}`;
    case 'node_type':
      return `y:${t.y ?? ''}`;
    case 'datacenter':
      return `c:${t.c ?? ''}`;
    case 'global':
      return 'g';
    default: {
      const label = scope.slice('label:'.length);
      return `l:${label}=${t.l?.[label] ?? ''}`;
    }
  }
}

/** What counts for a limit in one room: from when, until when (null: still), and whether as a node that a step took. */
type Count = { readonly at: number; readonly end: number | null };

function countsFor(gate: Reference, asked: Asked, limit: LimitRef): Count[] {
  const room = roomOf(limit.s, asked.t);
  const covered = (w: string): boolean =>
    limit.g === undefined ? w === asked.w : (gate.told.get(w)?.lim ?? []).some(({ g }) => g === limit.g);
  const counts: Count[] = [];
  for (const lease of gate.leases) {
    if (lease.dry || !covered(lease.w) || (lease.end !== null && !lease.permitted)) continue;
    if (roomOf(limit.s, lease.t) === room) counts.push({ at: lease.at, end: lease.end });
    if (limit.s !== 'node') continue;
    for (const { n, t, at } of lease.nodes)
      if (n !== lease.t.n && roomOf('node', t) === room) counts.push({ at, end: lease.end });
  }
  if (asked.rehearsal)
    for (const one of gate.rehearsals)
      if (covered(one.w) && roomOf(limit.s, one.t) === room)
        counts.push({ at: one.at, end: one.until <= gate.now ? one.until : null });
  return counts;
}

export type Verdict = { allowed: number; current: number; full: boolean; free: number | null; unknown?: boolean };

const lineOf = (w: string, limit: LimitRef, t: TargetRef): string =>
  `${limit.k} ${limit.g === undefined ? `of ${w}` : `fleet-wide ${limit.g}`} ${roomOf(limit.s, t)}`;

/** One that did not ask so long after its turn lets others go before it until it does. */
const LATE_MS = 15_000;

/** Who came earlier, waits for the same room, and would take it. */
function before(gate: Reference, { waiter, rehearsal }: Asked, line: string): number {
  const earlier = rehearsal ? [] : gate.waiters.filter((one) => waiter === null || one.order < waiter.order);
  return earlier.filter(
    ({ lines, until, askAgain }) => lines.includes(line) && until >= gate.now && askAgain + LATE_MS >= gate.now,
  ).length;
}

export function verdict(gate: Reference, asked: Asked, limit: LimitRef): Verdict {
  const counts = countsFor(gate, asked, limit);
  const ahead = limit.k === 'i' ? 0 : before(gate, asked, lineOf(asked.w, limit, asked.t));
  const open = counts.filter(({ end }) => end === null);
  const gone = ({ at }: Count): number => at + limit.p + MAY_BEGIN_MS + 1;
  /** When so many fewer count; they go in the order in which they began. */
  const whenFewer = (which: Count[], fewer: number): number | null =>
    which.map(gone).toSorted((a, b) => a - b)[fewer - 1] ?? null;
  switch (limit.k) {
    case 'c': {
      const ended = limit.p === 0 ? [] : counts.filter((one) => one.end !== null && gone(one) > gate.now);
      const current = open.length + ended.length;
      const tooMany = current + ahead + 1 - limit.v;
      return { allowed: limit.v, current, full: tooMany > 0, free: whenFewer(ended, tooMany) };
    }
    case 'm': {
      const begun = counts.filter((one) => gone(one) > gate.now);
      const tooMany = begun.length + ahead + 1 - limit.v;
      return { allowed: limit.v, current: begun.length, full: tooMany > 0, free: whenFewer(begun, tooMany) };
    }
    case 'd': {
      const rests = counts.map(({ end }) => (end ?? 0) + limit.p).filter((until) => until > gate.now);
      const current = open.length > 0 ? open.length : Math.min(1, rests.length);
      const known = open.length === 0 && ahead === 0 && rests.length > 0;
      return { allowed: 1, current, full: current + ahead > 0, free: known ? Math.max(...rests) : null };
    }
    case 'u':
      return unavailable(gate, asked, limit, ahead);
    default: {
      const streak = gate.streaks.find(({ id }) => id === streakId(asked.w, limit, asked.t));
      const current = streak?.streak ?? 0;
      return { allowed: limit.v, current, full: streak?.open === true || current >= limit.v, free: null };
    }
  }
}

export const streakId = (w: string, limit: LimitRef, t: TargetRef): string =>
  `breaker:${limit.g === undefined ? w : `limit/${limit.g}`}:${roomOf(limit.s, t)}`;

/** Each reporter's view must allow it; of several that do not, or do, the one that says worst is told. */
function unavailable(gate: Reference, asked: Asked, limit: LimitRef, ahead: number): Verdict {
  const room = roomOf(limit.s, asked.t);
  const held = heldNodes(gate, asked.rehearsal);
  const here = held.filter(({ t }) => belongs(limit.s, t) && roomOf(limit.s, t) === room).map(({ n }) => n);
  const findings = gate.reports
    .filter(({ at }) => at + 60_000 >= gate.now)
    .flatMap(({ tot, dn }) => {
      const said = tot.find(([key]) => key === room);
      if (said === undefined) return [];
      const [, total, down] = said;
      const current = down + new Set(here.filter((n) => !dn.includes(n))).size;
      const allowed = limit.pc === true ? Math.floor((total * limit.v) / 100) : limit.v;
      const { k, n = '' } = asked.t;
      const counted = k === 'n' && (dn.includes(n) || held.some((one) => one.n === n));
      return [{ allowed, current, over: current + (counted ? 0 : 1) - allowed }];
    });
  const [worst] = findings.toSorted((a, b) => b.over - a.over || b.current - a.current || a.allowed - b.allowed);
  if (worst === undefined) return { allowed: limit.v, current: 0, full: true, free: null, unknown: true };
  return { allowed: worst.allowed, current: worst.current, full: worst.over + ahead > 0, free: null };
}

/** A node without the label is under no value of it. */
const belongs = (scope: Scope, t: TargetRef): boolean =>
  !scope.startsWith('label:') || t.l?.[scope.slice('label:'.length)] !== undefined;

function heldNodes(gate: Reference, rehearsal: boolean): { n: string; t: TargetRef }[] {
  const real = gate.leases.filter(({ end }) => end === null).flatMap(({ nodes }) => nodes);
  const virtual = gate.rehearsals
    .filter(({ changing, until, t }) => changing && until > gate.now && t.k === 'n')
    .map(({ t }) => ({ n: t.n ?? '', t }));
  return rehearsal ? [...real, ...virtual] : real;
}

export function reasonsAgainst(gate: Reference, asked: Asked): Doubt[] {
  const { w, t } = asked;
  const doubts: Doubt[] = [];
  for (const limit of gate.told.get(w)?.lim ?? []) {
    const { allowed, current, full, free, unknown } = verdict(gate, asked, limit);
    if (!full) continue;
    const waits = limit.k !== 'i';
    doubts.push({
      kind: unknown === true ? 'fleet' : limit.k,
      scope: limit.s.startsWith('label:') ? `l:${limit.s.slice(6)}` : (CODE[limit.s] ?? limit.s),
      limit: allowed,
      current,
      free,
      name: limit.g,
      line: waits ? lineOf(w, limit, t) : null,
      waits,
    });
  }
  if (!asked.changing) return doubts;
  const line = `node ${t.n ?? ''}`;
  const taken =
    t.k === 'n' && (heldNodes(gate, asked.rehearsal).some(({ n }) => n === t.n) || before(gate, asked, line) > 0);
  if (taken)
    doubts.push({ kind: 'node', scope: 'n', limit: 1, current: 1, free: null, name: undefined, line, waits: true });
  for (const { name, until } of asked.glass ? [] : closedWindows(gate, w, t))
    doubts.push({
      kind: 'win',
      scope: 'g',
      limit: 0,
      current: 1,
      free: until,
      name: nameOf(name),
      line: null,
      waits: true,
    });
  return doubts;
}

const CODE: Readonly<Record<string, string>> = { target: 't', node: 'n', node_type: 'y', datacenter: 'c', global: 'g' };
const nameOf = (name: string): string => name.slice(0, 40);

export const closedWindows = (gate: Reference, w: string, t: TargetRef) =>
  gate.windows.filter(({ scope, from, until }) => from <= gate.now && gate.now < until && covers(scope, w, t, true));

/** Fits each list that is there; `absent`: what a target without the attribute counts as. */
export function covers(scope: WindowScope, w: string, t: TargetRef, absent: boolean): boolean {
  const lists = [
    [scope.w, w],
    [scope.y, t.y],
    [scope.c, t.c],
    [scope.n, t.n],
  ] as const;
  return lists.every(([list, value]) => list === undefined || (value === undefined ? absent : list.includes(value)));
}

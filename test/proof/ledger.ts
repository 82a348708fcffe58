/**
 * The journal told as lives of leases: admitted, permitted, ended, and why. Whether a hold had ended is what most checks turn on, so it is
 * worked out once, from proof on record alone: a release or sweep with nothing unsettled, results for what was, or a person's `free`.
 */
import {
  leaseName,
  type AskedOp,
  type Exchange,
  type Given,
  type LimitFact,
  type ProofRecord,
  type ScopeFact,
  type Sweep,
  type TargetFact,
} from './record.ts';

/** A moment: its place in the gate's order, and the gate's time. */
export type Moment = { readonly seq: number; readonly at: number };

export type PermitFact = Moment & {
  readonly step: string;
  readonly attempt: number;
  readonly node: string;
  readonly nonce: string;
  readonly beginBy: number;
  readonly changing: boolean;
  readonly undo: boolean;
};

export type LeaseLife = {
  readonly name: string;
  readonly ask: AskedOp;
  readonly workflow: string;
  readonly target: TargetFact;
  readonly dry: boolean;
  /** Its definition changes hosts. */
  readonly changing: boolean;
  readonly admitted: Moment;
  readonly permits: PermitFact[];
  readonly unsettled: Set<string>;
  /** Nodes that it holds for a change, and since when. */
  readonly holds: (Moment & { readonly node: string })[];
  outcome: (Moment & { readonly outcome: string }) | null;
  orphaned: boolean;
  ended: (Moment & { readonly how: 'release' | 'closed' | 'not_found' | 'result' | 'free' }) | null;
};

export type Announcement = Moment & {
  readonly workflow: string;
  readonly digest: string;
  readonly limits: readonly LimitFact[];
  readonly changing: boolean;
  readonly mode: string;
  readonly overrides: readonly (readonly [mode: string, scope: ScopeFact])[];
};

export type Ledger = {
  readonly leases: readonly LeaseLife[];
  readonly byName: ReadonlyMap<string, LeaseLife>;
  readonly announcements: ReadonlyMap<string, readonly Announcement[]>;
};

/** Answers that say nothing was applied. */
const UNAPPLIED: ReadonlySet<string> = new Set(['quarantined', 'too_old', 'malformed', 'unknown_definition']);
export const applied = (given: Given | null): given is Given => given !== null && !UNAPPLIED.has(given.a);

export function ledgerOf(record: ProofRecord): Ledger {
  const leases = new Map<string, LeaseLife>();
  const announcements = new Map<string, Announcement[]>();
  record.journal.forEach((entry, seq) => {
    const moment = { seq, at: entry.at };
    if (entry.kind === 'sweep') return swept(leases.get(leaseName(entry.lease)), entry, moment);
    if (!applied(entry.given)) return;
    const { op } = entry;
    if (op.op === 'definitions') announced(announcements, op, moment);
    else if (op.op === 'ask') admitted(leases, announcements, entry, entry.given, moment);
    else if (op.l !== undefined) told(leases.get(leaseName(op.l)), op, entry.given, moment);
  });
  return { leases: [...leases.values()], byName: leases, announcements };
}

function announced(known: Map<string, Announcement[]>, op: AskedOp, moment: Moment): void {
  const workflow = op.w ?? '';
  const list = known.get(workflow) ?? [];
  known.set(workflow, list);
  const { d: digest = '', lim: limits = [], md: mode = 'auto', ov: overrides = [] } = op;
  list.push({ ...moment, workflow, digest, limits, changing: op.ch === true, mode, overrides });
}

function admitted(
  leases: Map<string, LeaseLife>,
  announcements: ReadonlyMap<string, readonly Announcement[]>,
  { op }: Exchange,
  given: Given,
  moment: Moment,
): void {
  if (given.a !== 'admitted' || given.l === undefined || given.known === true || op.t === undefined) return;
  const name = leaseName(given.l);
  if (leases.has(name)) return;
  const workflow = op.w ?? '';
  const dry = op.dry === true;
  const definition = announcements.get(workflow)?.findLast(({ digest }) => digest === op.d);
  const changing = !dry && definition?.changing === true;
  const holds = changing && op.t.k === 'n' && op.t.n !== undefined ? [{ ...moment, node: op.t.n }] : [];
  leases.set(name, {
    name,
    ask: op,
    workflow,
    target: op.t,
    dry,
    changing,
    admitted: moment,
    permits: [],
    unsettled: new Set(),
    holds,
    outcome: null,
    orphaned: false,
    ended: null,
  });
}

function told(lease: LeaseLife | undefined, op: AskedOp, given: Given, moment: Moment): void {
  if (lease === undefined || lease.ended !== null) return;
  if (op.op === 'permit' && given.a === 'permit') return permitted(lease, op, given, moment);
  if (op.op === 'free') lease.ended = { ...moment, how: 'free' };
  if (op.op === 'result') return settled(lease, op, moment);
  if (op.op !== 'release') return;
  lease.outcome ??= { ...moment, outcome: op.o ?? '' };
  if (given.held === true) lease.orphaned = true;
  else lease.ended = { ...moment, how: 'release' };
}

const keyOf = (op: { readonly s?: string; readonly a?: number }): string => `${op.s ?? ''}/${op.a ?? 0}`;

function permitted(lease: LeaseLife, op: AskedOp, given: Given, moment: Moment): void {
  const node = op.n ?? '';
  lease.unsettled.add(keyOf(op));
  // An open permit is given again as it was.
  if (lease.permits.some((one) => one.nonce === given.no)) return;
  const changing = op.ch === true && !lease.dry;
  lease.permits.push({
    ...moment,
    step: op.s ?? '',
    attempt: op.a ?? 0,
    node,
    nonce: given.no ?? '',
    beginBy: given.bb ?? 0,
    changing,
    undo: op.undo === true,
  });
  if (changing && !lease.holds.some((held) => held.node === node)) lease.holds.push({ ...moment, node });
}

/** Proof about an attempt covers the earlier ones of its step. */
function settled(lease: LeaseLife, op: AskedOp, moment: Moment): void {
  for (const key of lease.unsettled) {
    const slash = key.lastIndexOf('/');
    if (key.slice(0, slash) === op.s && Number(key.slice(slash + 1)) <= (op.a ?? 0)) lease.unsettled.delete(key);
  }
  if (lease.orphaned && lease.unsettled.size === 0) lease.ended = { ...moment, how: 'result' };
}

function swept(lease: LeaseLife | undefined, { execution }: Sweep, moment: Moment): void {
  if (lease === undefined || lease.ended !== null || (execution !== 'closed' && execution !== 'not_found')) return;
  if (lease.unsettled.size > 0) lease.orphaned = true;
  else lease.ended = { ...moment, how: execution };
}

/** A definition that was announced this long ago holds no more, once another holds. */
const DEFINITION_MS = 5 * 60_000;

/** What was announced for a workflow within the five minutes before; when that is nothing, the latest. */
export function announcedAt(ledger: Ledger, workflow: string, { seq, at }: Moment): readonly Announcement[] {
  const before = (ledger.announcements.get(workflow) ?? []).filter((one) => one.seq < seq);
  const fresh = before.filter((one) => one.at + DEFINITION_MS >= at);
  return fresh.length > 0 ? fresh : before.slice(-1);
}

/** All limits that hold for a workflow just then, equal ones once. */
export function limitsAt(ledger: Ledger, workflow: string, moment: Moment): readonly LimitFact[] {
  const holding = announcedAt(ledger, workflow, moment);
  const unique = new Map(holding.flatMap(({ limits }) => limits.map((limit) => [JSON.stringify(limit), limit])));
  return [...unique.values()];
}

/** Which leases a limit counts: those of the workflow, or of all workflows that a fleet-wide limit covers at that moment. */
export function counted(
  ledger: Ledger,
  limit: LimitFact,
  workflow: string,
  moment: Moment,
): (other: LeaseLife) => boolean {
  if (limit.g === undefined) return (other) => !other.dry && other.workflow === workflow;
  const covers = new Map<string, boolean>();
  return (other) => {
    const known = covers.get(other.workflow);
    const covered =
      known ?? limitsAt(ledger, other.workflow, moment).some((one) => one.g === limit.g && one.k === limit.k);
    covers.set(other.workflow, covered);
    return !other.dry && covered;
  };
}

/** The one name that a scope gives a target; targets that lack the attribute share one. */
export function scopeOf(scope: string, target: TargetFact): string {
  if (scope === 'global') return 'everything';
  if (scope === 'node') return `node ${target.n ?? ''}`;
  if (scope === 'node_type') return `type ${target.y ?? ''}`;
  if (scope === 'datacenter') return `datacenter ${target.c ?? ''}`;
  if (scope.startsWith('label:')) return `${scope} ${target.l?.[scope.slice('label:'.length)] ?? ''}`;
  // `target`: a node is itself whatever its type; a node type may be meant in one datacenter or in all.
  if (target.k === 'n') return `target node ${target.n ?? ''}`;
  if (target.k === 'y') return `target type ${target.y ?? ''} ${target.c ?? ''}`;
  return `target datacenter ${target.c ?? ''}`;
}

const LIMIT_NAMES = {
  c: 'concurrency',
  m: 'maxExecution',
  d: 'cooldown',
  u: 'maxUnavailable',
  i: 'maxIneffective',
} as const;

/** For reports. */
export const limitText = ({ k, v, p, s, pc, g }: LimitFact): string =>
  `${LIMIT_NAMES[k]} ${v}${pc === true ? '%' : ''}${p > 0 ? ` in ${p / 1_000} s` : ''} per ${s}${g === undefined ? '' : ` (limit "${g}")`}`;

export const wasPermitted = (lease: LeaseLife): boolean => lease.permits.length > 0 && !lease.dry;

/** Which limits and modes hold: all announced in the last five minutes together, so the strictest wins while coordinators differ (§3.2). */
import type { Mode } from '../contract.ts';
import { applyToBreakers } from './breakers.ts';
import { keepOf, LimitCounts, scopesOf, SLACK_MS, type Counted } from './counts.ts';
import { DEFINITION_MS, type Answer, type Definitions, type LimitRef, type TargetRef } from './operations.ts';
import type { GateState, KnownDefinition, Lease, Ruling } from './state.ts';
import { fits } from './windows.ts';

export function definitions(state: GateState, operation: Definitions): Answer {
  const known = state.definitions.get(operation.w) ?? new Map<string, KnownDefinition>();
  state.definitions.set(operation.w, known);
  const definition = known.get(operation.d) ?? definitionOf(operation);
  definition.announcedAt = state.now;
  definition.by.set(operation.by, state.now);
  known.set(operation.d, definition);
  for (const [digest, other] of known) {
    if (other.announcedAt + DEFINITION_MS < state.now) known.delete(digest);
    for (const [name, at] of other.by) if (at + DEFINITION_MS < state.now) other.by.delete(name);
  }
  const before = state.rulings.get(operation.w);
  const after = rule(state, operation.w);
  return { a: 'limits', v: after.version, ...(after.version === before?.version ? {} : { lim: after.limits }) };
}

const definitionOf = (operation: Definitions): KnownDefinition => ({
  limits: operation.lim,
  changing: operation.ch,
  mode: operation.md ?? 'auto',
  overrides: operation.ov ?? [],
  maxPending: operation.mp ?? 0,
  approvalMs: operation.ap ?? 0,
  durationMs: operation.du ?? 0,
  announcedAt: 0,
  by: new Map(),
});

/** Puts together what holds for a workflow, and counts anew where its limits changed. */
export function rule(state: GateState, workflow: string, version?: number): Ruling {
  const known = [...(state.definitions.get(workflow)?.values() ?? [])];
  const limits = union(known);
  const before = state.rulings.get(workflow);
  const same = before !== undefined && JSON.stringify(before.limits) === JSON.stringify(limits);
  const least = (of: (definition: KnownDefinition) => number): number => Math.min(...known.map(of));
  const ruling: Ruling = {
    version: version ?? (same ? before.version : (before?.version ?? 0) + 1),
    limits,
    groups: groupsOf(limits),
    maxPending: least((one) => one.maxPending),
    approvalMs: least((one) => one.approvalMs),
    durationMs: Math.max(...known.map((one) => one.durationMs)),
  };
  state.rulings.set(workflow, ruling);
  if (!same) {
    recount(state, workflow, before);
    applyToBreakers(state, workflow, limits);
  }
  return ruling;
}

/** Equal limits once. */
function union(known: readonly KnownDefinition[]): LimitRef[] {
  const unique = new Map<string, LimitRef>();
  for (const { limits } of known) for (const limit of limits) unique.set(limitText(limit), limit);
  return [...unique.values()];
}

const limitText = ({ k, v, p, s, pc, g }: LimitRef): string =>
  `${k} ${v}${pc === true ? '%' : ''} ${p} ${s} ${g ?? ''}`;

const groupsOf = (limits: readonly LimitRef[]): string[] => [
  ...new Set(limits.flatMap(({ g }) => (g === undefined ? [] : [g]))),
];

/** A new or re-scoped limit is filled from live leases and kept starts before it admits anything. */
function recount(state: GateState, workflow: string, before: Ruling | undefined): void {
  const own = (ruling: Ruling | undefined): LimitRef[] => ruling?.limits.filter(({ g }) => g === undefined) ?? [];
  const after = state.rulings.get(workflow);
  const counted = (limits: readonly LimitRef[]): string => `${scopesOf(limits).join()} ${keepOf(limits)}`;
  if (before === undefined || counted(own(before)) !== counted(own(after))) {
    state.real.own.set(workflow, filled(state, own(after), [workflow]));
    state.virtual.own.set(workflow, rehearsed(state, own(after), [workflow]));
  }
  for (const group of new Set([...(before?.groups ?? []), ...(after?.groups ?? [])])) recountGroup(state, group);
}

function recountGroup(state: GateState, group: string): void {
  const members = [...state.rulings].filter(([, ruling]) => ruling.groups.includes(group));
  const limits = members.flatMap(([, ruling]) => ruling.limits.filter(({ g }) => g === group));
  const names = members.map(([workflow]) => workflow);
  state.real.groups.delete(group);
  state.virtual.groups.delete(group);
  if (names.length === 0) return;
  state.real.groups.set(group, filled(state, limits, names));
  state.virtual.groups.set(group, rehearsed(state, limits, names));
}

function filled(state: GateState, limits: readonly LimitRef[], workflows: readonly string[]): LimitCounts {
  const counts = new LimitCounts(limits);
  for (const lease of state.leases.values()) {
    if (lease.dry || !workflows.includes(lease.workflow)) continue;
    for (const counted of countedOf(lease)) counts.open(counted);
  }
  for (const workflow of workflows) for (const start of state.starts.get(workflow) ?? []) counts.restore(start);
  return counts;
}

function rehearsed(state: GateState, limits: readonly LimitRef[], workflows: readonly string[]): LimitCounts {
  const counts = new LimitCounts(limits);
  for (const lease of state.rehearsals.values()) {
    if (!workflows.includes(lease.workflow)) continue;
    if (lease.ended) counts.restore({ target: lease.target, at: lease.at, end: lease.until });
    else counts.open(lease);
  }
  return counts;
}

/** What a lease counts as: its target, and each further node that its steps took. */
export function* countedOf(lease: Lease): Generator<Counted> {
  yield { target: lease.target, at: lease.admittedAt };
  for (const [node, held] of lease.nodes) {
    if (node !== lease.target.n) yield { target: held.target, at: held.at, node: true };
  }
}

/** Keeps starts as long as some limit of the workflow can count them. */
export function trimStarts(state: GateState): void {
  for (const [workflow, starts] of state.starts) {
    const oldest = state.now - keepOf(state.rulings.get(workflow)?.limits ?? []) - SLACK_MS - 1;
    if (starts.some((start) => start.end <= oldest))
      state.starts.set(
        workflow,
        starts.filter((start) => start.end > oldest),
      );
  }
}

const STRICTNESS: Readonly<Record<Mode, number>> = { auto: 0, ask: 1, shadow: 2 };
const stricter = (a: Mode, b: Mode): Mode => (STRICTNESS[a] >= STRICTNESS[b] ? a : b);

/** The strictest mode that any definition announced lately gives this target. */
export function modeFor(state: GateState, workflow: string, target: TargetRef): Mode {
  let strictest: Mode = 'auto';
  for (const { mode, overrides } of state.definitions.get(workflow)?.values() ?? []) {
    const fitting = overrides.filter(([, scope]) => fits(scope, workflow, target, false)).map(([other]) => other);
    strictest = stricter(strictest, fitting.length === 0 ? mode : fitting.reduce(stricter));
  }
  return strictest;
}

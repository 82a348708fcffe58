/** Leases after admission: permits, proof, release (docs/protocol.md §4.4, §5.2, §6). A hold ends on proof, never on a timer. */
import { holdNode } from './ask.ts';
import { clip } from './clip.ts';
import type { Start } from './counts.ts';
import { headsAfter, verdictOf } from './judge.ts';
import { noteOutcome } from './breakers.ts';
import { countedOf } from './definitions.ts';
import { forgetAdmission, saidResolved } from './episodes.ts';
import {
  BEGIN_MS,
  type Answer,
  type Free,
  type LeaseRef,
  type Permit,
  type Release,
  type Result,
  type Started,
  type TargetRef,
} from './operations.ts';
import { pauseOver } from './pauses.ts';
import { windowsOver } from './windows.ts';
import { leaseKey, type GateState, type Lease, type PauseHeld, type PermitHeld } from './state.ts';

const permitKey = (step: string, attempt: number): string => `${step}/${attempt}`;

export function started(state: GateState, operation: Started): Answer {
  const lease = state.leases.get(leaseKey(operation.l));
  if (lease !== undefined) lease.started = true;
  return { a: 'ok' };
}

/** The last word before an action. `nonce` is drawn by the caller so that this stays a pure function. */
export function permit(state: GateState, operation: Permit, nonce: string): Answer {
  const lease = state.leases.get(leaseKey(operation.l));
  if (lease === undefined) return { a: 'no_permit', c: 'no_lease' };
  if (lease.orphaned) return { a: 'no_permit', c: 'lease_ended' };
  // A permit still open is given again as it was, however long ago: a long action may outlive its coordinator.
  const open = lease.unsettled.get(permitKey(operation.s, operation.a));
  if (open !== undefined && isFor(lease, open, operation)) return permitOf(open);
  const refusal = refusePermit(state, lease, operation);
  if (refusal !== null) return refusal;
  const busy = refuseNode(state, lease, operation);
  if (busy !== null) return busy;
  const beginBy = state.now + BEGIN_MS;
  const busyUntil = beginBy + operation.busy;
  const { s: step, a: attempt, n: node } = operation;
  return permitOf(
    holdPermit(state, lease, operation, { step, attempt, node, beginBy, busyUntil, nonce, givenAt: state.now }),
  );
}

/** Nobody turns a look into a change by asking for the same attempt once more. */
const isFor = (lease: Lease, open: PermitHeld, { n, p, ch }: Permit): boolean =>
  open.node === n && lease.plan === p && (ch !== true || lease.dry || lease.nodes.has(n));

/** Writes a permit down, with what it takes. */
export function holdPermit(state: GateState, lease: Lease, operation: Permit, held: PermitHeld): PermitHeld {
  if (operation.ch === true && !lease.dry) {
    takeNode(state, lease, operation);
    lease.changed = true;
  }
  lease.started = true;
  lease.permitted = lease.permitted || !lease.dry;
  lease.stepNodes.set(held.step, held.node);
  lease.unsettled.set(permitKey(held.step, held.attempt), held);
  return held;
}

const placeOf = (lease: Lease, { n: node, t }: Permit): TargetRef =>
  node === lease.target.n ? lease.target : { ...t, k: 'n', n: node };

/** The node of the first changing step is held until the lease ends; one that was not admitted meets its own limits now. */
function refuseNode(state: GateState, lease: Lease, operation: Permit): Answer | null {
  const { n: node } = operation;
  if (operation.ch !== true || lease.dry || lease.nodes.has(node)) return null;
  const holder = state.real.nodes.get(node);
  if (holder !== undefined && holder !== leaseKey(lease.ref)) return { a: 'no_permit', c: 'node_busy', why: holder };
  if (node === lease.target.n || operation.undo === true) return null;
  const limit = nodeLimitAgainst(state, lease, placeOf(lease, operation));
  return limit === null ? null : { a: 'no_permit', c: 'node_limit', why: limit };
}

function takeNode(state: GateState, lease: Lease, operation: Permit): void {
  const { n: node } = operation;
  if (lease.nodes.has(node)) return;
  const target = placeOf(lease, operation);
  if (!holdNode(state, lease, node, target) || node === lease.target.n) return;
  const groups = state.rulings.get(lease.workflow)?.groups ?? [];
  state.real.open(lease.workflow, groups, { target, at: state.now, node: true });
}

/** Limits per node, and health floors, of a node that a shared queue chose. */
function nodeLimitAgainst(state: GateState, lease: Lease, target: TargetRef): string | null {
  const question = {
    workflow: lease.workflow,
    target,
    changing: true,
    waiting: null,
    rehearsal: false,
    glass: lease.glass,
  };
  for (const limit of state.rulings.get(lease.workflow)?.limits ?? []) {
    if (limit.s !== 'node' && limit.k !== 'u') continue;
    if (verdictOf(state, question, limit).full) return `${limit.k} ${limit.s}`;
  }
  return null;
}

const permitOf = (held: PermitHeld): Answer => ({
  a: 'permit',
  bb: held.beginBy,
  bu: held.busyUntil,
  no: held.nonce,
  at: held.givenAt,
});

function refusePermit(state: GateState, lease: Lease, operation: Permit): Answer | null {
  if (lease.plan !== operation.p) return { a: 'no_permit', c: 'plan_differs' };
  const pause = operation.undo === true ? null : pauseAgainst(state, lease, operation);
  if (pause !== null) return { a: 'no_permit', c: 'paused', why: clip(pause.why, 80) };
  if (windowAgainst(state, lease, operation)) return { a: 'no_permit', c: 'window' };
  const fixed = lease.stepNodes.get(operation.s);
  if (fixed !== undefined && fixed !== operation.n) return { a: 'no_permit', c: 'other_node', why: fixed };
  for (const held of lease.unsettled.values()) {
    if (held.step === operation.s && held.attempt !== operation.sup) {
      return { a: 'no_permit', c: 'attempt_unsettled', why: `attempt ${held.attempt}` };
    }
  }
  return refuseForEvidence(state, lease, operation);
}

/** Where a permit would act: at the lease's target, and on the node that a shared queue chose. */
const placesOf = ({ target }: Lease, { n, t }: Permit): TargetRef[] =>
  n === target.n
    ? [target]
    : [
        { ...t, n, ...target },
        { ...target, ...t, k: 'n', n },
      ];

function pauseAgainst(state: GateState, lease: Lease, operation: Permit): PauseHeld | null {
  for (const place of placesOf(lease, operation)) {
    const pause = pauseOver(state, lease.workflow, place);
    if (pause !== null) return pause;
  }
  return null;
}

/** A closed maintenance window stops changes like a pause does; whoever broke the glass passes. */
const windowAgainst = (state: GateState, lease: Lease, operation: Permit): boolean =>
  operation.ch === true &&
  operation.undo !== true &&
  !lease.glass &&
  placesOf(lease, operation).some((place) => windowsOver(state, lease.workflow, place).length > 0);

/** Fresh evidence is needed to begin, not to finish. */
function refuseForEvidence(state: GateState, lease: Lease, operation: Permit): Answer | null {
  const episode = lease.episode === null ? undefined : state.episodes.get(lease.episode);
  const gone = episode !== undefined && saidResolved(episode, state.now);
  if (operation.sf === true && gone) return { a: 'no_permit', c: 'no_fault' };
  const beginning = operation.ch === true && operation.undo !== true && !lease.changed;
  if (!beginning) return null;
  if (gone) return { a: 'no_permit', c: 'no_fault' };
  const until = Math.max(lease.evidenceUntil, episode?.evidenceUntil ?? 0);
  return until < state.now ? { a: 'no_permit', c: 'stale_evidence' } : null;
}

export function result(state: GateState, operation: Result): Answer {
  const lease = state.leases.get(leaseKey(operation.l));
  if (lease === undefined) return { a: 'ok' };
  // Proof about an attempt covers the earlier ones: the agent settles them before it begins or answers.
  for (const [key, held] of lease.unsettled) {
    if (held.step === operation.s && held.attempt <= operation.a) lease.unsettled.delete(key);
  }
  if (operation.r === 'never_begun') unfix(lease, operation.s);
  if (lease.orphaned && lease.unsettled.size === 0) end(state, lease);
  return { a: 'ok' };
}

/** A step of a shared queue that its node has fenced before it began may go to another node. */
function unfix(lease: Lease, step: string): void {
  const open = [...lease.unsettled.values()].some((held) => held.step === step);
  if (!open && lease.stepNodes.get(step) !== lease.target.n) lease.stepNodes.delete(step);
}

export function release(state: GateState, operation: Release): Answer {
  const lease = state.leases.get(leaseKey(operation.l));
  if (lease === undefined || lease.orphaned) return { a: 'ok', ...(lease === undefined ? {} : { held: true }) };
  noteOutcome(state, lease, operation.o);
  if (lease.unsettled.size > 0) {
    lease.orphaned = true;
    return { a: 'ok', held: true };
  }
  end(state, lease);
  const heads = headsAfter(state, lease);
  return { a: 'ok', ...(heads.length === 0 ? {} : { hd: heads }) };
}

export function free(state: GateState, operation: Free): Answer {
  const lease = state.leases.get(leaseKey(operation.l));
  if (lease !== undefined) end(state, lease);
  return { a: 'ok' };
}

/** What the sweep found about an execution whose lease is still held. */
export type SweepFinding = { readonly lease: LeaseRef; readonly execution: 'running' | 'closed' | 'not_found' };

/** Applies what `describe` said (docs/protocol.md §4.4). */
export function swept(state: GateState, finding: SweepFinding): void {
  const lease = state.leases.get(leaseKey(finding.lease));
  if (lease === undefined) return;
  lease.looked = state.now;
  state.opening?.delete(leaseKey(finding.lease));
  if (finding.execution === 'running') {
    lease.started = true;
    return;
  }
  // It ended, or was lost, without a word of how: it did not help.
  if (lease.permitted && !lease.orphaned) noteOutcome(state, lease, 'failed');
  if (lease.unsettled.size > 0) {
    lease.orphaned = true;
    return;
  }
  // Never started, never acted: the request is forgotten with its lease, so asking again decides anew.
  if (finding.execution === 'not_found' && !lease.permitted) state.remembered.delete(lease.ask);
  end(state, lease);
}

/** Nothing of it can act any more: its limits are free. A lease that never got a permit leaves no trace. */
function end(state: GateState, lease: Lease): void {
  const key = leaseKey(lease.ref);
  state.leases.delete(key);
  state.opening?.delete(key);
  for (const node of lease.nodes.keys()) state.real.letGo(node, key, state.fleet);
  if (lease.dry) return;
  const groups = state.rulings.get(lease.workflow)?.groups ?? [];
  const ended = lease.permitted ? state.now : null;
  for (const counted of countedOf(lease)) {
    state.real.close(lease.workflow, groups, counted, ended);
    if (ended !== null) keepStart(state, lease.workflow, { ...counted, end: ended });
  }
  if (!lease.permitted) forgetAdmission(state, lease);
}

function keepStart(state: GateState, workflow: string, start: Start): void {
  const known = state.starts.get(workflow);
  if (known === undefined) state.starts.set(workflow, [start]);
  else known.push(start);
}

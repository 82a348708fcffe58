/** The gate's state as people and the sweep see it: from queries, so it costs no history. */
import { isOpen } from './breakers.ts';
import { firstAfter, scopeCode, scopeKey, SLACK_MS } from './counts.ts';
import { countedOf } from './definitions.ts';
import { verdictOf } from './judge.ts';
import {
  LEASE_PAGE,
  type GateSummary,
  type LeaseRef,
  type LeaseSummary,
  type LimitRef,
  type LimitSummary,
  type TargetRef,
  type WaitingSummary,
} from './operations.ts';
import type { GateState, Lease, Waiting } from './state.ts';
import { executionUnder, refName } from './target-ref.ts';

export function summarizeGate(state: GateState, historyLength: number): GateSummary {
  return {
    now: state.now,
    epoch: state.epoch,
    next: state.next,
    leases: state.leases.size,
    orphaned: [...state.leases.values()].filter((lease) => lease.orphaned).length,
    episodes: state.episodes.size,
    remembered: state.remembered.size,
    quarantine: state.quarantine,
    opening: state.opening?.size ?? null,
    pauses: [...state.pauses.values()].map(({ id, scope, why, by, since, until }) => ({
      id,
      scope,
      why,
      by,
      since,
      until,
    })),
    windows: [...state.windows.values()],
    breakers: [...state.breakers.values()].filter(isOpen).map(({ id, workflow, limit, key, streak, since, last }) => ({
      id,
      workflow,
      scope: scopeCode(limit.s),
      of: ofKey(key),
      limit: limit.v,
      streak,
      since,
      last,
    })),
    definitions: [...state.definitions].map(([workflow, digests]) => ({
      workflow,
      digests: [...digests.keys()],
      announced: [...digests].map(([digest, { by, announcedAt }]) => ({ digest, by: [...by.keys()], at: announcedAt })),
      limits: state.rulings.get(workflow)?.limits ?? [],
      version: state.rulings.get(workflow)?.version ?? 0,
    })),
    waiting: state.waiting.size,
    virtual: [...state.rehearsals.values()].filter(({ ended }) => !ended).length,
    fleetAge: state.fleet.age(state.now),
    folds: state.folds,
    historyLength,
  };
}

/** `n:web-1` → `web-1`, `l:rack=a` → `a`, `t:n:web-1` → `web-1`. */
const ofKey = (key: string): string =>
  key.startsWith('l:') ? key.slice(key.indexOf('=') + 1) : key.replace(/^t:[nyc]:|^[a-z]:?/, '');

export function summarizeWaiting(waiting: Waiting): WaitingSummary {
  const { rq, request, workflow, plan, by, since, until, askAgain, place, approval, approvedBy, reasons } = waiting;
  const target = refName(waiting.target);
  return { rq, request, workflow, target, plan, by, since, until, askAgain, place, approval, approvedBy, reasons };
}

/** Every limit as it stands for a target, with what holds it. Looks at all leases: for people, never for a decision. */
export function explain(state: GateState, workflow: string, target: TargetRef): LimitSummary[] {
  const question = { workflow, target, changing: true, waiting: null, rehearsal: false, glass: false };
  return (state.rulings.get(workflow)?.limits ?? []).map((limit) => {
    const { allowed, current, free } = verdictOf(state, question, limit);
    const key = scopeKey(limit.s, target);
    const counter = state.real.counts(workflow, limit)?.counter(key);
    const past = (limit.k === 'm' ? counter?.starts : counter?.ended) ?? [];
    return {
      limit,
      scope: scopeCode(limit.s),
      of: ofKey(key),
      allowed,
      current,
      free,
      holders: holdersOf(state, workflow, limit, key),
      starts: limit.p === 0 ? [] : past.slice(firstAfter(past, state.now - limit.p - SLACK_MS - 1)).slice(-100),
    };
  });
}

function holdersOf(state: GateState, workflow: string, limit: LimitRef, key: string): string[] {
  const holders: string[] = [];
  for (const lease of state.leases.values()) {
    if (lease.dry || holders.length >= 100) continue;
    const counts = limit.k === 'u' ? [...lease.nodes.values()].map((held) => held.target) : targetsOf(lease);
    const covered =
      limit.k === 'u' ||
      (limit.g === undefined
        ? lease.workflow === workflow
        : state.rulings.get(lease.workflow)?.groups.includes(limit.g) === true);
    if (covered && counts.some((target) => scopeKey(limit.s, target) === key)) holders.push(executionOf(lease));
  }
  return holders;
}

const targetsOf = (lease: Lease): TargetRef[] => [...countedOf(lease)].map(({ target }) => target);

const executionOf = ({ workflow, target, ref }: Lease): string => executionUnder(workflow, target, ref);

/** Leases above this number, lowest first; fewer than `LEASE_PAGE` of them: these are the last. */
export function leasePage(state: GateState, after: LeaseRef): LeaseSummary[] {
  const page: Lease[] = [];
  for (const lease of state.leases.values()) if (compare(lease.ref, after) > 0) page.push(lease);
  return page
    .toSorted((a, b) => compare(a.ref, b.ref))
    .slice(0, LEASE_PAGE)
    .map(summarizeLease);
}

const compare = (a: LeaseRef, b: LeaseRef): number => a[0] - b[0] || a[1] - b[1];

export function summarizeLease(lease: Lease): LeaseSummary {
  return {
    lease: lease.ref,
    workflow: lease.workflow,
    target: refName(lease.target),
    admittedAt: lease.admittedAt,
    started: lease.started,
    orphaned: lease.orphaned,
    permitted: lease.permitted,
    plan: lease.plan,
    unsettled: [...lease.unsettled.values()].map(({ step, attempt, node, busyUntil }) => ({
      step,
      attempt,
      node,
      busyUntil,
    })),
  };
}

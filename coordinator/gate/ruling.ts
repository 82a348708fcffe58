/** How a workflow's requests are ruled: its own limits, the fleet-wide ones that cover it, its mode. What coordinators announce to the gate. */
import type { FleetLimit } from '../../config/fleet-limits.ts';
import { ACTIONS, type Constraint, type StepDefinition, type WorkflowDefinition } from '../../workflows/contract.ts';
import { BEGIN_MS, START_MS, type Definitions, type LimitRef, type ModeRef } from '../../workflows/gate/operations.ts';
import { shortDigestOf } from '../digest.ts';

const KIND = { concurrency: 'c', maxExecution: 'm', cooldown: 'd', maxUnavailable: 'u', maxIneffective: 'i' } as const;

/** A TypeScript workflow does not say how long its steps take; it is taken to need no more than this. */
const TYPESCRIPT_MS = 15 * 60_000;

export type Ruling = {
  /** Tells versions apart: it covers all that is announced, and the definition itself. */
  readonly digest: string;
  /** Labels that any limit of any workflow counts by: with these each target goes to the gate. */
  readonly labels: readonly string[];
  readonly announcement: (by: string, id: string, at: number) => Definitions;
};

/** What a ruling rests on beside the definition itself. */
type RulingContext = { readonly limits: readonly FleetLimit[]; readonly labels: readonly string[] };

export function rulingOf(definition: WorkflowDefinition, { limits, labels }: RulingContext): Ruling {
  const { name, mode, modeOverrides, maxPending, approvalMs } = definition;
  const fleetWide = limits.filter((limit) => covers(limit, definition));
  const announced = {
    w: name,
    lim: [
      ...definition.constraints.map(limitRef),
      ...fleetWide.map((limit) => ({ ...limitRef(limit), g: limit.name })),
    ],
    ch: isChanging(definition),
    ...(mode === 'auto' ? {} : { md: mode }),
    ...(modeOverrides.length === 0 ? {} : { ov: modeOverrides.map(modeRef) }),
    mp: maxPending,
    ap: approvalMs,
    du: durationOf(definition),
  };
  const digest = shortDigestOf({ definition, announced }).slice(0, 16);
  return {
    digest,
    labels,
    announcement: (by, id, at) => ({ op: 'definitions', id, at, d: digest, by, ...announced }),
  };
}

type Book = {
  readonly workflows: readonly { readonly definition: WorkflowDefinition }[];
  readonly limits: readonly FleetLimit[];
};

/** Rulings by what holds now; made once for each definition until that changes, since every request needs its own. */
export function createRulings(current: () => Book): (definition: WorkflowDefinition) => Ruling {
  let book: Book = { workflows: [], limits: [] };
  let labels: readonly string[] = [];
  let made = new WeakMap<WorkflowDefinition, Ruling>();
  return (definition) => {
    const now = current();
    if (now.workflows !== book.workflows || now.limits !== book.limits) {
      book = now;
      labels = labelsOf(now);
      made = new WeakMap();
    }
    const known = made.get(definition);
    if (known !== undefined) return known;
    const ruling = rulingOf(definition, { limits: book.limits, labels });
    made.set(definition, ruling);
    return ruling;
  };
}

/** Every label that some limit counts by, so that a target says the same of itself to all of them. */
const labelsOf = ({ workflows, limits }: Book): string[] => {
  const own = workflows.flatMap(({ definition }) => definition.constraints);
  const scopes = [...own, ...limits].map(({ scope }) => scope);
  const labels = scopes.filter((scope) => scope.startsWith('label:')).map((scope) => scope.slice('label:'.length));
  return [...new Set(labels)].sort();
};

/** A workflow in TypeScript may do anything, so it counts as changing. */
const isChanging = (definition: WorkflowDefinition): boolean =>
  definition.steps.length === 0 || stepsOf(definition).some((step) => ACTIONS[step.action]?.changing !== false);

/** Whether a fleet-wide limit counts this workflow. One in TypeScript may take any action. */
export function covers(limit: Pick<FleetLimit, 'workflows' | 'actions'>, definition: WorkflowDefinition): boolean {
  if (limit.workflows.includes('*') || limit.workflows.includes(definition.name)) return true;
  if (limit.actions.length === 0) return limit.workflows.length === 0 && isChanging(definition);
  return definition.steps.length === 0 || stepsOf(definition).some(({ action }) => limit.actions.includes(action));
}

const stepsOf = ({ steps, undo, onFailure, verify }: WorkflowDefinition): readonly Pick<StepDefinition, 'action'>[] => [
  ...steps,
  ...undo,
  ...(onFailure?.steps ?? []),
  ...(verify !== null && 'action' in verify ? [verify] : []),
];

const limitRef = ({ kind, value, periodMs, scope, percent }: Constraint): LimitRef => ({
  k: KIND[kind],
  v: value,
  p: periodMs,
  s: scope,
  ...(percent ? { pc: true as const } : {}),
});

const modeRef = ({ mode, nodeTypes, datacenters, nodes }: WorkflowDefinition['modeOverrides'][number]): ModeRef => [
  mode,
  {
    ...(nodeTypes.length === 0 ? {} : { y: nodeTypes }),
    ...(datacenters.length === 0 ? {} : { c: datacenters }),
    ...(nodes.length === 0 ? {} : { n: nodes }),
  },
];

/** By its declared timeouts, with every attempt used up: nothing of an execution that keeps to them is open longer. */
function durationOf({ steps, verify }: WorkflowDefinition): number {
  const all = steps.map(({ timeoutMs, retry: { attempts, waitMs } }) => {
    return attempts * (timeoutMs + BEGIN_MS) + (attempts - 1) * waitMs;
  });
  const acting = steps.length === 0 ? TYPESCRIPT_MS : all.reduce((sum, ms) => sum + ms, 0);
  return START_MS + acting + (verify?.timeoutMs ?? 0);
}

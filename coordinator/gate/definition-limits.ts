/** What the gate needs to know of a definition: its digest, its limits, whether it changes hosts. */
import { ACTIONS, type WorkflowDefinition } from '../../workflows/contract.ts';
import type { Definitions, LimitRef } from '../../workflows/gate/operations.ts';
import { shortDigestOf } from '../digest.ts';

const KIND = { concurrency: 'c', maxExecution: 'm', cooldown: 'd', maxUnavailable: 'u', maxIneffective: 'i' } as const;

/** Limits count for every version of a workflow together; the digest tells versions apart. */
export const definitionDigest = (definition: WorkflowDefinition): string => shortDigestOf(definition).slice(0, 16);

/** A workflow in TypeScript may do anything, so it counts as changing. */
export const isChanging = (definition: WorkflowDefinition): boolean =>
  definition.steps.length === 0 || definition.steps.some((step) => ACTIONS[step.action]?.changing !== false);

export const limitsOf = (definition: WorkflowDefinition): LimitRef[] =>
  definition.constraints.map((constraint) => ({
    k: KIND[constraint.kind],
    v: constraint.value,
    p: constraint.periodMs,
    s: constraint.scope,
    ...(constraint.percent ? { pc: true as const } : {}),
  }));

/** Labels that limits count by: only these travel to the gate with a target. */
export const limitLabels = (definition: WorkflowDefinition): string[] =>
  definition.constraints.flatMap(({ scope }) => (scope.startsWith('label:') ? [scope.slice('label:'.length)] : []));

export const announcement = (definition: WorkflowDefinition, by: string, id: string, at: number): Definitions => ({
  op: 'definitions',
  id,
  at,
  w: definition.name,
  d: definitionDigest(definition),
  lim: limitsOf(definition),
  ch: isChanging(definition),
  by,
});

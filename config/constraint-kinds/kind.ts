import type { Scope, WorkflowConfig } from '../workflow.ts';

export type Constraint = WorkflowConfig['definition']['constraints'][number];

/** What may be written of one kind of limit. Counting it is the gate's business. */
export type ConstraintKind = {
  readonly name: Constraint['kind'];
  /** For the reference: what it allows. */
  readonly doc: string;
  /** `none`: it counts nothing, so there is nothing to write but 1. */
  readonly value: 'count' | 'count or percent' | 'none';
  readonly period: 'required' | 'optional' | 'none';
  /** Counted together when no scope is written; null: as the block says. */
  readonly scope: Scope | null;
  /** Scopes under which it would mean nothing. */
  readonly notBy: readonly Scope[];
  /** It is a share of the nodes that should exist, so somebody has to say which those are. */
  readonly needsInventory: boolean;
};

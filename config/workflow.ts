/** A workflow file, checked. Structurally equal to `WorkflowDefinition` in workflows/contract.ts, which travels with an execution. */
import type { Place } from './problem.ts';

export type Template = { readonly template: readonly (string | { readonly ref: string })[] };
export type Text = string | Template;
export type ArgValue = string | number | boolean | Template | readonly ArgValue[];

export type Scope = 'target' | 'node' | 'node_type' | 'datacenter' | 'global' | `label:${string}`;
export type WorkflowConfig = {
  readonly place: Place;
  readonly definition: {
    readonly name: string;
    readonly description: string;
    readonly taskQueueTarget:
      | { readonly kind: 'general' }
      | { readonly kind: 'node_type'; readonly type: string | null }
      | { readonly kind: 'node' };
    readonly constraints: readonly {
      readonly kind: 'concurrency' | 'maxExecution';
      readonly value: number;
      readonly periodMs: number;
      readonly scope: Scope;
    }[];
    readonly inputs: readonly InputConfig[];
    readonly steps: readonly StepConfig[];
    readonly undo: readonly (StepConfig & { readonly of: string })[];
    readonly verify: {
      readonly source: string;
      readonly query: Text;
      readonly forMs: number;
      readonly timeoutMs: number;
      readonly everyMs: number;
    } | null;
    readonly onFailure: { readonly notify: readonly string[]; readonly steps: readonly StepConfig[] } | null;
  };
};

export type InputConfig = {
  readonly name: string;
  readonly type: 'string' | 'number' | 'bool' | 'list';
  readonly description: string;
  readonly pattern: string | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly values: readonly (string | number | boolean)[] | null;
  readonly default: string | number | boolean | readonly (string | number | boolean)[] | null;
  readonly required: boolean;
};

export type StepConfig = {
  readonly name: string;
  readonly action: string;
  readonly args: Readonly<Record<string, ArgValue>>;
  readonly timeoutMs: number;
  readonly retry: { readonly attempts: number; readonly waitMs: number };
  readonly when: 'always' | 'still_firing';
};

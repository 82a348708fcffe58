/** A workflow file, checked. Structurally equal to `WorkflowDefinition` in workflows/contract.ts, which travels with an execution. */
import { didYouMean } from './did-you-mean.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Known } from './known.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { everyOne } from './connections.ts';
import { block, many, one, withDefault, type Section } from './schema.ts';
import { oneOrMore } from './value-collections.ts';
import { taskQueueTarget, word } from './value-names.ts';
import { anyText } from './value-types.ts';
import { constraintBlock, constraintsOf } from './workflow-constraints.ts';
import { inputBlock, inputOf } from './workflow-inputs.ts';
import { modeAttributes, modeBlocks, overridesOf } from './workflow-mode.ts';
import { checkReferences } from './workflow-references.ts';
import { checkSteps, stepBlock, stepOf, undoBlock } from './workflow-steps.ts';
import { verifyBlock, verifyOf } from './workflow-verify.ts';

export type Template = { readonly template: readonly (string | { readonly ref: string })[] };
export type Text = string | Template;
export type ArgValue = string | number | boolean | Template | readonly ArgValue[];

export type Scope = 'target' | 'node' | 'node_type' | 'datacenter' | 'global' | `label:${string}`;
export type Mode = 'auto' | 'ask' | 'shadow';
export type WorkflowConfig = {
  readonly place: Place;
  /** Of each constraint and override, in their order. */
  readonly constraintPlaces: readonly Place[];
  readonly overridePlaces: readonly Place[];
  readonly definition: {
    readonly name: string;
    readonly description: string;
    readonly taskQueueTarget:
      | { readonly kind: 'general' }
      | { readonly kind: 'node_type'; readonly type: string | null }
      | { readonly kind: 'node' };
    readonly constraints: readonly {
      readonly kind: 'concurrency' | 'maxExecution' | 'cooldown' | 'maxUnavailable' | 'maxIneffective';
      readonly value: number;
      readonly percent: boolean;
      readonly periodMs: number;
      readonly scope: Scope;
    }[];
    readonly mode: Mode;
    readonly modeOverrides: readonly {
      readonly mode: Mode;
      readonly nodeTypes: readonly string[];
      readonly datacenters: readonly string[];
      readonly nodes: readonly string[];
    }[];
    readonly maxPending: number;
    readonly approvalMs: number;
    readonly inputs: readonly InputConfig[];
    readonly steps: readonly StepConfig[];
    readonly undo: readonly (StepConfig & { readonly of: string })[];
    readonly verify: VerifyConfig | null;
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
  readonly mayFail?: true;
};

type Terms = { readonly forMs: number; readonly timeoutMs: number; readonly everyMs: number };
export type VerifyConfig = Terms &
  (
    | { readonly source: string; readonly query: Text }
    | {
        readonly action: string;
        readonly args: Readonly<Record<string, ArgValue>>;
        readonly expect: Readonly<Record<string, Expected>>;
      }
  );
export type Expected = ArgValue | { readonly min?: number | Template; readonly max?: number | Template };

const onFailureBlock = block({
  doc: 'What is done when the remedy failed or did not help.',
  attributes: { notify: withDefault(oneOrMore(word), 'Names of notify blocks of the coordinator.', [], '[]') },
  blocks: { step: many(stepBlock) },
});

export const workflowFile = block({
  doc: "A workflow; its name is the file's name without `.hcl`. Without any `step` it describes the TypeScript workflow of that name.",
  attributes: {
    description: withDefault(anyText, 'For people.', '', '""'),
    task_queue_target: withDefault(
      taskQueueTarget,
      'Which agents may run its steps: `"node"` the target itself, `"node_type"` any of the target\'s type, `"node_type:TYPE"` any of that type, `"general"` any of the datacenter. Targets other than a node need one of the last three.',
      { kind: 'node' },
      '"node"',
    ),
    ...modeAttributes,
  },
  blocks: {
    constraint: many(constraintBlock),
    ...modeBlocks,
    input: many(inputBlock),
    step: many(stepBlock),
    undo: many(undoBlock),
    verify: one(verifyBlock),
    on_failure: one(onFailureBlock),
  },
});

export type WorkflowSection = Section<typeof workflowFile>;

/** One file's workflow, checked against what is known of actions, sources, notifications and TypeScript workflows. */
export function workflowOf(
  section: WorkflowSection,
  name: string,
  problems: Problems,
  known: Known,
): WorkflowConfig | null {
  const { blocks } = section;
  const before = problems.errors;
  const constraints = constraintsOf(blocks.constraint, problems, known);
  const modeOverrides = overridesOf(blocks.override, problems);
  const inputs = everyOne(blocks.input.map((input) => inputOf(input, problems)));
  checkSteps(section, problems, known);
  checkReferences(section, problems);
  checkNames(section, name, problems, known);
  const steps = everyOne(blocks.step.map(stepOf));
  const undo = everyOne(blocks.undo.map((undo) => withOf(stepOf(undo), undo.readable.of)));
  const verify = verifyOf(blocks.verify[0], problems, known);
  const failure = blocks.on_failure[0];
  const failureSteps = everyOne((failure?.blocks.step ?? []).map(stepOf));
  const good =
    section.values !== null && failure?.values !== null && failureSteps !== null && problems.errors === before;
  if (!good || constraints === null || modeOverrides === null || inputs === null || steps === null || undo === null)
    return null;
  if (section.values === null) return null;
  const { description, task_queue_target: taskQueueTarget, mode } = section.values;
  const onFailure = failure === undefined ? null : { notify: failure.values?.notify ?? [], steps: failureSteps };
  return {
    place: section.place,
    constraintPlaces: blocks.constraint.map(({ place }) => place),
    overridePlaces: blocks.override.map(({ place }) => place),
    definition: {
      name,
      description,
      taskQueueTarget,
      constraints,
      mode,
      modeOverrides,
      maxPending: section.values.max_pending,
      approvalMs: section.values.approve_within,
      inputs,
      steps,
      undo,
      verify,
      onFailure,
    },
  };
}

const withOf = (step: StepConfig | null, of: string | undefined): (StepConfig & { readonly of: string }) | null =>
  step === null || of === undefined ? null : { ...step, of };

/** Names that lie outside the file: notifications, and the TypeScript workflow that runs a file without steps. */
function checkNames({ place, blocks }: WorkflowSection, name: string, problems: Problems, known: Known): void {
  const [failure] = blocks.on_failure;
  const value = failure?.given.get('notify');
  for (const [index, who] of (failure?.readable.notify ?? []).entries())
    if (known.notify !== undefined && !known.notify.includes(who))
      problems.error(
        itemPlace(value, index) ?? place,
        'on_failure.notify',
        `there is no notify block ${who}${didYouMean(who, known.notify)}`,
      );
  const typescript = known.typescriptWorkflows;
  if (typescript === undefined || blocks.step.length > 0 || typescript.includes(name)) return;
  problems.error(
    place,
    'step',
    `is missing, and there is no TypeScript workflow ${name}; write step "..." { ... }, or name the file after one of: ${typescript.join(', ') || '(none)'}`,
  );
}

const itemPlace = (value: HclValue | undefined, index: number): Place | undefined =>
  value?.kind === 'list' ? value.items[index]?.place : value?.place;

/** `step` and `undo` blocks of a workflow. */
import { didYouMean } from './did-you-mean.ts';
import type { Known, KnownAction } from './known.ts';
import type { Problems } from './problems.ts';
import { block, placeFrom, required, withDefault, type Section } from './schema.ts';
import { mapOf, objectOf } from './value-collections.ts';
import { inputName, name, word } from './value-names.ts';
import { argument } from './value-references.ts';
import { bool, duration, integer, oneOf } from './value-types.ts';
import type { verifyBlock } from './workflow-verify.ts';
import type { StepConfig, WorkflowSection } from './workflow.ts';

/** What references may stand in a step's arguments; secrets are filled on the host. Labels reach a workflow through its inputs only. */
const ARGUMENT_ROOTS = ['input', 'target', 'secret'] as const;
const stepName = name('step name', /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, 'letters, digits, _ . and -');

/** Of a step, and of a look at the host. */
export const actionArguments = mapOf(inputName, argument(ARGUMENT_ROOTS));

const stepAttributes = {
  action: required(word, 'What an agent does, e.g. `"systemd.restart"`.'),
  args: withDefault(
    actionArguments,
    "The action's arguments. Strings may hold `${input.NAME}`, `${target.node}`, `${target.type}`, `${target.datacenter}` and `${secret.NAME}` (filled on the host only).",
    {},
    '{}',
  ),
  timeout: withDefault(duration({ maxMs: 86_400_000 }), 'How long one attempt may take.', 60_000, '"1m"'),
  retry: withDefault(
    objectOf<{ attempts?: number; wait?: number }>({
      attempts: { type: integer(1, 100), required: false },
      wait: { type: duration({ zero: true, maxMs: 86_400_000 }), required: false },
    }),
    'How often in all, and how long between (`attempts` without `wait`: `"10s"`).',
    {},
    '{ attempts = 1 }',
  ),
} as const;

export const stepBlock = block({
  doc: 'One action. Steps run in the order written; the first that fails ends the remedy.',
  labels: [{ name: 'name', doc: 'Unique in the file.', type: stepName }],
  attributes: {
    ...stepAttributes,
    when: withDefault(
      oneOf('always', 'still_firing'),
      '`"still_firing"`: skipped when the fault is no longer seen as its turn comes.',
      'always',
      '"always"',
    ),
    may_fail: withDefault(
      bool,
      'The remedy goes on when this step failed or was refused, e.g. for notes that are good to have.',
      false,
      'false',
    ),
  },
});

export const undoBlock = block({
  doc: 'Takes back what a step did, when a later one fails or the remedy is cancelled; last first.',
  labels: [{ name: 'name', doc: 'Unique in the file, among steps too.', type: stepName }],
  attributes: { of: required(stepName, 'The step it takes back.'), ...stepAttributes },
});

type AnyStep = Section<typeof stepBlock> | Section<typeof undoBlock>;

export function stepOf({ labels: [name = ''], values }: AnyStep): StepConfig | null {
  if (values === null) return null;
  const { action, args, timeout: timeoutMs, retry } = values;
  const { attempts = 1, wait } = retry;
  const waitMs = wait ?? (attempts > 1 ? 10_000 : 0);
  return {
    name,
    action,
    args,
    timeoutMs,
    retry: { attempts, waitMs },
    when: 'when' in values ? values.when : 'always',
    ...('may_fail' in values && values.may_fail ? { mayFail: true } : {}),
  };
}

/** Names among steps, undo and on_failure; what `of` points at; actions and their arguments when those are known. */
export function checkSteps({ blocks }: WorkflowSection, problems: Problems, known: Known): void {
  const failureSteps = blocks.on_failure.flatMap((failure) => failure.blocks.step);
  const all: readonly AnyStep[] = [...blocks.step, ...blocks.undo, ...failureSteps];
  checkUnique(all, problems);
  if (blocks.verify.some(({ given }) => given.has('action'))) keepLookName(all, problems);
  const names = blocks.step.map(({ labels: [name = ''] }) => name);
  for (const undo of blocks.undo) {
    const { of } = undo.readable;
    if (of === undefined || names.includes(of)) continue;
    problems.error(
      undo.given.get('of')?.place ?? undo.place,
      `${undo.path}.of`,
      `there is no step ${of}${didYouMean(of, names)}`,
    );
  }
  const { actions } = known;
  if (actions !== undefined) for (const step of [...all, ...blocks.verify]) checkAction(step, actions, problems);
}

function checkUnique(all: readonly AnyStep[], problems: Problems): void {
  const first = new Map<string, AnyStep>();
  for (const step of all) {
    const [name = ''] = step.labels;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, step);
    else if (kindOf(earlier.path) !== kindOf(step.path))
      problems.error(
        step.place,
        step.path,
        `the name ${name} is taken by ${earlier.path} at ${placeFrom(step.place, earlier.place)}; write another`,
      );
  }
}

/** What verify asks of hosts stands among an execution's steps under the name `verify`. */
function keepLookName(all: readonly AnyStep[], problems: Problems): void {
  for (const step of all)
    if (step.labels[0] === 'verify')
      problems.error(step.place, step.path, 'the name verify is taken by the looks of the verify block; write another');
}

/** Two blocks of one kind and name were already told by the schema. */
const kindOf = (path: string): string => path.replace(/\[.*/s, '');

function checkAction(
  step: AnyStep | Section<typeof verifyBlock>,
  actions: Readonly<Record<string, KnownAction>>,
  problems: Problems,
): void {
  const { action, args } = step.readable;
  if (action === undefined || action === null) return;
  const written = step.given.get('args');
  if (!Object.hasOwn(actions, action)) {
    problems.error(
      step.given.get('action')?.place ?? step.place,
      `${step.path}.action`,
      `there is no action ${action}${didYouMean(action, Object.keys(actions))}`,
    );
    return;
  }
  const { named = {}, others = null } = actions[action] ?? {};
  if (args === undefined) return;
  for (const name of Object.keys(args)) {
    if (Object.hasOwn(named, name) || others !== null) continue;
    const place = written?.kind === 'object' ? written.members.get(name)?.keyPlace : undefined;
    problems.error(
      place ?? step.place,
      `${step.path}.args.${name}`,
      `${action} takes no argument ${name}${didYouMean(name, Object.keys(named))}`,
    );
  }
  for (const [name, rule] of Object.entries(named))
    if (rule.required && !Object.hasOwn(args, name))
      problems.error(
        written?.place ?? step.place,
        `${step.path}.args.${name}`,
        `is missing, and ${action} needs it; write ${name} = ...`,
      );
}

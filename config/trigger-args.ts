/** A trigger's arguments and target against the workflow it asks for, when that is known. */
import { didYouMean } from './did-you-mean.ts';
import { inputProblem } from './workflow-inputs.ts';
import type { Problems } from './problems.ts';
import type { Section } from './schema.ts';
import type { triggerBlock } from './triggers.ts';
import type { InputConfig, WorkflowConfig } from './workflow.ts';

export function checkTriggerArgs(
  section: Section<typeof triggerBlock>,
  workflows: readonly WorkflowConfig[],
  problems: Problems,
): void {
  const { workflow: name, target } = section.readable;
  if (name === undefined) return;
  const workflow = workflows.find(({ definition }) => definition.name === name);
  if (workflow === undefined) {
    const names = workflows.map(({ definition }) => definition.name);
    const place = section.given.get('workflow')?.place ?? section.place;
    problems.error(place, `${section.path}.workflow`, `there is no workflow ${name}${didYouMean(name, names)}`);
    return;
  }
  const { inputs, taskQueueTarget } = workflow.definition;
  if (taskQueueTarget.kind === 'node' && target !== undefined && target.node === undefined) {
    const place = section.given.get('target')?.place ?? section.place;
    problems.error(
      place,
      `${section.path}.target`,
      `${name} runs on one node (its task_queue_target is "node"); write { node = "..." }`,
    );
  }
  checkArgs(section, inputs, name, problems);
}

function checkArgs(
  section: Section<typeof triggerBlock>,
  inputs: readonly InputConfig[],
  workflow: string,
  problems: Problems,
): void {
  const { args } = section.readable;
  if (args === undefined) return;
  const written = section.given.get('args');
  const members = written?.kind === 'object' ? written.members : new Map<string, never>();
  const path = `${section.path}.args`;
  for (const [name, value] of Object.entries(args)) {
    const input = inputs.find((candidate) => candidate.name === name);
    const member = members.get(name);
    const place = member?.value.place ?? section.place;
    const known = inputs.map((candidate) => candidate.name);
    if (input === undefined)
      problems.error(
        member?.keyPlace ?? place,
        `${path}.${name}`,
        `${workflow} has no input ${name}${didYouMean(name, known)}`,
      );
    const problem = input === undefined ? null : inputProblem(input, value);
    if (problem !== null) problems.error(place, `${path}.${name}`, problem);
  }
  for (const input of inputs)
    if (input.required && !Object.hasOwn(args, input.name))
      problems.error(
        written?.place ?? section.place,
        `${path}.${input.name}`,
        `is missing, and ${workflow} requires it; write ${input.name} = ...`,
      );
}

/** Runs the steps of an HCL workflow in order. */
import type { ExecutionInput, ExecutionResult, StepDefinition } from './contract.ts';
import { runExecution, type StepOptions } from './execution.ts';

export function runbook(input: ExecutionInput): Promise<ExecutionResult> {
  const { steps, undo } = input.plan.definition;
  return runExecution(input, async (remedy) => {
    for (const step of steps) {
      const undone = undo.find((candidate) => candidate.of === step.name);
      await remedy.step({ ...options(step), ...(undone === undefined ? {} : { undo: options(undone) }) });
    }
  });
}

const options = ({ name, action, args, timeoutMs, retry, when, mayFail }: StepDefinition): StepOptions => ({
  name,
  action,
  args,
  timeoutMs,
  retry,
  when,
  ...(mayFail === undefined ? {} : { mayFail }),
});

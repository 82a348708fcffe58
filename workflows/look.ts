/** One look of a `verify` block that names an action, as coordinators and executions both must know it. */
import type { StepCall } from './activities.ts';
import { ACTIONS, type ActionProof } from './contract.ts';

/** Name of the looks among the steps of an execution: no step may bear it where `verify` names an action. */
export const LOOK_STEP = 'verify';
const LOOK_MS = 30_000;

/** What changes hosts is nothing to look with; a host's own command is, since it alone says what the command does. */
export const NO_LOOKS: readonly string[] = Object.entries(ACTIONS).flatMap(([name, { changing }]) =>
  changing && name !== 'exec' ? [name] : [],
);

export const lookCall = ({ action, args }: ActionProof): StepCall => ({
  name: LOOK_STEP,
  action,
  args,
  timeoutMs: LOOK_MS,
  undo: false,
  stillFiring: false,
  look: true,
});

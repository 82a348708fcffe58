import type { WorkflowDefinition } from '../../workflows/contract.ts';

/** A workflow with nothing but its name, for tests of one thing about it. */
export const bareWorkflow = (name: string, more: Partial<WorkflowDefinition> = {}): WorkflowDefinition => ({
  name,
  description: '',
  taskQueueTarget: { kind: 'node' },
  constraints: [],
  mode: 'auto',
  modeOverrides: [],
  maxPending: 10,
  approvalMs: 1,
  inputs: [],
  steps: [],
  undo: [],
  verify: null,
  onFailure: null,
  ...more,
});

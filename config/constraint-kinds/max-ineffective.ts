import type { ConstraintKind } from './kind.ts';

export const maxIneffective: ConstraintKind = {
  name: 'maxIneffective',
  doc: '`"maxIneffective"`: after `value` executions in a row that failed or did not help, none until a person resumes it; it has no `period`.',
  value: 'count',
  period: 'none',
  scope: null,
  notBy: [],
  needsInventory: false,
};

import type { ConstraintKind } from './kind.ts';

export const maxExecution: ConstraintKind = {
  name: 'maxExecution',
  doc: '`"maxExecution"`: at most `value` begun in any window of length `period`.',
  value: 'count',
  period: 'required',
  scope: null,
  notBy: [],
  needsInventory: false,
};

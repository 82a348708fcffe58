import type { ConstraintKind } from './kind.ts';

export const concurrency: ConstraintKind = {
  name: 'concurrency',
  doc: '`"concurrency"`: at most `value` open at once, those begun within `period` counted too.',
  value: 'count',
  period: 'optional',
  scope: null,
  notBy: [],
  needsInventory: false,
};

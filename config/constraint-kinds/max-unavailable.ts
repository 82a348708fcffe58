import type { ConstraintKind } from './kind.ts';

export const maxUnavailable: ConstraintKind = {
  name: 'maxUnavailable',
  doc: '`"maxUnavailable"`: at most `value` nodes (`"5%"`: of those in the inventory) down or being changed by any workflow, this one counted in; it has no `period`, needs the coordinator to have an `inventory`, and counts by `"node_type"` unless told otherwise.',
  value: 'count or percent',
  period: 'none',
  scope: 'node_type',
  notBy: ['target', 'node'],
  needsInventory: true,
};

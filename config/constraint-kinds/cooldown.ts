import type { ConstraintKind } from './kind.ts';

export const cooldown: ConstraintKind = {
  name: 'cooldown',
  doc: '`"cooldown"`: none while another is open, nor within `period` after the last one ended; it has no `value`.',
  value: 'none',
  period: 'required',
  scope: null,
  notBy: [],
  needsInventory: false,
};

import { unitAction } from './unit-action.ts';

/** `systemctl reload` of a unit that can, with the unit's state before and after. */
export const systemdReload = unitAction('reload');

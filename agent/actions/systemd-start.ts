import { unitAction } from './unit-action.ts';

/** `systemctl start`, with the unit's state before and after. */
export const systemdStart = unitAction('start');

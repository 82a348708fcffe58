import { unitAction } from './unit-action.ts';

/** `systemctl restart`, with the unit's state before and after. */
export const systemdRestart = unitAction('restart');

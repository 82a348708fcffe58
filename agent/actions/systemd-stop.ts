import { unitAction } from './unit-action.ts';

/** `systemctl stop`, with the unit's state before and after. */
export const systemdStop = unitAction('stop');

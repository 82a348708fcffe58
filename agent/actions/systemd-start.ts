import { unitAction } from './systemctl.ts';

/** `systemctl start`, with the unit's state before and after. */
export const systemdStart = unitAction('start');

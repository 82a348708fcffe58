import { unitAction } from './systemctl.ts';

/** `systemctl restart`, with the unit's state before and after. */
export const systemdRestart = unitAction('restart');

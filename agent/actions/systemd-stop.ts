import { UNIT_FACTS, unitAction } from './unit-action.ts';

/** `systemctl stop`, with the unit's state before and after. */
export const systemdStop = unitAction('stop', {
  about: [
    'Units that depend on it are stopped by systemd with it; a dry run names them.',
    "What a unit's name, or systemd, rules out is refused before anything begins (`host_state`): a unit that is not there or masked, one of Fettle's own or one that would take it down, and a start of what takes the host down.",
  ],
  facts: UNIT_FACTS,
  rehearsal: 'the commands it would run, the units that would go with it, and the state before.',
  example: { unit: 'web.service' },
});

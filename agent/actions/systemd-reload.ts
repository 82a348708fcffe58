import { UNIT_FACTS, unitAction } from './unit-action.ts';

/** `systemctl reload` of a unit that can, with the unit's state before and after. */
export const systemdReload = unitAction('reload', {
  about: [
    "It has failed when the job or the unit's own reload fails, or when the unit does not stay active for `stable_s` after it; the message says what it is instead, and the tail has its newest journal lines. When time is up the job is cancelled.",
    "What a unit's name, or systemd, rules out is refused before anything begins (`host_state`): a unit that is not there or masked, one of Fettle's own or one that would take it down, and a start of what takes the host down.",
  ],
  facts: UNIT_FACTS,
  rehearsal: 'the commands it would run, the units that would go with it, and the state before.',
  example: { unit: 'web.service' },
});

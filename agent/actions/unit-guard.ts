/** Which units may be touched at all, and why not: looked at before anything is begun. */
import { RefusalError } from '../refusal.ts';
import type { ActionHost } from './action.ts';
import { namesIn, readUnit, readUnits, type UnitState, type UnitVerb } from './systemctl.ts';

/** Units of Fettle itself: a remedy that stops what carries it out is none. */
export const isOwnUnit = (unit: string): boolean =>
  /^fettle-(?:agent|action|coordinator|trigger-daemon)(?![A-Za-z0-9])/.test(unit);

/** Units whose start takes the host down, or away from its services. */
const TAKES_DOWN =
  /^(?:(?:reboot|soft-reboot|poweroff|halt|kexec|exit|shutdown|umount|final|rescue|emergency|ctrl-alt-del|runlevel[016]|suspend|sleep|hibernate|hybrid-sleep|suspend-then-hibernate)\.target|systemd-(?:reboot|soft-reboot|poweroff|halt|kexec|exit|suspend|hibernate|hybrid-sleep|suspend-then-hibernate)\.service|(?:rescue|emergency)\.service)$/;

const TEMPLATE = /@\.[a-z]+$/;

/** What its name alone says. @throws RefusalError `args_invalid` */
export function checkUnitName(verb: UnitVerb, unit: string): void {
  const why = nameFault(verb, unit);
  if (why !== null) throw new RefusalError('args_invalid', `systemd.${verb}: ${unit} ${why}`);
}

function nameFault(verb: UnitVerb, unit: string): string | null {
  if (TEMPLATE.test(unit)) return 'is a template; name an instance of it, e.g. name@instance.service';
  if (isOwnUnit(unit)) return "is Fettle's own, which it never touches";
  if (unit === 'init.scope') return 'is the scope of pid 1';
  const starts = verb === 'start' || verb === 'restart';
  return starts && TAKES_DOWN.test(unit) ? 'takes the host out of service; a reboot is node.reboot' : null;
}

/**
 * What systemd knows of it. Gives the units that would go down or start anew with it.
 * @throws RefusalError `host_state`, also when systemd does not answer
 */
export async function checkUnit(host: ActionHost, verb: UnitVerb, unit: string): Promise<readonly string[]> {
  try {
    return await judge(host, verb, unit);
  } catch (error) {
    if (error instanceof Refused) throw new RefusalError('host_state', `systemd.${verb}: ${error.message}`);
    const why = `systemd does not answer (${causeOf(error)}); is it the init of this host?`;
    throw new RefusalError('host_state', `systemd.${verb}: ${why}`, error);
  }
}

class Refused extends Error {}

async function judge(host: ActionHost, verb: UnitVerb, unit: string): Promise<readonly string[]> {
  const state = await readUnit(host, unit);
  const fault = stateFault(verb, unit, state) ?? aliasFault(verb, unit, state) ?? enemyFault(verb, unit, state);
  if (fault !== null) throw new Refused(fault);
  if (verb !== 'stop' && verb !== 'restart') return [];
  const dragged = await pulledDown(host, unit, state);
  const own = dragged.find(isOwnUnit);
  if (own !== undefined) throw new Refused(`${own} depends on ${unit} and would go down with it`);
  return dragged;
}

function aliasFault(verb: UnitVerb, unit: string, state: UnitState): string | null {
  for (const name of [state.Id, ...namesIn(state.Names)]) {
    const fault = name === unit ? null : nameFault(verb, name);
    if (fault !== null) return `${unit} is another name of ${name}, which ${fault}`;
  }
  return null;
}

function enemyFault(verb: UnitVerb, unit: string, { Conflicts, ConflictedBy }: UnitState): string | null {
  if (verb !== 'start' && verb !== 'restart') return null;
  const enemy = [...namesIn(Conflicts), ...namesIn(ConflictedBy)].find(isOwnUnit);
  return enemy === undefined ? null : `${unit} and ${enemy} exclude each other`;
}

const causeOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return String(code ?? message.split('\n')[0]).slice(0, 80);
};

function stateFault(verb: UnitVerb, unit: string, state: UnitState): string | null {
  const active = state.ActiveState !== 'inactive' && state.ActiveState !== 'failed';
  const there = verb === 'stop' ? active : verb === 'reset-failed' && state.ActiveState === 'failed';
  if (!there) {
    if (state.LoadState === 'not-found') return `this host has no unit ${unit}`;
    if (state.LoadState === 'masked' && verb !== 'reset-failed') return `${unit} is masked; somebody has ruled it out`;
    if (state.LoadState === 'error' || state.LoadState === 'bad-setting')
      return `systemd cannot load ${unit}: ${state.LoadError || state.LoadState}; systemctl status ${unit} says more`;
  }
  if (verb === 'reload') {
    if (state.CanReload === 'no') return `${unit} cannot reload (it has no ExecReload=); use systemd.restart`;
    return active ? null : `${unit} is ${state.ActiveState}, and only an active unit can reload`;
  }
  const starts = verb === 'start' || verb === 'restart';
  if (starts && (state.CanStart === 'no' || state.RefuseManualStart === 'yes')) return `${unit} cannot be started`;
  const stops = verb === 'stop' || (verb === 'restart' && active);
  return stops && state.RefuseManualStop === 'yes' ? `${unit} cannot be stopped (RefuseManualStop=)` : null;
}

/** More than any service has; beyond it the unit is too near the root of all to be touched. */
const MOST_DEPENDENTS = 400;

/** What systemd stops with a unit, however far away, and is not down already. */
async function pulledDown(host: ActionHost, unit: string, state: UnitState): Promise<string[]> {
  const asked = new Set([unit, state.Id]);
  const up = new Set<string>();
  for (let edge = [state]; edge.length > 0;) {
    const next = new Set(edge.flatMap(stoppedWith).filter((name) => !asked.has(name)));
    for (const name of next) asked.add(name);
    if (asked.size > MOST_DEPENDENTS) throw new Refused(`more than ${MOST_DEPENDENTS} units depend on ${unit}`);
    edge = next.size === 0 ? [] : await readUnits(host, [...next]);
    for (const { Id, ActiveState } of edge) if (ActiveState !== 'inactive') up.add(Id);
  }
  up.delete(state.Id);
  return [...up];
}

const stoppedWith = (state: UnitState): string[] =>
  namesIn([state.RequiredBy, state.RequisiteOf, state.BoundBy, state.ConsistsOf, state.PropagatesStopTo].join(' '));

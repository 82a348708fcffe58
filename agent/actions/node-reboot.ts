import { setTimeout as sleep } from 'node:timers/promises';
import type { Begun } from '../ledger-records.ts';
import { RefusalError } from '../refusal.ts';
import {
  type Action,
  type ActionEnd,
  type ActionHost,
  type ActionRun,
  CLEAN_ENVIRONMENT,
  endOf,
  factsOnly,
} from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { loggedIn, personsText } from './logged-in.ts';
import { readSystem } from './systemctl.ts';

const check = argumentCheck('node.reboot');

/**
 * Reboots the host. What it did shows only at the next boot: its end is told by `afterBoot`, and the process that began it says
 * something only when the host would not go down.
 */
export const nodeReboot: Action = {
  name: 'node.reboot',
  capped: true,
  page: {
    about: [
      'Give the step time enough for the whole boot, e.g. `timeout = "10m"`: when the host has the same boot id by then, or has not finished starting, it has failed.',
      'Ends when the host has another boot id and systemd says that it is running (or degraded: then `failed_units` counts what failed); by that it is proven, whatever became of the agent meanwhile. It is refused while a person is logged in (sessions of logind and utmp; not greeters, not jobs of cron), when nobody can tell, and when the host goes down already.',
    ],
    facts: {
      'boot_id_before, boot_id_after': 'the proof',
      down_ms: "from the order to the first look after the boot, by the host's clock",
      'system_state, failed_units': 'what systemd says of the host: `running`, `degraded`, ...',
      'before_boot_id, before_persons, before_system_state': 'of a dry run',
    },
    rehearsal: 'the command, and who is logged in.',
    example: { force_with_users: false },
  },
  afterBoot,
  prepare(args, host) {
    const forced = check(args)['force_with_users'] === true;
    return {
      admit: () => admit(host, forced),
      rehearse: () => rehearse(host),
      run: (run) => reboot(host, run),
      worksOn: () => goesDown(host),
    };
  },
};

async function admit(host: ActionHost, forced: boolean): Promise<void> {
  const refuse = (why: string): RefusalError => new RefusalError('host_state', `node.reboot: ${why}`);
  const system = await readSystem(host).catch(() => null);
  if (system === null) throw refuse('systemd does not answer; only a host that it runs is rebooted');
  if (system.state === 'stopping') throw refuse('the host is going down already');
  if (forced) return;
  const persons = await loggedIn(host);
  if (persons === null)
    throw refuse('it cannot be told whether a person is logged in; force_with_users = true reboots all the same');
  if (persons.length > 0)
    throw refuse(`logged in: ${personsText(persons)}; force_with_users = true reboots all the same`);
}

const commandOf = (host: ActionHost): string[] => [host.systemctl, '--no-ask-password', 'reboot'];

async function rehearse(host: ActionHost) {
  const [persons, system] = await Promise.all([loggedIn(host), readSystem(host).catch(() => null)]);
  const lines = [`would run ${JSON.stringify(commandOf(host))} and wait for another boot id than ${host.facts.bootId}`];
  if (persons !== null && persons.length > 0) lines.push(`logged in: ${personsText(persons)}`);
  const facts = { before_boot_id: host.facts.bootId, before_persons: persons?.length ?? -1 };
  return factsOnly({ ...facts, before_system_state: system?.state ?? 'unknown' }, lines.join('\n'));
}

/** Once systemd has taken the order nothing calls it back, so nothing but the end of the time ends this. */
async function reboot(host: ActionHost, run: ActionRun): Promise<ActionEnd> {
  const until = performance.now() + run.timeoutMs;
  const facts = { boot_id_before: host.facts.bootId };
  const line = { argv: commandOf(host), environment: CLEAN_ENVIRONMENT, workingDirectory: '/' };
  const asked = await run.run(line);
  const end = endOf(asked, 'systemctl reboot', run.timeoutMs, facts);
  // It may have been ended by the very shutdown it asked for.
  if (end.status === 'failed' && !(await goesDown(host))) return end;
  while (performance.now() < until) await sleep(Math.min(POLL_MS, Math.max(1, until - performance.now())));
  const still = (await goesDown(host)) ? 'is going down and not down yet' : 'did not go down';
  const message = `the host has the same boot id after ${run.timeoutMs} ms: it ${still}`;
  return { status: 'failed', code: 'timeout', message, output: end.output };
}
const POLL_MS = 1000;

/** A reboot is under way, or waits in systemd's queue. Not being able to tell while systemd ends is no proof of the contrary. */
async function goesDown(host: ActionHost): Promise<boolean> {
  const system = await readSystem(host).catch(() => null);
  return system === null || system.state === 'stopping';
}

/** Proven by the boot id; over when systemd has started what belongs to a running host, or the time is over. */
async function afterBoot(begun: Begun, host: ActionHost): Promise<ActionEnd | null> {
  const system = await readSystem(host).catch(() => null);
  const state = system?.state ?? 'unknown';
  const late = Date.now() >= begun.deadline;
  const starting = state === 'starting' || state === 'initializing' || state === 'unknown';
  if (starting && !late) return null;
  const output = factsOnly({
    boot_id_before: begun.bootId,
    boot_id_after: host.facts.bootId,
    down_ms: Math.max(0, Date.now() - begun.at),
    system_state: state,
    failed_units: system?.failedUnits ?? -1,
  });
  if (state === 'running' || state === 'degraded') return { status: 'done', output };
  const code = starting ? 'timeout' : 'exit';
  return { status: 'failed', code, message: `the host has rebooted, but systemd says of it: ${state}`, output };
}

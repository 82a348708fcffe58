import { uptime } from 'node:os';
import type { Scalar } from '../../workflows/contract.ts';
import { type Action, type ActionEnd, type ActionHost, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { factOf, readUnit, unitFacts, type UnitState } from './systemctl.ts';

const check = argumentCheck('systemd.status');

/** Reads the state of a unit; one that does not exist is a failure, not a fact. */
export const systemdStatus: Action = {
  name: 'systemd.status',
  capped: true,
  page: {
    about: [
      'Fails when the host has no such unit; an inactive or failed unit is an answer. What systemd keeps only with accounting switched on is left out where it is not.',
    ],
    facts: {
      'unit, load_state, active_state, sub_state, result': 'as systemctl show has them',
      'main_pid, n_restarts, invocation_id, exit_status': 'of its present or last run',
      'enabled, type, can_reload, needs_daemon_reload': 'of its unit file',
      'memory_bytes, tasks, cpu_s': 'of all its processes together',
      in_this_state_s: 'seconds since its state last changed',
    },
    rehearsal: 'the same as a run: it changes nothing.',
    example: { unit: 'web.service' },
  },
  prepare(args, host) {
    const unit = String(check(args)['unit']);
    return {
      rehearse: async () => (await status(host, unit)).output,
      run: () => status(host, unit),
      worksOn: async () => false,
    };
  },
};

async function status(host: ActionHost, unit: string): Promise<ActionEnd> {
  try {
    const state = await readUnit(host, unit);
    const output = factsOnly({ unit, ...unitFacts(state), ...moreFacts(state) });
    if (state.LoadState !== 'not-found') return { status: 'done', output };
    return { status: 'failed', code: 'exit', message: `this host has no unit ${unit}`, output };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'error';
    return {
      status: 'failed',
      code: 'spawn',
      message: `systemctl show gave no answer (${why})`,
      output: factsOnly({ unit }),
    };
  }
}

/** What systemd keeps only with accounting switched on is left out where it is not. */
function moreFacts(state: UnitState): Record<string, Scalar> {
  const changed = Number(state.StateChangeTimestampMonotonic) / 1e6;
  const cpu = factOf(state.CPUUsageNSec);
  const facts: Record<string, Scalar> = {
    load_state: state.LoadState,
    enabled: state.UnitFileState,
    type: state.Type,
    can_reload: state.CanReload,
    needs_daemon_reload: state.NeedDaemonReload,
    exit_status: factOf(state.ExecMainStatus),
    memory_bytes: factOf(state.MemoryCurrent),
    tasks: factOf(state.TasksCurrent),
    cpu_s: typeof cpu === 'number' ? Math.round(cpu / 1e8) / 10 : '',
    in_this_state_s: changed > 0 ? Math.max(0, Math.round(uptime() - changed)) : '',
  };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => !UNSET.has(value)));
}
/** `[not set]` was the greatest number of 64 bits once. */
const UNSET: ReadonlySet<Scalar> = new Set(['', '[not set]', '18446744073709551615']);

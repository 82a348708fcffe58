import type { Args } from '../../workflows/contract.ts';
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
import { askSystemd, jobCommand, readUnits, unitFacts, type UnitState } from './systemctl.ts';
import { checkUnit, checkUnitName, isOwnUnit } from './unit-guard.ts';

const check = argumentCheck('systemd.reset-failed');

/** Clears the failure, and with it the start limit, of one unit or of all that have failed. */
export const systemdResetFailed: Action = {
  name: 'systemd.reset-failed',
  capped: true,
  page: {
    about: [
      'It starts nothing: the unit is `inactive` after it, no longer `failed`, and its start limit counts anew. Of all units, those of Fettle itself are left as they are. It fails when a unit has failed again by then.',
    ],
    facts: {
      'unit, before_*, after_*': 'one unit: its state, as of systemd.restart',
      'before_failed, after_failed': 'how many units of those looked at have failed',
    },
    rehearsal: 'the command and the units it is about.',
    example: { all: true },
  },
  prepare(args, host) {
    const unit = wanted(args);
    return {
      async admit() {
        if (unit !== null) await checkUnit(host, 'reset-failed', unit);
        else await failedUnits(host).catch(noAnswer);
      },
      rehearse: () => rehearse(host, unit),
      run: (run) => reset(host, unit, run),
      worksOn: async () => false,
    };
  },
};

/** Null: all of them. @throws RefusalError `args_invalid` */
function wanted(args: Args): string | null {
  const { unit, all } = check(args);
  if ((unit === undefined) !== (all === true))
    throw new RefusalError('args_invalid', 'systemd.reset-failed: takes either unit, or all = true');
  if (unit === undefined) return null;
  checkUnitName('reset-failed', String(unit));
  return String(unit);
}

function noAnswer(error: unknown): never {
  const why = (error as NodeJS.ErrnoException).code ?? 'error';
  throw new RefusalError('host_state', `systemd.reset-failed: systemd does not answer (${why})`);
}

/** Fettle's own are not among them. @throws Error when systemd does not answer */
async function failedUnits(host: ActionHost): Promise<UnitState[]> {
  const listed = await askSystemd(host, 'list-units', '--state=failed', '--all', '--plain', '--no-legend', '--full');
  const units = listed
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0]!)
    .filter((unit) => unit !== '' && !isOwnUnit(unit));
  return units.length === 0 ? [] : readUnits(host, units.slice(0, MOST_AT_ONCE));
}
const MOST_AT_ONCE = 500;

const lookedAt = (host: ActionHost, unit: string | null): Promise<UnitState[]> =>
  unit === null ? failedUnits(host) : readUnits(host, [unit]);

const namesOf = (states: readonly UnitState[], unit: string | null): string[] =>
  unit === null ? states.map((state) => state.Id) : [unit];

/** One unit's own facts; of many, how many. */
const factsOf = (states: readonly UnitState[], unit: string | null, prefix: 'before_' | 'after_') => ({
  ...(unit === null ? {} : { unit, ...unitFacts(states[0] ?? null, prefix) }),
  [`${prefix}failed`]: states.filter((state) => state.ActiveState === 'failed').length,
});

const table = (states: readonly UnitState[]): string =>
  states.map((state) => `${state.Id}  ${state.ActiveState}  ${state.Result}`).join('\n');

async function rehearse(host: ActionHost, unit: string | null) {
  const before = await lookedAt(host, unit);
  const names = namesOf(before, unit);
  const would =
    names.length === 0
      ? 'no unit has failed: nothing would be done'
      : `would run ${JSON.stringify(jobCommand(host, 'reset-failed', names))}`;
  return factsOnly(factsOf(before, unit, 'before_'), [would, table(before)].join('\n').trim());
}

async function reset(host: ActionHost, unit: string | null, run: ActionRun): Promise<ActionEnd> {
  const before = await lookedAt(host, unit);
  const names = namesOf(before, unit);
  const facts = factsOf(before, unit, 'before_');
  if (names.length === 0)
    return { status: 'done', output: factsOnly({ ...facts, after_failed: 0 }, 'no unit had failed') };
  const argv = jobCommand(host, 'reset-failed', names);
  const job = await run.run({ argv, environment: CLEAN_ENVIRONMENT, workingDirectory: '/' });
  const after = await lookedAt(host, unit).catch(() => null);
  const all = { ...facts, ...(after === null ? {} : factsOf(after, unit, 'after_')) };
  const end = endOf(job, 'systemctl reset-failed', run.timeoutMs, all);
  if (end.status === 'failed') return end;
  const output = { ...end.output, tail: table(before) };
  const still = after?.filter((state) => state.ActiveState === 'failed' && names.includes(state.Id));
  if (still === undefined)
    return { status: 'failed', code: 'exit', message: 'systemd does not answer any more', output };
  if (still.length === 0) return { status: 'done', output };
  return { status: 'failed', code: 'exit', message: `failed again: ${still.map(({ Id }) => Id).join(' ')}`, output };
}

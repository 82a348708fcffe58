import { type Action, type ActionEnd, type ActionHost, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { readUnit, unitFacts } from './systemctl.ts';

const check = argumentCheck('systemd.status');

/** Reads the state of a unit; one that does not exist is a failure, not a fact. */
export const systemdStatus: Action = {
  name: 'systemd.status',
  capped: true,
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
    const output = factsOnly({ unit, ...unitFacts(state) });
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

import { type Action } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { checkInputs, refuse } from './exec-inputs.ts';
import { programCommand } from './exec-program.ts';
import { requestCommand } from './exec-request.ts';

const check = argumentCheck('exec');

/** Does one thing that a file on this very host defines. The caller chooses its name and its inputs, nothing else. */
export const exec: Action = {
  name: 'exec',
  capped: true,
  prepare(args, host) {
    const { command: name, ...given } = check(args);
    const definition = host.commands.get(String(name));
    if (definition === undefined)
      throw refuse(`this host defines no command ${JSON.stringify(name)} in its actions_dir`);
    const inputs = checkInputs(definition, given);
    return definition.kind === 'program'
      ? programCommand(definition, inputs, host)
      : requestCommand(definition, inputs, host);
  },
};

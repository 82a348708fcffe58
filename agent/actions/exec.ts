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
  page: {
    about: [
      'A `command` block in `actions_dir` ([configuration](configuration.md#commands-actionsdhcl)) says what is run: a program with its arguments, user, environment and bounds, or an HTTP request. The caller chooses its name and gives its inputs, each of which must match its pattern as a whole. No shell is involved: a value is one argument or a part of one, and never an option unless its pattern says so; in a request it stays within one part of the path or query, and within its JSON or form text. The host of a request is fixed.',
      'It counts as changing even if the command only looks. Exit code 0 is done, everything else failed; of a request, a status of 200 to 299 or those it names. A request that ran into its time may have been acted upon all the same.',
    ],
    facts: {
      'command, user': 'the command block, and whom it ran as',
      'method, url, status, latency_ms': 'of a request',
    },
    rehearsal:
      'the program with its arguments, folder and user, or the request with its headers and body; secrets struck out.',
    example: { command: 'clear-cache', site: 'shop' },
  },
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

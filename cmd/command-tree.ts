import type { CommanderError } from 'commander';
import { addAuthorCommands } from './author-commands.ts';
import { EXIT } from './exit-code.ts';
import { type Dispatch, FettleCommand } from './fettle-command.ts';
import { addOperatorCommands } from './operator-commands.ts';
import { addPeopleCommands } from './people-commands.ts';
import { addRecordCommands } from './record-commands.ts';
import { addRoleCommands } from './role-commands.ts';
import { addStopCommands } from './stop-commands.ts';
import { VERSION } from './version.ts';

/** Where help goes and how wide it may be. */
export type TreeOutput = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly columns: number;
};

/** A command line that cannot be understood, or that asked for help or the version and has got it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exit: 0 | 2;
  /** The command whose help says more. */
  readonly command: string;
  constructor(exit: 0 | 2, message: string, command: string, cause: CommanderError) {
    super(message, { cause });
    this.exit = exit;
    this.command = command;
  }
}

/** Every command there is. `dispatch` is handed the task of the command that a parsed line names. */
export function buildProgram(dispatch: Dispatch, output: TreeOutput): FettleCommand {
  const program = new FettleCommand('fettle')
    .description('Heals servers: alerts in, verified remedies out, within limits that make it safe to leave alone.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'help for a command')
    .helpCommand('help [command]', 'help for a command')
    .configureOutput({
      writeOut: output.out,
      writeErr: output.err,
      outputError: () => {},
      getOutHelpWidth: () => output.columns,
      getErrHelpWidth: () => output.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .example('fettle status', 'is it all well')
    .example('fettle run restart-service --node web-1 --arg unit=web.service --watch', 'heal one node and watch it')
    .example('fettle doctor', 'when something does not work');
  addPeopleCommands(program, dispatch);
  addStopCommands(program, dispatch);
  addRecordCommands(program, dispatch);
  addAuthorCommands(program, dispatch);
  addOperatorCommands(program, dispatch);
  addRoleCommands(program, dispatch);
  catchExits(program);
  return program;
}

function catchExits(command: FettleCommand): void {
  command.exitOverride((error) => {
    throw new UsageError(exitOf(error), messageOf(error), command.fullName, error);
  });
  for (const child of command.children) catchExits(child);
}

const SHOWN = new Set(['commander.helpDisplayed', 'commander.version']);

/** `fettle help` ends well, `fettle` alone shows the same help but was not a command. */
const exitOf = (error: CommanderError): 0 | 2 =>
  SHOWN.has(error.code) || (error.code === 'commander.help' && error.exitCode === 0) ? EXIT.ok : EXIT.usage;

/** One line without commander's own prefix; empty when help was shown instead. */
function messageOf(error: CommanderError): string {
  if (SHOWN.has(error.code) || error.code === 'commander.help') return '';
  return error.message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)$/s, '; did you mean $1?')
    .replaceAll('\n', ' ');
}

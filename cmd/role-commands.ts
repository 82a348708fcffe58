import { Option } from 'commander';
import type { Dispatch, FettleCommand } from './fettle-command.ts';
import type { RoleFlags } from './run-role.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** Declares the three roles. */
export function addRoleCommands(program: FettleCommand, dispatch: Dispatch): void {
  program.commandsGroup('Roles:');
  role(program, 'coordinator', 'decides about requests and runs the workflows').action((flags: RoleFlags) =>
    dispatch(async (io) => (await import('./coordinator.ts')).runCoordinator(io, flags)),
  );
  role(program, 'agent', 'does on this server what a workflow asks').action((flags: RoleFlags) =>
    dispatch(async (io) => (await import('./agent.ts')).runAgent(io, flags)),
  );
  role(program, 'trigger-daemon', 'watches sources and asks for workflows').action((flags: RoleFlags) =>
    dispatch(async (io) => (await import('./trigger-daemon.ts')).runTriggerDaemon(io, flags)),
  );
}

const role = (program: FettleCommand, name: string, does: string): FettleCommand =>
  program
    .command(name)
    .summary(does)
    .description(
      `Runs the ${name}, which ${does}. It logs one JSON object a line to standard output and runs in the foreground.\n` +
        'SIGTERM or SIGINT ends it in order, a second one at once; SIGHUP reads its rules again.',
    )
    .requiredOption('--config <path...>', 'configuration files, or directories of *.hcl files')
    .addOption(
      new Option('--log-level <level>', 'the least important lines to log').choices(LOG_LEVELS).default('info'),
    )
    .example(`fettle ${name} --config /etc/fettle/${name}.hcl`, `run the ${name} with one file`)
    .example(
      `fettle ${name} --config /etc/fettle/${name}.d --log-level debug`,
      'with a directory of files, and more to read',
    );

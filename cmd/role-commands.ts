import { Option } from 'commander';
import type { AgentCheckFlags } from './agent-check.ts';
import type { AgentHelperFlags } from './agent-helper.ts';
import { collect, type Dispatch, type FettleCommand } from './fettle-command.ts';
import type { RoleFlags } from './run-role.ts';

/** As commander says it of an option that every use of a command needs; `fettle agent check` does not need it. */
const MISSING = "error: required option '--config <path...>' not specified";
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** Declares the three roles. */
export function addRoleCommands(program: FettleCommand, dispatch: Dispatch): void {
  // What stands behind a command's name is that command's: `agent check --config`, say.
  program.enablePositionalOptions().commandsGroup('Roles:');
  role(program, 'coordinator', 'decides about requests and runs the workflows').action((flags: RoleFlags) =>
    dispatch(async (io) => (await import('./coordinator.ts')).runCoordinator(io, flags)),
  );
  const agent = role(program, 'agent', 'does on this server what a workflow asks').action(
    (flags: Partial<RoleFlags> & Pick<RoleFlags, 'logLevel'>) => {
      const { config } = flags;
      if (config === undefined) return agent.error(MISSING, { code: 'commander.missingMandatoryOptionValue' });
      return dispatch(async (io) => (await import('./agent.ts')).runAgent(io, { ...flags, config }));
    },
  );
  addAgentCheck(agent, dispatch);
  role(program, 'trigger-daemon', 'watches sources and asks for workflows').action((flags: RoleFlags) =>
    dispatch(async (io) => (await import('./trigger-daemon.ts')).runTriggerDaemon(io, flags)),
  );
  program
    .command('agent-helper')
    .summary("does for the agent what takes root's power")
    .description(
      'Answers one question of the agent, on the connection that is its standard input and output: systemd starts it for each\n' +
        'one (fettle-agent-helper.socket). It checks every order itself, from files that root alone can write, and keeps the ledger\n' +
        'of what was begun. Each change runs in a unit of its own (fettle-action-*), where this program runs with --attempt.',
    )
    .requiredOption('--config <path...>', "the agent's configuration")
    .option('--attempt <key>', 'run the attempt that stands under this name in the ledger')
    .addOption(
      new Option('--log-level <level>', 'the least important lines to log').choices(LOG_LEVELS).default('info'),
    )
    .example('fettle agent-helper --config /etc/fettle/agent.hcl', 'as the unit fettle-agent-helper@.service does')
    .action((flags: AgentHelperFlags) =>
      dispatch(async (io) => (await import('./agent-helper.ts')).runAgentHelper(io, flags)),
    );
}

/** `--config` behind `check` is its own, and has a default there. */
function addAgentCheck(agent: FettleCommand, dispatch: Dispatch): void {
  agent
    .enablePositionalOptions()
    .command('check')
    .summary('what this host would answer to an order, and why')
    .description(
      'Says what the agent of this host would answer to an order of a coordinator, and why: the allow and never blocks, the caps as\n' +
        'they stand, the brake, the arguments, and what would be done. Changes nothing and needs no network. Exit 0 when it would\n' +
        'be done, 6 when refused, 3 when the agent would not even start.',
    )
    .argument('<action>', 'e.g. systemd.restart')
    .addOption(
      new Option('--arg <name=value>', 'an argument; name:=json for another than text; repeat it for more').argParser<
        string[]
      >(collect),
    )
    .option('--config <path...>', "the agent's configuration; default /etc/fettle/agent.hcl")
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .example('fettle agent check systemd.restart --arg unit=web.service', 'may it be restarted here')
    .example('fettle agent check exec --arg command=clear-cache -o json', 'for a script')
    .action((action: string, flags: AgentCheckFlags) =>
      dispatch(async (io) => (await import('./agent-check.ts')).agentCheck(io, action, flags)),
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
    .addOption(
      new Option('--config <path...>', 'configuration files, or directories of *.hcl files').makeOptionMandatory(
        name !== 'agent',
      ),
    )
    .addOption(
      new Option('--log-level <level>', 'the least important lines to log').choices(LOG_LEVELS).default('info'),
    )
    .example(`fettle ${name} --config /etc/fettle/${name}.hcl`, `run the ${name} with one file`)
    .example(
      `fettle ${name} --config /etc/fettle/${name}.d --log-level debug`,
      'with a directory of files, and more to read',
    );

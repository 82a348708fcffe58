import { InvalidArgumentError, Option } from 'commander';
import type { CaInitFlags, CaIssueFlags, GrantKeyFlags, TemporalTokenFlags } from './ca-command.ts';
import type { DoctorFlags } from './doctor.ts';
import { type Dispatch, type FettleCommand, outputOption, withClient } from './fettle-command.ts';
import type { GateChangeFlags, GateFlags } from './gate-command.ts';
import type { SetupFlags } from './setup-temporal.ts';
import type { ValidateFlags } from './validate.ts';

/** The kinds of config/kinds.ts, written out: help must not load the parser. A test holds them together. */
export const FILE_KINDS = [
  'coordinator',
  'agent',
  'trigger-daemon',
  'workflow',
  'triggers',
  'inventory',
  'commands',
  'client',
] as const;

/** Declares the commands that set up and check an installation. */
export function addOperatorCommands(program: FettleCommand, dispatch: Dispatch): void {
  program.commandsGroup('Installation:');
  addValidate(program, dispatch);
  addDoctor(program, dispatch);
  addSetup(program, dispatch);
  addGate(program, dispatch);
  addLease(program, dispatch);
  addCa(program, dispatch);
}

function addValidate(program: FettleCommand, dispatch: Dispatch): void {
  program
    .command('validate')
    .summary('check configuration files')
    .description(
      'Checks files by the very loader that the roles run, and prints every problem with its place. The kind of a file is\n' +
        'known from its blocks. Exit 0 when all may be used (warnings do not count), else 3.',
    )
    .argument('<path...>', 'files, or directories of *.hcl files')
    .addOption(
      new Option('--kind <kind>', 'take all files as one configuration of this kind, as a role would').choices(
        FILE_KINDS,
      ),
    )
    .option(
      '--limits',
      'also show what would hold: modes and limits of each workflow, and when windows are closed next',
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .example('fettle validate /etc/fettle', 'every file of a directory')
    .example('fettle validate --limits /etc/fettle', 'before rolling out a change')
    .example('fettle validate -o json workflows.d/restart-service.hcl', 'one file, for an editor or CI')
    .action((paths: string[], flags: ValidateFlags) =>
      dispatch(async (io) => (await import('./validate.ts')).validate(io, paths, flags)),
    );
}

function addDoctor(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('doctor')
      .summary('find out what is wrong, and what to do')
      .description(
        'Checks configuration, certificates, Temporal, task queues, Prometheus, coordinators and clocks, as far as a file\n' +
          'of a role (--config) or your client profile names them. Exit 0 when nothing failed, else 1.',
      )
      .option('--config <path...>', 'configuration of a role; without it only the client profile is checked')
      .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table')),
  )
    .example('fettle doctor', 'can I reach and use a coordinator')
    .example('fettle doctor --config /etc/fettle/agent.hcl', 'can the agent of this server work')
    .action((flags: DoctorFlags) => dispatch(async (io) => (await import('./doctor.ts')).doctor(io, flags)));
}

function addSetup(program: FettleCommand, dispatch: Dispatch): void {
  const setup = program
    .command('setup')
    .summary('prepare what Fettle stands on')
    .description('Prepares what Fettle stands on.');
  setup
    .command('temporal')
    .summary('namespaces, search attributes, gate')
    .description(
      'Makes the two namespaces, the search attributes and the gate on a Temporal server; what is there already stays.',
    )
    .requiredOption('--config <path...>', "the coordinator's configuration")
    .addOption(
      new Option('--retention-days <days>', 'how long ended executions are kept').argParser(daysArgument).default(30),
    )
    .addOption(outputOption().choices(['table', 'json']))
    .example('fettle setup temporal --config /etc/fettle/coordinator.hcl', 'once, before the first coordinator starts')
    .action((flags: SetupFlags) => dispatch(async (io) => (await import('./setup-temporal.ts')).setup(io, flags)));
}

const CONFIG = [
  '--config <path...>',
  "a coordinator's configuration: the command uses its access to Temporal",
] as const;
const REASON = ['--reason <text>', "why, for the gate's journal"] as const;

function addGate(program: FettleCommand, dispatch: Dispatch): void {
  const gate = program
    .command('gate')
    .summary('look at the gate, and take it back into service')
    .description("Looks at the gate that takes all decisions, on a coordinator's host.");
  gate
    .command('leases')
    .summary('what the gate holds')
    .description(
      'Lists the leases that hold limits now: running executions, and orphans of which something is not settled.',
    )
    .requiredOption(...CONFIG)
    .addOption(outputOption())
    .example('fettle gate leases --config /etc/fettle/coordinator.hcl', 'what holds the limits')
    .action((flags: GateFlags) => dispatch(async (io) => (await import('./gate-command.ts')).gateLeases(io, flags)));
  gate
    .command('adopt')
    .summary('let a quarantined gate decide again')
    .description(
      'A gate that knows less than coordinators have seen (restored from a backup, its history deleted) decides nothing\n' +
        'until a person has looked and adopts it. It then numbers its leases above all that coordinators have seen.\n' +
        'One that was terminated or reset is replaced by the coordinators themselves.',
    )
    .requiredOption(...CONFIG)
    .requiredOption(...REASON)
    .option('--anew', 'put a new gate in its place, with empty counts: where its history is gone for good')
    .example(
      'fettle gate adopt --config /etc/fettle/coordinator.hcl --reason "restored from backup"',
      'after a restore',
    )
    .action((flags: GateChangeFlags & { anew?: boolean }) =>
      dispatch(async (io) => (await import('./gate-command.ts')).adoptGate(io, flags)),
    );
}

function addLease(program: FettleCommand, dispatch: Dispatch): void {
  program
    .command('lease')
    .summary('free what an orphan holds')
    .description("Changes leases by hand, on a coordinator's host.")
    .command('free')
    .summary("free an orphaned lease's limits")
    .description(
      'An orphaned lease keeps its limits until there is proof that nothing of it can still act. This is your word instead of proof:\n' +
        'give it when you know, for example because the host no longer exists.',
    )
    .argument('<lease>', 'execution id, or the number at its end')
    .requiredOption(...CONFIG)
    .requiredOption(...REASON)
    .example(
      'fettle lease free 1-4k --config /etc/fettle/coordinator.hcl --reason "web-1 was scrapped"',
      'the host is gone',
    )
    .action((id: string, flags: GateChangeFlags) =>
      dispatch(async (io) => (await import('./gate-command.ts')).freeLease(io, id, flags)),
    );
}

function daysArgument(text: string): number {
  const days = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (days < 1 || days > 3650) throw new InvalidArgumentError('Write a number of days from 1 to 3650.');
  return days;
}

function hoursArgument(text: string): number {
  const hours = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (hours < 1 || hours > 8784) throw new InvalidArgumentError('Write a number of hours from 1 to 8784.');
  return hours;
}

function addCa(program: FettleCommand, dispatch: Dispatch): void {
  const ca = program
    .command('ca')
    .summary('certificates for development and small fleets')
    .description(
      'A certificate authority in a directory, for development and small fleets. Larger ones have SPIRE or their own.',
    );
  ca.command('init')
    .summary('make the authority')
    .description(
      'Makes an authority: its key (mode 0600), its certificate and the bundle that all parts trust. Never overwrites.',
    )
    .requiredOption('--dir <directory>', 'where it lives')
    .requiredOption('--trust-domain <name>', 'e.g. example.com')
    .example('fettle ca init --dir ca --trust-domain example.com', 'make it')
    .action((flags: CaInitFlags) => dispatch(async (io) => (await import('./ca-command.ts')).caInit(io, flags)));
  ca.command('issue')
    .summary('issue one certificate')
    .description('Issues a certificate and key (mode 0600) for one SPIFFE id. Overwrites only with --renew.')
    .argument(
      '<subject>',
      'coordinator, agent/DATACENTER/TYPE/NODE, trigger-daemon/NAME, person/NAME, or a whole SPIFFE id',
    )
    .requiredOption('--dir <directory>', 'where the authority lives')
    .requiredOption('--out <directory>', 'where to write svid.pem, svid.key and bundle.pem')
    .addOption(new Option('--hours <hours>', 'how long it is valid; default 24').argParser(hoursArgument))
    .option('--renew', 'replace a certificate of the same id that is there')
    .example('fettle ca issue coordinator --dir ca --out coordinator-1', 'for a coordinator')
    .example('fettle ca issue agent/dc1/web/web-1 --dir ca --out web-1', 'for the agent of a server')
    .example('fettle ca issue person/oncall --dir ca --out oncall --hours 720', 'for a person')
    .action((subject: string, flags: CaIssueFlags) =>
      dispatch(async (io) => (await import('./ca-command.ts')).caIssue(io, subject, flags)),
    );
  ca.command('grant-key')
    .summary("make the coordinators' signing key")
    .description(
      'Makes the key by which coordinators sign orders to agents (mode 0600), and its public half for the agents.',
    )
    .requiredOption('--out <directory>', 'where to write grant.key and grant.pub')
    .example('fettle ca grant-key --out /etc/fettle', 'make both')
    .action((flags: GrantKeyFlags) => dispatch(async (io) => (await import('./ca-command.ts')).caGrantKey(io, flags)));
  ca.command('token-key')
    .summary("make the key of agents' Temporal tokens")
    .description(
      "Makes the key by which coordinators sign agents' tokens for Temporal (mode 0600), and the file by which Temporal's JWT\n" +
        'authorizer checks them.',
    )
    .requiredOption('--out <directory>', 'where to write agent-token.key and agent-token.jwks.json')
    .example('fettle ca token-key --out /etc/fettle', 'make both')
    .action((flags: GrantKeyFlags) => dispatch(async (io) => (await import('./ca-command.ts')).caTokenKey(io, flags)));
  ca.command('temporal-token')
    .summary("make the coordinators' own token for Temporal")
    .description(
      "Signs a token by which coordinators and fettle setup temporal may use both namespaces, where Temporal's JWT authorizer\n" +
        'trusts the token key. It is written to a file (mode 0600) that temporal { api_key_file } names, and that\n' +
        'they read again when it changes. Overwrites only with --renew.',
    )
    .requiredOption('--key <file>', 'agent-token.key')
    .requiredOption('--out <file>', 'where to write it')
    .addOption(new Option('--hours <hours>', 'how long it is valid; default 2160, 90 days').argParser(hoursArgument))
    .option('--renew', 'replace the token that is there')
    .option('--namespace <name>', 'control namespace', 'fettle')
    .option('--agents-namespace <name>', "agents' namespace", 'fettle-agents')
    .example(
      'fettle ca temporal-token --key /etc/fettle/agent-token.key --out /etc/fettle/temporal.token',
      'for all coordinators',
    )
    .action((flags: TemporalTokenFlags) =>
      dispatch(async (io) => (await import('./ca-command.ts')).caTemporalToken(io, flags)),
    );
}

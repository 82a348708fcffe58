import type { ApproveFlags, DenyFlags } from './approve.ts';
import {
  type ClientFlags,
  collect,
  type Dispatch,
  durationArgument,
  type FettleCommand,
  outputOption,
  type OutputOption,
  withClient,
} from './fettle-command.ts';
import type { LimitsFlags } from './limits.ts';
import type { PauseFlags } from './pause.ts';
import type { ResumeFlags } from './resume.ts';
import type { StopHereFlags } from './stop-here.ts';
import type { WindowAddFlags } from './window.ts';
import { Option } from 'commander';

const REASON = ['--reason <text>', 'why, for the record'] as const;

/** Declares the commands that stop and start again, and that say yes or no. */
export function addStopCommands(program: FettleCommand, dispatch: Dispatch): void {
  program.commandsGroup('Stop and go:');
  addPause(program, dispatch);
  addResume(program, dispatch);
  addStopHere(program, dispatch);
  addWindows(program, dispatch);
  addLimits(program, dispatch);
  addApproval(program, dispatch);
}

function addPause(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('pause')
      .summary('stop remedies, all or some')
      .description(
        'Nothing new is admitted in the scope, and what runs there gets no further step; undoing what was done goes on. It is\n' +
          'kept in the gate, so it survives every restart, until somebody resumes it. What is refused meanwhile is not done later;\n' +
          'what waited before is decided again.',
      )
      .argument('[what]', 'everything, or one of workflow, datacenter, node_type, node')
      .argument('[name]', 'its name')
      .requiredOption(...REASON)
      .addOption(
        new Option('--for <duration>', 'lifts itself after so long, e.g. 30m').argParser((text: string) =>
          durationArgument(text),
        ),
      )
      .option('--force', 'also when nothing of that name is known yet')
      .addOption(outputOption()),
  )
    .example('fettle pause everything --reason "alert storm" --for 30m', 'stop it all for half an hour')
    .example('fettle pause workflow restart-service --reason "bad release"', 'one workflow, until it is resumed')
    .example('fettle pause node web-1 --reason "in repair"', 'one host')
    .action((what: string | undefined, name: string | undefined, flags: PauseFlags) =>
      dispatch(async (io) => (await import('./pause.ts')).pause(io, what, name, flags)),
    );
}

function addResume(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('resume')
      .summary('lift a pause, or close a breaker')
      .description(
        'Lifts a pause by its id, or closes a breaker that suspended a workflow after remedies that did not help; fettle status\n' +
          'shows both. What waits is decided again at once.',
      )
      .argument('[id]', 'of the pause or breaker, as fettle status prints it')
      .option('--all', 'every pause; breakers are closed one by one')
      .requiredOption(...REASON)
      .addOption(outputOption()),
  )
    .example('fettle resume p-3f9a1c07 --reason "release rolled back"', 'one pause')
    .example('fettle resume --all --reason "storm is over"', 'every pause')
    .action((id: string | undefined, flags: ResumeFlags) =>
      dispatch(async (io) => (await import('./resume.ts')).resume(io, id, flags)),
    );
}

function addStopHere(program: FettleCommand, dispatch: Dispatch): void {
  program
    .command('stop-here')
    .summary("pull this host's own brake, or lift it")
    .description(
      'Nothing new is done on this host from the next instant on, whatever coordinators say. It needs no coordinator and no network:\n' +
        "it writes the agent's brake file (/etc/fettle/stop unless the agent's file says otherwise), which stays until it is lifted.",
    )
    .option('--reason <text>', 'why; shown wherever an order is refused')
    .option('--cancel-running', 'also end what is at work now')
    .option('--lift', 'take the brake off again')
    .option('--config <path...>', "the agent's configuration; default /etc/fettle/agent.hcl")
    .example('fettle stop-here --reason "disk is being replaced"', 'hands off this host')
    .example('fettle stop-here --cancel-running --reason "the remedy makes it worse"', 'and end what runs')
    .example('fettle stop-here --lift', 'let remedies run here again')
    .action((flags: StopHereFlags) => dispatch(async (io) => (await import('./stop-here.ts')).stopHere(io, flags)));
}

function addWindows(program: FettleCommand, dispatch: Dispatch): void {
  const window = program
    .command('window')
    .summary('when something must not be changed')
    .description(
      'Windows: intervals in which nothing new begins. Those that come again stand in window blocks of files.',
    );
  const list = (flags: string, text: string): Option => new Option(flags, text).argParser<string[]>(collect);
  withClient(
    window
      .command('add')
      .summary('nothing new begins while it lasts')
      .description(
        'Nothing new begins in its scope while it lasts. A target is covered when it fits each list given; what waits, waits for\n' +
          'the end of the window.',
      )
      .addOption(list('--workflow <name>', 'only this workflow; repeat it for more'))
      .addOption(list('--node-type <type>', 'only nodes of this type; repeat it for more'))
      .addOption(list('--datacenter <name>', 'only there; repeat it for more'))
      .addOption(list('--node <name>', 'only this node; repeat it for more'))
      .option('--everything', 'all of it')
      .option('--from <time>', 'begins then, e.g. 2026-11-21T22:00:00Z; default now')
      .option('--until <time>', 'ends then')
      .addOption(new Option('--for <duration>', 'lasts so long').argParser((text: string) => durationArgument(text)))
      .requiredOption(...REASON)
      .option('--force', 'also when nothing of that name is known yet')
      .addOption(outputOption()),
  )
    .example(
      'fettle window add --node-type db --for 2h --reason "schema change"',
      'no database is touched for two hours',
    )
    .example(
      'fettle window add --datacenter dc1 --from 2026-11-21T22:00:00Z --until 2026-11-22T02:00:00Z --reason "power works"',
      'a night, announced',
    )
    .action((flags: WindowAddFlags) => dispatch(async (io) => (await import('./window.ts')).addWindow(io, flags)));
  withClient(
    window
      .command('list')
      .summary('windows in force and to come')
      .description('Lists the windows that are in force now or to come, of files and of people.')
      .addOption(outputOption()),
  )
    .example('fettle window list', 'all of them')
    .action((flags: ClientFlags & OutputOption) =>
      dispatch(async (io) => (await import('./window.ts')).listWindows(io, flags)),
    );
  withClient(
    window
      .command('remove')
      .summary('take a window away')
      .description('Takes away a window that somebody added; what waited for its end is decided again at once.')
      .argument('<name>', 'as fettle window list prints it')
      .requiredOption(...REASON)
      .addOption(outputOption()),
  )
    .example('fettle window remove w-3f9a1c07 --reason "done early"', 'before its time')
    .action((name: string, flags: ClientFlags & OutputOption & { reason: string }) =>
      dispatch(async (io) => (await import('./window.ts')).removeWindow(io, name, flags)),
    );
}

function addLimits(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('limits')
      .summary('what limits a workflow, and what is left')
      .description(
        'Shows each limit of a workflow as it stands for a node, a node type or a datacenter: how much is taken, by what, and when\n' +
          'it can be free.',
      )
      .argument('<workflow>', 'its name; see fettle workflows')
      .option('--node <name>', 'for this node')
      .option('--node-type <type>', 'for a node type as a whole')
      .option('--datacenter <name>', 'for a datacenter as a whole; with --node-type: only there')
      .addOption(outputOption()),
  )
    .example('fettle limits restart-service --node web-1', 'why was it refused')
    .action((workflow: string, flags: LimitsFlags) =>
      dispatch(async (io) => (await import('./limits.ts')).showLimits(io, workflow, flags)),
    );
}

function addApproval(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('approve')
      .summary('say yes to a request that waits for it')
      .description(
        'Shows what is approved (workflow, target, arguments, plan) and says yes to that plan and no other. Whoever asked cannot\n' +
          'approve it. It is then decided like any request: its limits still hold.',
      )
      .argument('<id>', 'pending:..., as fettle ps prints it')
      .option('--reason <text>', 'why, for the record; required with --break-glass')
      .option('--plan <digest>', 'only if this is its plan, as fettle show prints it')
      .option('--break-glass', 'without a second person, and through closed windows; never through limits or a pause')
      .addOption(outputOption()),
  )
    .example('fettle approve pending:4k9', 'after: fettle show pending:4k9')
    .example('fettle approve pending:4k9 --break-glass --reason "site is down, alone on call"', 'loudly on record')
    .action((id: string, flags: ApproveFlags) =>
      dispatch(async (io) => (await import('./approve.ts')).approve(io, id, flags)),
    );
  withClient(
    program
      .command('deny')
      .summary('say no to a request that waits')
      .description('Says no to a request that waits: it ends, and nothing runs.')
      .argument('<id>', 'pending:..., as fettle ps prints it')
      .requiredOption(...REASON)
      .addOption(outputOption()),
  )
    .example('fettle deny pending:4k9 --reason "not during the sale"', 'it ends')
    .action((id: string, flags: DenyFlags) =>
      dispatch(async (io) => (await import('./approve.ts')).deny(io, id, flags)),
    );
}

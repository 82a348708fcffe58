import { Option } from 'commander';
import type { CancelFlags } from './cancel.ts';
import type { NodeChangeFlags, NodeOp } from './node-change.ts';
import {
  type ClientFlags,
  collect,
  countArgument,
  type Dispatch,
  durationArgument,
  type FettleCommand,
  outputOption,
  type OutputOption,
  withClient,
} from './fettle-command.ts';
import type { PsFlags } from './ps.ts';
import type { RunFlags } from './run.ts';

/** Declares the commands that ask a coordinator. */
export function addPeopleCommands(program: FettleCommand, dispatch: Dispatch): void {
  program.commandsGroup('Remedies:');
  addRun(program, dispatch);
  addLists(program, dispatch);
  addOne(program, dispatch);
  program.commandsGroup('Fleet:');
  addFleet(program, dispatch);
}

function addRun(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('run')
      .summary('ask for a workflow on a target')
      .description(
        'Asks a coordinator to run a workflow. The gate decides; a refusal names every limit that stands against it.\n' +
          'Exit codes: 0 admitted, waiting, or already running for the same request; 4 not allowed; 6 refused; 7 no decision;\n' +
          'with --wait or --watch also 5 (ended without healing) and 124 (not ended in time).',
      )
      .argument('<workflow>', 'its name; see fettle workflows')
      .option('--node <name>', 'the node to heal')
      .option('--node-type <type>', 'a node type as a whole; with --max: its alive nodes, one request each')
      .option('--datacenter <name>', 'a datacenter as a whole; with --node-type: only there')
      .addOption(new Option('--max <count>', 'at most so many nodes of the type').argParser(countArgument))
      .addOption(
        new Option('--arg <name=value>', 'an argument, as text; name:=json for a number, bool or list').argParser<
          string[]
        >(collect),
      )
      .option('--dry-run', 'everything but the change: agents check, and do not act')
      .addOption(
        new Option(
          '--wait [duration]',
          'wait for its limits to be free, and until it has ended, at most so long',
        ).argParser((text: string) => durationArgument(text)),
      )
      .option('--watch', 'show what happens until it has ended')
      .option('--reason <text>', 'why, for the record')
      .option('--request-id <id>', 'your own id; the same id gets the same answer')
      .addOption(outputOption()),
  )
    .example('fettle run restart-service --node web-1 --arg unit=web.service --watch', 'heal one node and watch it')
    .example(
      'fettle run restart-service --node-type web --max 3 --arg unit=web.service --wait 10m',
      'at most three nodes, and wait for them',
    )
    .example('fettle run restart-service --node web-1 --arg unit=web.service --dry-run', 'what would happen')
    .action((workflow: string, flags: RunFlags) =>
      dispatch(async (io) => (await import('./run.ts')).runWorkflow(io, workflow, flags)),
    );
}

function addLists(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('ps')
      .summary('list executions, and what waits')
      .description(
        'Lists the executions that are running, newest first, and the requests that wait: for what, in which place, and when they are\n' +
          'decided again. With --all also executions that have ended.',
      )
      .option('-a, --all', 'also those that have ended')
      .option('--node <name>', 'only on this node')
      .option('--workflow <name>', 'only of this workflow')
      .option('--since <when>', 'only begun since: a duration such as 2h, or 2026-11-21T10:00:00Z')
      .addOption(outputOption()),
  )
    .example('fettle ps', 'what is running now')
    .example('fettle ps --all --since 24h --node web-1', 'what happened to one node in a day')
    .example('fettle ps --all -o jsonl', 'one JSON object a line')
    .action((flags: PsFlags) => dispatch(async (io) => (await import('./ps.ts')).listExecutions(io, flags)));
}

function addOne(program: FettleCommand, dispatch: Dispatch): void {
  const id = 'whole id, or its number alone, as fettle ps prints them';
  withClient(
    program
      .command('show')
      .summary('everything about one execution')
      .description(
        'Shows one execution: who asked and why, the evidence, the plan, each step with its permit and receipt, the outcome.\n' +
          'Of a request that waits (pending:...): what it waits for, or what it became.',
      )
      .argument('<id>', id)
      .addOption(outputOption()),
  )
    .example('fettle show restart-service:web-1:1-7', 'by its whole id')
    .example('fettle show 1-7 -o json', 'by its number, as JSON')
    .action((text: string, flags: ClientFlags & OutputOption) =>
      dispatch(async (io) => (await import('./show.ts')).showExecution(io, text, flags)),
    );
  withClient(
    program
      .command('watch')
      .summary('follow one execution until it has ended')
      .description(
        'Shows what happened so far, then what happens. Ends with the outcome: exit 0 for healed, no_fault and dry_run, else 5.',
      )
      .argument('<id>', id)
      .addOption(outputOption()),
  )
    .example('fettle watch 1-7', 'follow it here')
    .example('fettle watch 1-7 -o jsonl', 'one JSON object for each event')
    .action((text: string, flags: ClientFlags & OutputOption) =>
      dispatch(async (io) => (await import('./watch.ts')).watchExecution(io, text, flags)),
    );
  addCancel(program, dispatch, id);
}

function addCancel(program: FettleCommand, dispatch: Dispatch, id: string): void {
  withClient(
    program
      .command('cancel')
      .summary('end executions in order')
      .description(
        'Asks an execution to end: what an agent is doing is stopped, what was done is undone where the workflow says how.\n' +
          'A request that waits (pending:...) waits no more.\n' +
          'It returns once the coordinator has taken the wish; fettle watch shows the rest.',
      )
      .argument('[id]', id)
      .option('--all <workflow>', 'every running execution of this workflow, instead of one id')
      .option('--reason <text>', 'why, for the record; required with --all')
      .addOption(outputOption()),
  )
    .example('fettle cancel 1-7 --reason "wrong unit"', 'one execution')
    .example('fettle cancel --all restart-service --reason "bad release"', 'all that are running of one workflow')
    .action((text: string | undefined, flags: CancelFlags) =>
      dispatch(async (io) => (await import('./cancel.ts')).cancelExecutions(io, text, flags)),
    );
}

function addNodeChanges(nodes: FettleCommand, dispatch: Dispatch): void {
  const change = (op: NodeOp, summary: string, description: string): FettleCommand =>
    withClient(
      nodes
        .command(op)
        .summary(summary)
        .description(description)
        .argument('<node>', 'its name; see fettle nodes')
        .requiredOption('--reason <text>', 'why, for the record')
        .option('--force', 'also when no node of that name is known')
        .addOption(outputOption()),
    ).action((node: string, flags: NodeChangeFlags) =>
      dispatch(async (io) => (await import('./node-change.ts')).changeNode(io, op, node, flags)),
    );
  change(
    'revoke',
    'shut a node out',
    'No orders are sent to the node any more, and its agent gets no credential for Temporal: the one it has ends within minutes\n' +
      '(agent_tokens { ttl }). It holds over every restart, until somebody restores the node.',
  ).example('fettle nodes revoke web-1 --reason "its certificate was copied"', 'after a break-in');
  change(
    'restore',
    'let a node in again',
    'Takes back a revocation. Give the host a new certificate first, if the old one was the reason.',
  ).example('fettle nodes restore web-1 --reason "reinstalled, new certificate"', 'when it is clean');
  change(
    'unpin',
    'forget which machine a node is',
    'The first machine whose receipt checks is the node from then on, and no other is believed. After a reinstallation the machine\n' +
      'has another id: then forget the old one. Where the inventory names the machine, change that instead.',
  ).example('fettle nodes unpin web-1 --reason "new disk"', 'after a reinstallation');
}

function addFleet(program: FettleCommand, dispatch: Dispatch): void {
  const list = (of: FettleCommand, summary: string, description: string): FettleCommand =>
    withClient(of.summary(summary).description(description).addOption(outputOption()));
  const nodes = program
    .command('nodes')
    .summary('list the nodes of the fleet, shut one out')
    .description('Lists nodes, or changes what is known of one. Without a further word it lists them.');
  list(
    nodes.command('list', { isDefault: true }),
    'list the nodes of the fleet',
    'Lists the nodes that coordinators know: from the agents that are alive, and the inventory.',
  )
    .example('fettle nodes', 'all of them')
    .example('fettle nodes -o wide', 'with labels, machines, and why one is shut out')
    .action((flags: ClientFlags & OutputOption) =>
      dispatch(async (io) => (await import('./nodes.ts')).listNodes(io, flags)),
    );
  addNodeChanges(nodes, dispatch);
  list(
    program.command('workflows'),
    'list the workflows and their limits',
    'Lists the workflows that can be run, where they run, their limits and inputs.',
  )
    .example('fettle workflows', 'all of them')
    .example('fettle workflows -o json', 'with every input, as JSON')
    .action((flags: ClientFlags & OutputOption) =>
      dispatch(async (io) => (await import('./workflows.ts')).listWorkflows(io, flags)),
    );
  list(
    program.command('status'),
    'is it all well',
    'Says whether the coordinator reaches Temporal, whether the gate is open, how many nodes are alive, which files are in force.\n' +
      'Shows what stands in the way, each with the command that lifts it: pauses, windows, breakers, orphaned leases.\n' +
      'Exit 1 when requests cannot be decided now.',
  )
    .example('fettle status', 'one screen')
    .example('fettle status -o json', 'for a script')
    .action((flags: ClientFlags & OutputOption) =>
      dispatch(async (io) => (await import('./status.ts')).showStatus(io, flags)),
    );
}

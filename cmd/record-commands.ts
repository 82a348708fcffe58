import { Option } from 'commander';
import type { AuditVerifyFlags } from './audit-command.ts';
import type { DecisionsFlags } from './decisions.ts';
import { type Dispatch, type FettleCommand, outputOption, withClient } from './fettle-command.ts';
import type { WhyFlags } from './why.ts';

/** Declares the commands that tell what was decided, and why. */
export function addRecordCommands(program: FettleCommand, dispatch: Dispatch): void {
  program.commandsGroup('What was decided:');
  addDecisions(program, dispatch);
  addWhy(program, dispatch);
  addAudit(program, dispatch);
}

function addDecisions(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('decisions')
      .summary('list what was decided, newest first')
      .description(
        "Lists the decisions of the gate's own record: admitted, duplicate, refused, pending, ended, and what was only rehearsed.\n" +
          'A request that waits is listed when it begins to and when that ends. It says how far back the record reaches.',
      )
      .option('--workflow <name>', 'only of this workflow')
      .option('--node <name>', 'only about this node')
      .option('--refused', 'only refusals')
      .option('--since <when>', 'only since: a duration such as 2h, or 2026-11-21T10:00:00Z')
      .option('--all', 'the whole record, instead of the newest 50')
      .addOption(outputOption()),
  )
    .example('fettle decisions --refused --since 2h', 'what was refused lately, and why')
    .example('fettle decisions --node web-1 -o wide', 'with requests, callers and sources')
    .example('fettle decisions --all -o jsonl', 'everything, one JSON object a line')
    .action((flags: DecisionsFlags) =>
      dispatch(async (io) => (await import('./decisions.ts')).listDecisions(io, flags)),
    );
}

function addWhy(program: FettleCommand, dispatch: Dispatch): void {
  withClient(
    program
      .command('why')
      .summary('why something was done, or was not')
      .description(
        'Tells the story of a request in sentences: who asked, on what evidence, what was decided and how each limit stood at that\n' +
          'moment, pauses and windows then in force, how it waited, which steps were permitted or not, and what it became. Of what\n' +
          'was refused or waits it also says what is in its way now. Of a node or an alert it tells the latest three.',
      )
      .argument('[id]', "a request's id, an execution's id or its number alone, or pending:...")
      .option('--node <name>', 'the latest requests about this node')
      .option('--alert <name>', 'the latest requests of this trigger or alert')
      .addOption(outputOption()),
  )
    .example('fettle why restart-service:web-1:1-7', 'one execution')
    .example('fettle why --node web-1', 'why was nothing done about this node')
    .example('fettle why --alert web-wedged', 'what became of an alert')
    .action((id: string | undefined, flags: WhyFlags) =>
      dispatch(async (io) => (await import('./why.ts')).explain(io, id, flags)),
    );
}

function addAudit(program: FettleCommand, dispatch: Dispatch): void {
  program
    .command('audit')
    .summary('check audit files')
    .description('Checks what coordinators wrote to their audit files.')
    .command('verify')
    .summary('is the chain whole')
    .description(
      'Checks that each line of the files is what its hash says and follows the line before, and names the first that does not.\n' +
        'Give all files of one coordinator, rotated and compressed ones (.gz) too, in any order. A file alone cannot tell that its end was\n' +
        'cut off: compare it with a place that you know, by --head. Exit 0 when the chain is whole, else 1.',
    )
    .argument('<file...>', 'audit files of one coordinator')
    .option(
      '--head <number:hash>',
      'a place that the chain must hold, as the log of the coordinator or an earlier check named it',
    )
    .option('--json', 'the same as -o json')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .example('fettle audit verify /var/log/fettle/audit.jsonl*', 'all files of this coordinator')
    .action((files: string[], flags: AuditVerifyFlags) =>
      dispatch(async (io) => (await import('./audit-command.ts')).auditVerify(io, files, flags)),
    );
}

import { Option } from 'commander';
import { FAKE_WORDS, OUTCOMES } from './outcome-words.ts';
import { collect, type Dispatch, type FettleCommand, outputOption } from './fettle-command.ts';
import type { TestFlags } from './test-workflow.ts';

/** Declares the commands for those who write workflows. */
export function addAuthorCommands(program: FettleCommand, dispatch: Dispatch): void {
  program
    .commandsGroup('Workflows:')
    .command('test')
    .summary('run a workflow against fakes, without a fleet')
    .description(
      'Runs a workflow file to its end in this process: the very code that coordinators run, with every agent, the gate and every source\n' +
        'faked and time skipped. Shows the steps, undo, proof and outcome. Arguments are checked as a coordinator and an agent check them.\n' +
        'A file without steps runs the TypeScript workflow of its name. Exit 0 when it ends as expected, else 5.',
    )
    .argument('<file>', 'workflow file, NAME.hcl')
    .option('--node-type <type>', 'type of the target; for a workflow that may heal a type: the target')
    .option('--node <name>', 'name of the node to heal')
    .option('--datacenter <name>', 'its datacenter')
    .addOption(collected('--arg <name=value>', 'an argument, as text; name:=json for a number, bool or list'))
    .addOption(
      collected(
        '--fake <step=result>',
        `how a step ends, else done: ${FAKE_WORDS.join(', ')}; a code behind a colon (refused:brake); several, with commas, for one attempt after the other`,
      ),
    )
    .addOption(
      collected('--fact <step.name=value>', 'a fact in the receipt of a step; name:=json for a number or bool'),
    )
    .option('--dry-run', 'as a rehearsal')
    .addOption(
      new Option('--expect <outcome>', 'exit 0 when it ends so').choices(OUTCOMES).default(undefined, 'healed'),
    )
    .addOption(outputOption())
    .example('fettle test workflows.d/restart-service.hcl --arg unit=web.service', 'all goes well')
    .example(
      'fettle test workflows.d/restart-service.hcl --arg unit=web.service --fake restart=failed,done',
      'the first attempt fails',
    )
    .example(
      'fettle test workflows.d/restart-service.hcl --arg unit=web.service --fake verify=unhealthy --expect ineffective -o json',
      'for CI: it does not help, and the remedy has to notice',
    )
    .action((file: string, flags: TestFlags) =>
      dispatch(async (io) => (await import('./test-workflow.ts')).testWorkflow(io, file, flags)),
    );
}

const collected = (flags: string, text: string): Option => new Option(flags, text).argParser<string[]>(collect);

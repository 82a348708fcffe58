import { Command, InvalidArgumentError, Option } from 'commander';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { OUTPUT_FORMATS } from './list-output.ts';
import { parseDurationText } from './time-text.ts';

/** Does a command's work. Modules are imported inside it, so that one command does not load what another needs. */
export type Task = (io: Io) => Promise<ExitCode>;
/** Takes over the task that a command line asks for. */
export type Dispatch = (task: Task) => void;

export type Example = { readonly line: string; readonly does: string };

/** A command that knows its examples, for help, the documentation and the test that each of them parses. */
export class FettleCommand extends Command {
  readonly examples: Example[] = [];

  override createCommand(name?: string): FettleCommand {
    return new FettleCommand(name);
  }

  /** The commands below this one, by their own type. */
  get children(): readonly FettleCommand[] {
    return this.commands.filter((command) => command instanceof FettleCommand);
  }

  /** Adds examples to the help; `line` begins with `fettle`. */
  example(line: string, does: string): this {
    if (this.examples.length === 0) this.addHelpText('after', () => `\n${formatExamples(this.examples)}`);
    this.examples.push({ line, does });
    return this;
  }

  /** The whole command line up to here: `fettle ca issue`. */
  get fullName(): string {
    const parent = this.parent;
    return parent instanceof FettleCommand ? `${parent.fullName} ${this.name()}` : this.name();
  }
}

const formatExamples = (examples: readonly Example[]): string =>
  ['Examples:', ...examples.flatMap(({ line, does }) => [`  # ${does}`, `  $ ${line}`])].join('\n');

export type OutputOption = { output: (typeof OUTPUT_FORMATS)[number] };

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(OUTPUT_FORMATS).default('table');

/** Flags of every command that talks to a coordinator; each has an environment variable and a key of the client profile. */
export type ClientFlags = {
  readonly coordinator?: readonly string[] | undefined;
  readonly coordinatorId?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly bundle?: string | undefined;
};

/** Adds the client's flags under a heading of their own. */
export function withClient(command: FettleCommand): FettleCommand {
  const flag = (flags: string, text: string): Option =>
    new Option(flags, text).helpGroup('How to reach a coordinator:');
  return command
    .addOption(
      flag(
        '--coordinator <url>',
        'a coordinator, https://host:port; repeat it for more (FETTLE_COORDINATOR)',
      ).argParser<string[]>(collect),
    )
    .addOption(flag('--coordinator-id <spiffe id>', 'the id it must prove (FETTLE_COORDINATOR_ID)'))
    .addOption(flag('--cert <file>', 'your certificate, PEM (FETTLE_CERT)'))
    .addOption(flag('--key <file>', 'its private key, PEM (FETTLE_KEY)'))
    .addOption(flag('--bundle <file>', 'the authorities you trust, PEM (FETTLE_BUNDLE)'));
}

/** Parser of an option that may be given more than once. */
export const collect = (value: string, previous: readonly string[] | undefined): string[] => [
  ...(previous ?? []),
  value,
];

/** Parser of a duration in milliseconds. @throws InvalidArgumentError */
export function durationArgument(text: string): number {
  const ms = parseDurationText(text);
  if (ms === null) throw new InvalidArgumentError('Write a duration such as 90s, 5m or 1h30m.');
  return ms;
}

/** Parser of a whole number from 1 on. @throws InvalidArgumentError */
export function countArgument(text: string): number {
  const count = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError('Write a whole number from 1 to 999999.');
  return count;
}

import type { Argument, Option } from 'commander';
import type { FettleCommand } from './fettle-command.ts';

/** docs/command-line.md, made from the very tree that parses command lines. */
export function commandLinePage(program: FettleCommand): string {
  const sections = program.children.flatMap((command) => section(command, 3));
  return `${[PREFACE, '## Commands', '', ...sections].join('\n').trimEnd()}\n`;
}

function section(command: FettleCommand, level: number): string[] {
  const children = command.children.flatMap((child) => section(child, level + 1));
  const usage = `${command.fullName} ${command.usage()}`.trim();
  return [
    `${'#'.repeat(level)} \`${command.fullName}\``,
    '',
    command.description(),
    '',
    // A group of commands does nothing by itself; a command may have others beside what it does.
    ...(children.length > 0 && command.options.length === 0
      ? []
      : ['```text', usage, '```', '', ...tables(command), ...examples(command)]),
    ...children,
  ];
}

function tables(command: FettleCommand): string[] {
  const words = command.registeredArguments.map((argument) => [`\`${argumentText(argument)}\``, argument.description]);
  const options = command.options.filter((option) => option.helpGroupHeading === undefined);
  const flags = options.map((option) => [`\`${option.flags}\``, optionText(option)]);
  const client =
    command.options.length > options.length
      ? ['Also the flags of [how to reach a coordinator](#how-to-reach-a-coordinator).', '']
      : [];
  const rows = [...words, ...flags].map((cells) => `| ${cells.map(cell).join(' | ')} |`);
  return [...(rows.length === 0 ? [] : ['| word or flag | |', '|---|---|', ...rows, '']), ...client];
}

function argumentText(argument: Argument): string {
  const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${text}>` : `[${text}]`;
}

function optionText(option: Option): string {
  const choices =
    option.argChoices === undefined ? '' : `: ${option.argChoices.map((choice) => `\`${choice}\``).join(', ')}`;
  const fallback = option.defaultValue === undefined ? '' : `; default \`${String(option.defaultValue)}\``;
  return `${option.description}${choices}${fallback}${option.mandatory ? '; required' : ''}`;
}

const cell = (text: string | undefined): string => (text ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ');

const examples = (command: FettleCommand): string[] =>
  command.examples.length === 0
    ? []
    : ['```text', ...command.examples.flatMap(({ line, does }) => [`# ${does}`, line]), '```', ''];

const PREFACE = `# The command line

<!-- Made from the commands themselves (cmd/command-line-page.ts); change it there. -->

One program, \`fettle\`: three roles, and commands for people who ask a coordinator. \`fettle COMMAND --help\` says what stands here, with examples.

## Exit codes

| code | meaning |
|---|---|
| 0 | done; for \`run\`: admitted, or a duplicate of what is being done already |
| 1 | failed |
| 2 | the command line, or an argument of a workflow, is wrong |
| 3 | a configuration file is invalid |
| 4 | not authorised |
| 5 | the execution ended, and not as \`healed\`, \`no_fault\` or \`dry_run\` (\`watch\`, \`run --wait\`, \`run --watch\`) |
| 6 | refused: a limit, a pause, a host's own rules (\`agent check\`), a request id used before, or a request too old |
| 7 | no decision possible, or no coordinator could be reached |
| 124 | \`--wait DURATION\` passed first; the execution goes on |
| 130 | interrupted; what was asked for goes on |

A command that did several things reports the gravest: 130, 4, 1, 2, 3, 7, 5, 124, 6, 0.
An error is one line on standard error, and it ends with what to type next.

## What is printed

Results go to standard output; progress, warnings and errors to standard error. Nothing ever asks a question.
\`-o table\` fits the terminal (the least important column is cut, marked by \`…\`; nothing is cut when output is no terminal), \`-o wide\` has further columns.
Colour is used only on a terminal, and not when \`NO_COLOR\` is set. Times are UTC, with their age: \`12:03:07Z 4m ago\`.
Control characters in text from hosts, alerts and coordinators are shown as \`\\x1b\` and the like; they never reach the terminal.

\`-o json\` prints one document. It begins with \`"api_version": 1\`; fields are added without changing that number. \`-o jsonl\` prints one object a line, without envelope.

| command | document | one line of \`jsonl\` |
|---|---|---|
| \`run\` | \`requests\`: a list of \`{target, decision, error, execution}\`; \`decision\` as the API gives it, \`error\` \`{message, exit}\`, \`execution\` after \`--wait\` or \`--watch\` | an event with \`--watch\`; then one element |
| \`ps\`, \`cancel\` | \`executions\` | an execution |
| \`show\` | \`execution\` with steps, evidence and timeline | the execution |
| \`watch\` | \`execution\`, once it has ended | an event; the last is \`{"event":"outcome","execution":{...}}\` |
| \`nodes\` | \`nodes\` | a node |
| \`workflows\` | \`workflows\` | a workflow |
| \`status\` | \`status\` | the status |
| \`validate\` | \`valid\`, \`files\` (\`{file, kind}\`), \`problems\` (\`{file, line, column, path, severity, message}\`) | |
| \`agent check\` | \`check\`: \`action\`, \`allowed\`, \`checks\` (\`{name, ok, code, found}\`), \`caps\` (\`{file, line, kind, limit, used, free_in_s}\`), \`rehearsal\` | |
| \`doctor\` | \`well\`, \`findings\` (\`{area, state, found, next}\`; state \`ok\`, \`warn\` or \`fail\`) | |
| \`setup temporal\` | \`steps\` (\`{what, done}\`; done \`created\` or \`already there\`) | |

Executions, nodes, workflows and status have the fields that \`GET /v1/...\` of the coordinator answers with (its OpenAPI document is at \`/v1/openapi.json\`).

## How to reach a coordinator

Each value is taken from its flag, else its environment variable, else the client profile.

| flag | environment | profile | |
|---|---|---|---|
| \`--coordinator URL\` (repeatable) | \`FETTLE_COORDINATOR\` (parted by commas or blanks) | \`addresses\` | tried in turn; a request that is repeated elsewhere keeps its id, so it is decided once |
| \`--coordinator-id ID\` | \`FETTLE_COORDINATOR_ID\` | \`coordinator_id\` | the SPIFFE id that each of them must prove |
| \`--cert FILE\` | \`FETTLE_CERT\` | \`certificate\` | without it you are anonymous |
| \`--key FILE\` | \`FETTLE_KEY\` | \`key\` | |
| \`--bundle FILE\` | \`FETTLE_BUNDLE\` | \`bundle\` | the authorities of the coordinator's trust domain |

The profile is \`~/.config/fettle/client.hcl\` (\`$XDG_CONFIG_HOME\` is heeded), or the file that \`FETTLE_PROFILE\` names:

\`\`\`hcl
addresses      = ["https://c1.example.com:7443", "https://c2.example.com:7443"]
coordinator_id = "spiffe://example.com/coordinator"
certificate    = "/home/oncall/.config/fettle/svid.pem"
key            = "/home/oncall/.config/fettle/svid.key"
bundle         = "/home/oncall/.config/fettle/bundle.pem"
\`\`\`

Plain \`http://\` is taken for loopback only, for a coordinator with \`enable_tls = false\`; then neither id nor bundle is needed.
\`FETTLE_DEBUG=1\` adds the stack to an unexpected error.
`;

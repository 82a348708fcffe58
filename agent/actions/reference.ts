/** docs/actions.md, made from what the agent's checks and the actions themselves are made of. */
import { ACTION_ARGUMENTS, type ArgumentRule, UNIT_NAME } from '../../workflows/action-arguments.ts';
import { ACTIONS, type ActionKind, type Scalar } from '../../workflows/contract.ts';
import type { Action } from './action.ts';
import type { ActionPage } from './action-page.ts';
import { ALL_ACTIONS } from './all-actions.ts';

const PREFACE = `# Actions

<!-- Made by \`node agent/actions/write-reference.ts\` from the actions themselves; do not edit by hand. -->

What an agent can do on its host, as steps of workflows name it. Nothing else can be asked of one, and of these only what
the host's own \`allow\` blocks let through ([configuration](configuration.md#agent)); \`fettle agent check ACTION --arg ...\` on
a host says what it would answer.

- **Changes the host: yes** means: it takes its node for itself, begins on good evidence only, is in the ledger before it
  begins, and goes through the root helper where the host has one. Such actions come one at a time on a host. **No** means:
  the agent does it as its own, unprivileged user.
- **Done again** says what happens after an attempt whose end nobody knows. *Idempotent*: another attempt may follow.
  *At most once*: a person decides.
- Every action can be rehearsed (\`--dry-run\`): it looks, says what it would do, and changes nothing.
- A **receipt** holds facts, an exit code or signal where a program ran, the end of what was printed (4 KiB) and the beginning,
  with length and SHA-256 of all of it. Secret values are struck out. Facts that do not apply are left out; \`before_\` and
  \`after_\` say when they were taken.
- Arguments are checked as a whole: a pattern must match all of a value, and an argument that an action does not know is
  refused. A **unit** is a full name with its suffix, such as \`web.service\`; no globs, no leading dash.
`;

/** The whole page as Markdown. @throws Error when the agent has not got an action that is named */
export function actionsReference(): string {
  const names = Object.keys(ACTIONS);
  const contents = names.map((name) => `| [\`${name}\`](#${anchor(name)}) | ${row(name)} |`).join('\n');
  const table = `| action | what it does | changes the host | done again |\n|---|---|---|---|\n${contents}\n`;
  return `${PREFACE}\n${table}\n${names.map(section).join('\n')}`;
}

const anchor = (name: string): string => name.replaceAll('.', '');
const row = (name: string): string =>
  [description(name), ACTIONS[name]!.changing ? 'yes' : 'no', again(ACTIONS[name]!)].join(' | ');
const again = ({ idempotent }: ActionKind): string => (idempotent ? 'idempotent' : '**at most once**');
const description = (name: string): string => ACTION_ARGUMENTS[name]!.description.replace(/; changes nothing$/, '');

/** @throws Error */
export function pageOf(action: Action | undefined): ActionPage {
  if (action === undefined) throw new Error('ACTIONS names an action that the agent does not have');
  return action.page;
}

function section(name: string): string {
  const page = pageOf(ALL_ACTIONS.get(name));
  const kind = ACTIONS[name]!;
  const facts = Object.entries(page.facts).map(([fact, meaning]) => `| ${factNames(fact)} | ${cell(meaning)} |`);
  const parts = [
    `## \`${name}\``,
    `${capital(description(name))}. Changes the host: **${kind.changing ? 'yes' : 'no'}**. Done again: ${again(kind)}.`,
    ...page.about,
    argumentsTable(name),
    `**Dry run:** ${page.rehearsal}`,
    facts.length === 0 ? '' : `| fact | meaning |\n|---|---|\n${facts.join('\n')}`,
    `\`\`\`hcl\n${example(name, page)}\n\`\`\``,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
const cell = (text: string): string => text.replaceAll('|', '\\|');
const factNames = (names: string): string =>
  names
    .split(', ')
    .map((name) => `\`${name}\``)
    .join(', ');

function argumentsTable(name: string): string {
  const { named, others } = ACTION_ARGUMENTS[name]!;
  const rows = Object.entries(named).map(([argument, rule]) =>
    [`\`${argument}\``, typeOf(rule), rule.required ? '**required**' : fallback(rule), cell(rule.description)].join(
      ' | ',
    ),
  );
  if (others !== null) rows.push(`others | string, number or bool | - | ${others}`);
  if (rows.length === 0) return 'It takes no arguments.';
  return `| argument | type | default | meaning |\n|---|---|---|---|\n${rows.map((each) => `| ${each} |`).join('\n')}`;
}

const fallback = (rule: ArgumentRule): string => (rule.default === undefined ? '-' : `\`${hcl(rule.default)}\``);

function typeOf({ type, pattern, min, max }: ArgumentRule): string {
  if (min !== undefined) return `whole number, ${min} to ${max}`;
  if (pattern === null) return type;
  if (pattern === UNIT_NAME) return 'unit';
  const words = /^[A-Za-z]+(?:\|[A-Za-z]+)+$/.test(pattern) ? pattern.split('|').map((word) => `\`"${word}"\``) : null;
  return words === null ? `string: \`${cell(pattern)}\`` : words.join(', ');
}

const hcl = (value: Scalar): string =>
  typeof value === 'string'
    ? JSON.stringify(value).replaceAll(/[$%]\{/g, (match) => `${match[0]}${match}`)
    : String(value);

function example(name: string, { example: given }: ActionPage): string {
  const args = Object.entries(given).map(([argument, value]) => `${argument} = ${hcl(value)}`);
  const lines = [
    `action  = "${name}"`,
    ...(args.length === 0 ? [] : [`args    = { ${args.join(', ')} }`]),
    'timeout = "2m"',
  ];
  return `step "${anchor(name)}" {\n${lines.map((line) => `  ${line}`).join('\n')}\n}`;
}

/** The configuration reference, docs/configuration.md, made from the very schemas that check the files. */
import { EXAMPLES } from './examples.ts';
import { KINDS, SCHEMAS, type Kind } from './kinds.ts';
import type { Attribute, Block, BlockUse } from './schema.ts';

const TITLES: Readonly<Record<Kind, string>> = {
  coordinator: 'Coordinator',
  agent: 'Agent',
  'trigger-daemon': 'Trigger daemon',
  workflow: 'Workflow: `workflows.d/NAME.hcl`',
  triggers: 'Triggers: `triggers.d/*.hcl`',
  inventory: 'Inventory',
  commands: 'Commands: `actions.d/*.hcl`',
  client: 'Client profile: `~/.config/fettle/client.hcl`',
};

const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');

const PREFACE = `# Configuration

<!-- Made by \`node config/write-reference.ts\` from the schemas in config/; do not edit by hand. -->

Files are HCL with literal values only: strings, numbers, \`true\`, \`false\`, lists and objects; no functions, operators, variables or
heredocs. Every problem of every file is reported at once as \`file:line:column: path: what is wrong; what to write\`. \`fettle validate
FILE|FOLDER...\` runs the very loaders that the roles run and exits with 0, or with 3 when there is an error.

- A role's configuration is one file, several, or a folder of \`*.hcl\` files (read in the order of their names); several count as if
  they were one text.
- On SIGHUP and when a file changes, access rules, limits, windows with their calendars, workflows, triggers and what agents allow are read again. A bad file
  leaves the old ones in force; the log, a metric and \`/v1/status\` (of an agent: \`ping\`) say so.
- **duration**: \`"500ms"\`, \`"10s"\`, \`"2m"\`, \`"1h30m"\`, \`"7d"\`; 366 days at most.
- **path**: absolute, or relative to the folder of the file it stands in.
- **regular expression**: JavaScript's, with the flag \`u\`; it must match the whole value. In HCL each backslash is written twice.
- **SPIFFE id pattern**: a SPIFFE id, or one whose last path segment is \`*\`: any one segment.
- Text may hold references where the tables say so: \`\${labels.NAME}\` (of the series or alert), \`\${input.NAME}\`, \`\${target.node}\`,
  \`\${target.type}\`, \`\${target.datacenter}\`, \`\${secret.NAME}\`. Write \`$\${\` and \`%%{\` for the characters themselves.
- Files are UTF-8, at most 1 MB and 32 levels deep.
`;

/** The whole page as Markdown. */
export function configurationReference(): string {
  const contents = KINDS.map((kind) => `- [${TITLES[kind]}](#${anchor(TITLES[kind])})`).join('\n');
  const chapters = KINDS.map((kind) => chapter(kind)).join('\n');
  return `${PREFACE}\n${contents}\n\n${chapters}`;
}

function chapter(kind: Kind): string {
  const schema: Block = SCHEMAS[kind];
  const example = `\`\`\`hcl\n${EXAMPLES[kind].trim()}\n\`\`\`\n`;
  return `## ${TITLES[kind]}\n\n${schema.doc}\n\n${example}\n${attributesTable(schema)}${innerBlocks(schema, '')}`;
}

function innerBlocks(schema: Block, path: string): string {
  return Object.entries(schema.blocks)
    .map(([name, use]) => section(name, use, path))
    .join('');
}

function section(name: string, use: BlockUse, parent: string): string {
  const path = parent === '' ? name : `${parent} › ${name}`;
  const labels = use.block.labels.map((label) => ` "${label.name.toUpperCase().replaceAll(' ', '_')}"`).join('');
  const times = use.required ? 'Required.' : use.many ? 'May be written any number of times.' : 'At most once.';
  const heading = `### \`${path}${labels}\`\n\n${use.block.doc} ${times}\n\n`;
  const named = use.block.labels.map((label) => `- label **${label.name}**: ${label.doc}\n`).join('');
  const gap = named === '' ? '' : '\n';
  return `${heading}${named}${gap}${attributesTable(use.block)}${innerBlocks(use.block, path)}`;
}

function attributesTable(schema: Block): string {
  const rows = Object.entries(schema.attributes).map(([name, attribute]) => row(name, attribute));
  if (rows.length === 0) return '';
  return `| attribute | type | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n\n`;
}

function row(name: string, attribute: Attribute<unknown>): string {
  const fallback = attribute.required ? '**required**' : attribute.shown === null ? '-' : `\`${attribute.shown}\``;
  const cells = [`\`${name}\``, attribute.type.name, fallback, attribute.doc];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

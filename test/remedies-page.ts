/** docs/remedies.md, made of the shipped workflow files: their first comment, what they load as, and what hosts need for them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { KNOWN } from '../cmd/known.ts';
import { formatDuration } from '../config/duration.ts';
import { configOf, loadWorkflows } from '../config/load.ts';
import { ROOT } from './check/root.ts';
import type { ActionProof, ArgValue, Expected, StepDefinition, WorkflowDefinition } from '../workflows/contract.ts';
import { isBounds } from '../workflows/expectation.ts';

export const REMEDIES = path.join(ROOT, 'workflows/remedies');
/** The part of agent.hcl, and the commands, that hosts need for all of them; the tests on a booted host use these very files. */
export const HOST_RULES = path.join(REMEDIES, 'hosts/agent.hcl');
export const HOST_COMMANDS = path.join(REMEDIES, 'hosts/actions.d/service.hcl');
/** In the order of the page: from what is done every day to what is done last. */
export const SHIPPED = [
  'collect-diagnostics',
  'restart-service',
  'restart-wedged-service',
  'restart-if-down',
  'reset-failed-units',
  'clean-disk',
  'kill-runaway',
  'take-out-of-service',
  'return-to-service',
  'reboot-node',
] as const;
/** For the inputs without a default. */
export const EXAMPLE_ARGUMENTS: Readonly<Record<string, string>> = {
  unit: 'web.service',
  exe: '/usr/local/bin/report',
  path: '/srv',
};

export async function remediesPage(): Promise<string> {
  const rules = await readFile(HOST_RULES, 'utf8');
  const commands = await readFile(HOST_COMMANDS, 'utf8');
  const sections = await Promise.all(SHIPPED.map((name) => section(name, rules)));
  const list = SHIPPED.map((name) => `- [${name}](#${name})`).join('\n');
  return `${INTRODUCTION.replace('LIST', list)}\n${sections.join('\n\n')}\n\n${hookSection(commands)}`;
}

const INTRODUCTION = `# Remedies

The workflows that come with Fettle, in \`workflows/remedies/\`. This page is made from the files themselves; how the
parts of such a file work together is told in [writing workflows](writing-workflows.md).

LIST
- [The hook of a host](#the-hook-of-a-host)

## Enabling one

Nothing is enabled by itself. Three parties have to want it:

1. **The coordinators**: the file lies in their \`workflows_dir\`. Copy it there, fit its limits and its proof to your
   fleet, and check it.
2. **The host**: its agent.hcl has an \`allow\` block for each action of the remedy, in the bounds you want. The blocks
   below are those that the tests on a real host use. No coordinator can widen them.
3. **Whoever asks**: a person who may ([access rules](security.md)), or a trigger.

<!-- run -->
\`\`\`sh
mkdir -p site/workflows.d
cp workflows/remedies/restart-service.hcl site/workflows.d/
./fettle validate --limits site/workflows.d
./fettle test site/workflows.d/restart-service.hcl --arg unit=web.service
\`\`\`

Then rehearse it on a host: \`fettle run NAME --node N --dry-run\` goes through every rule, the host's own too, and says
what would be done. Begin with \`mode = "shadow"\` or \`"ask"\` where you do not know yet how often it would run.

To be called when one fails, add \`notify = "oncall"\` to its \`on_failure\` block; the name is that of a \`notify\` block of
your coordinators.
`;

async function section(name: string, rules: string): Promise<string> {
  const file = path.join(REMEDIES, `${name}.hcl`);
  const [loaded] = configOf(await loadWorkflows([file], { ...KNOWN, hasInventory: true }));
  if (loaded === undefined) throw new Error(`${file} holds no workflow`);
  const { definition } = loaded;
  const actions = await actionsOf(definition);
  return [
    `## ${name}`,
    `*${definition.description}.*`,
    ...paragraphs(await readFile(file, 'utf8')),
    ...inputs(definition),
    steps(definition),
    limits(definition),
    `On the host:\n\n\`\`\`hcl\n${blocksFor(actions, rules)}\`\`\``,
    `Ask for it: \`${askFor(definition)}\``,
  ].join('\n\n');
}

/** The comment that a file begins with, one text for each paragraph. */
function paragraphs(text: string): string[] {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  const comment = lines.slice(0, end).map((line) => line.replace(/^# ?/, ''));
  return comment
    .join('\n')
    .split('\n\n')
    .map((paragraph) => wrapped(paragraph.replaceAll('\n', ' ').trim()));
}

function wrapped(text: string, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > 118) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
}

function inputs({ inputs: declared }: WorkflowDefinition): string[] {
  if (declared.length === 0) return [];
  const rows = declared.map(({ name, description, pattern, min, max, default: fallback, required }) => {
    const bounds = [
      pattern === null ? '' : `\`${pattern.replaceAll('|', '\\|')}\``,
      min === null ? '' : `from ${min}`,
      max === null ? '' : `to ${max}`,
    ];
    const value = required ? 'needed' : `\`${JSON.stringify(fallback)}\``;
    return `| \`${name}\` | ${description} | ${bounds.filter((bound) => bound !== '').join(' ') || 'any'} | ${value} |`;
  });
  return [['| input | what it is | may be | default |', '|---|---|---|---|', ...rows].join('\n')];
}

function steps(definition: WorkflowDefinition): string {
  const { steps: declared, undo, verify, onFailure } = definition;
  const lines = declared.map((step) => {
    const back = undo.find(({ of }) => of === step.name);
    return `${stepText(step)}${back === undefined ? '' : `; taken back by ${stepText(back)}`}`;
  });
  if (declared.length === 0) lines.push(`what \`workflows/${definition.name}.ts\` says`);
  if (verify !== null && 'action' in verify) lines.push(proofText(verify));
  const numbered = lines.map((line, index) => `${index + 1}. ${wrapped(line, '   ')}`);
  const failure = onFailure?.steps.map((step) => `- If it does not help: ${stepText(step)}`) ?? [];
  return [...numbered, ...(failure.length === 0 ? [] : ['', ...failure])].join('\n');
}

function stepText({ name, action, args, timeoutMs, retry, mayFail }: StepDefinition): string {
  const times = retry.attempts === 1 ? '' : `, ${retry.attempts} attempts`;
  return `**${name}**: \`${[action, ...Object.entries(args).map(argText)].join(' ')}\`, within ${formatDuration(timeoutMs)}${times}${mayFail === true ? '; the rest is done even if this fails' : ''}`;
}

function proofText({ action, args, expect, forMs, timeoutMs }: ActionProof): string {
  const facts = Object.entries(expect).map(([name, expected]) => `\`${name}\` ${expectedText(expected)}`);
  const wanted = facts.length === 0 ? 'is done' : `says ${facts.join(' and ')}`;
  const held = forMs === 0 ? '' : ` for ${formatDuration(forMs)}`;
  return `Proof: \`${[action, ...Object.entries(args).map(argText)].join(' ')}\` ${wanted}${held}, within ${formatDuration(timeoutMs)}`;
}

function expectedText(expected: Expected): string {
  if (!isBounds(expected)) return `= \`${valueText(expected)}\``;
  const { min, max } = expected;
  return [min === undefined ? '' : `≥ \`${valueText(min)}\``, max === undefined ? '' : `≤ \`${valueText(max)}\``]
    .join(' ')
    .trim();
}

const argText = ([name, value]: [string, ArgValue]): string => `${name}=${valueText(value)}`;

function valueText(value: ArgValue): string {
  if (Array.isArray(value)) return value.map((one: ArgValue) => valueText(one)).join(' or ');
  if (typeof value !== 'object') return String(value);
  return 'template' in value
    ? value.template.map((part) => (typeof part === 'string' ? part : `<${part.ref}>`)).join('')
    : '';
}

function limits({ constraints, mode }: WorkflowDefinition): string {
  const rows = constraints.map(({ kind, value, periodMs, scope }) => {
    const period = periodMs === 0 ? '' : formatDuration(periodMs);
    return `| \`${kind}\` | ${kind === 'cooldown' ? '' : value} | ${period} | ${scope} |`;
  });
  const asked = mode === 'ask' ? '\n\nIts mode is `ask`: somebody else than the requester has to say yes.' : '';
  return ['| limit | value | period | counted by |', '|---|---|---|---|', ...rows].join('\n') + asked;
}

/** Of a workflow in TypeScript they stand in its code. */
async function actionsOf({ name, steps: declared, undo, onFailure, verify }: WorkflowDefinition): Promise<Set<string>> {
  const named = [...declared, ...undo, ...(onFailure?.steps ?? [])].map(({ action }) => action);
  if (verify !== null && 'action' in verify) named.push(verify.action);
  if (declared.length > 0) return new Set(named);
  const code = await readFile(path.join(ROOT, `workflows/${name}.ts`), 'utf8');
  return new Set([...named, ...[...code.matchAll(/action: '([a-z.-]+)'/g)].map(([, action = '']) => action)]);
}

/** Those blocks of the hosts' rules that are about these actions. */
function blocksFor(actions: ReadonlySet<string>, rules: string): string {
  const blocks = [...rules.matchAll(/^(allow|clean) "([^"]+)" \{(?:\}$|\n[^]*?^\}$)/gm)];
  const wanted = blocks.filter(([, kind, name = '']) =>
    kind === 'allow' ? actions.has(name) : actions.has('disk.clean'),
  );
  const missing = [...actions].filter(
    (action) => !wanted.some(([, kind, name]) => kind === 'allow' && name === action),
  );
  if (missing.length > 0) throw new Error(`${HOST_RULES} allows no ${missing.join(', ')}`);
  return wanted.map(([text]) => `${text}\n`).join('');
}

function askFor({ name, inputs: declared }: WorkflowDefinition): string {
  const args = declared
    .filter(({ required }) => required)
    .map((input) => ` --arg ${input.name}=${EXAMPLE_ARGUMENTS[input.name] ?? '...'}`);
  return `fettle run ${name} --node web-1${args.join('')}`;
}

const hookSection = (commands: string): string => `## The hook of a host

[take-out-of-service](#take-out-of-service) and [return-to-service](#return-to-service) run four commands that each host
defines for itself, in a file of its agent's \`actions_dir\`:

\`\`\`hcl
${commands}\`\`\`

A command's exit code is its answer: 0 is done, or yes. \`drain\` and \`undrain\` should do nothing when there is nothing to
do, since each of them may be asked for again.
`;

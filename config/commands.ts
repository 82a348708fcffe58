/** `actions.d/*.hcl`: what the action `exec` may run on a host. */
import type { CommandDefinition } from './agent.ts';
import { everyOne } from './connections.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Problems } from './problems.ts';
import { block, many, optional, required, withDefault, type Section } from './schema.ts';
import { absolutePath } from './value-addresses.ts';
import { listOf, mapOf } from './value-collections.ts';
import { name } from './value-names.ts';
import { anyText, byteSize, duration, integer, oneOf, regex } from './value-types.ts';

const slotName = name('input name', /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_-]{0,63}$/, 'letters, digits, _ and -');
const variable = name('variable name', /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and _');
const noNul = { ...anyText, name: 'string' };

const commandBlock = block({
  doc: 'One command that `exec` may run, without a shell: `step "x" { action = "exec", args = { command = "NAME", ... } }`.',
  labels: [
    {
      name: 'name',
      doc: 'What steps call it.',
      type: name('command name', /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'letters, digits, _ . and -'),
    },
  ],
  attributes: {
    argv: required(
      listOf(noNul, { min: 1, max: 256 }),
      'The absolute path of the program, then its arguments. `{NAME}` stands for an input, as a whole argument or part of one; it is never split or expanded further.',
    ),
    timeout: withDefault(
      duration({ maxMs: 86_400_000 }),
      'Its process group is killed after this long, whatever the step allows.',
      60_000,
      '"1m"',
    ),
    environment: withDefault(
      mapOf(variable, noNul),
      'The environment of the process, beside PATH, LANG and FETTLE_ATTEMPT_KEY, which the agent sets; nothing else is inherited.',
      {},
      '{}',
    ),
    working_directory: withDefault(absolutePath, 'Where it runs.', '/', '"/"'),
    user: optional(
      name('user', /^[a-z_][a-z0-9_-]{0,31}$/, 'the name of a user of this host'),
      'Whose rights it runs with. Without it: root, when the agent has a helper.',
    ),
    memory_max: optional(
      byteSize,
      'Memory that all its processes may take together, e.g. `"512M"`; more ends it. Needs systemd.',
    ),
    tasks_max: optional(integer(8, 100_000), 'Processes and threads it may have at once. Needs systemd.'),
    protect_system: withDefault(
      oneOf('no', 'yes', 'full', 'strict'),
      'What of the file system it cannot write, as in systemd.exec(5): `full` is /usr, /boot and /etc, `strict` everything. Needs systemd.',
      'full',
      '"full"',
    ),
    writable: withDefault(listOf(absolutePath), 'Folders that it may write all the same.', [], '[]'),
  },
  blocks: {
    input: many(
      block({
        doc: 'An argument the step must give.',
        labels: [{ name: 'name', doc: 'What `{NAME}` in argv and the step call it.', type: slotName }],
        attributes: { pattern: required(regex, 'Regular expression that the whole value must match.') },
      }),
    ),
  },
});

export const commandsFile = block({
  doc: 'Command definitions. Owned by root and writable by nobody else: they bound what a coordinator can make this host run.',
  blocks: { command: many(commandBlock) },
});

export function commandsOf(
  section: Section<typeof commandsFile>,
  problems: Problems,
): readonly CommandDefinition[] | null {
  return everyOne(section.blocks.command.map((command) => commandOf(command, problems)));
}

function commandOf(section: Section<typeof commandBlock>, problems: Problems): CommandDefinition | null {
  checkSlots(section, problems);
  const inputs = everyOne(
    section.blocks.input.map(({ labels: [name = ''], values }) =>
      values === null ? null : { name, pattern: values.pattern },
    ),
  );
  if (section.values === null || inputs === null) return null;
  const { argv, timeout, environment, working_directory: workingDirectory } = section.values;
  const { user, memory_max: memoryMax, tasks_max: tasksMax, protect_system: protectSystem, writable } = section.values;
  const bounds = { user, memoryMax, tasksMax, protectSystem, writable };
  const { place, labels } = section;
  return { place, name: labels[0] ?? '', argv, inputs, timeoutMs: timeout, environment, workingDirectory, ...bounds };
}

/** `{NAME}`; any other brace is an ordinary character. */
const SLOT = /\{([A-Za-z_][A-Za-z0-9_-]*)\}/g;

function checkSlots(section: Section<typeof commandBlock>, problems: Problems): void {
  const { argv } = section.readable;
  const written = section.given.get('argv');
  if (argv === undefined || written?.kind !== 'list') return;
  const inputs = new Map(section.blocks.input.map((input) => [input.labels[0] ?? '', input]));
  const used = new Set<string>();
  for (const [index, text] of argv.entries()) {
    const place = written.items[index]?.place ?? written.place;
    const path = `${section.path}.argv[${index}]`;
    if (index === 0 && !/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^{}\0]+$/.test(text))
      problems.error(
        place,
        path,
        `${JSON.stringify(text)} is not an absolute path; write the program's whole path, without slots`,
      );
    if (text.includes('\0')) problems.error(place, path, 'holds the character NUL; take it away');
    for (const [, slot = ''] of index === 0 ? [] : text.matchAll(SLOT)) {
      used.add(slot);
      if (!inputs.has(slot))
        problems.error(place, path, `{${slot}} is no input of this command${didYouMean(slot, [...inputs.keys()])}`);
    }
  }
  for (const [name, input] of inputs)
    if (!used.has(name))
      problems.warn(input.place, input.path, `is used nowhere in argv; write {${name}} there, or take the input away`);
}

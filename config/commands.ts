/** `actions.d/*.hcl`: what the action `exec` may run on a host. */
import { checkSlots } from './command-slots.ts';
import { everyOne } from './connections.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { block, many, one, optional, required, withDefault, type Section } from './schema.ts';
import { absolutePath, httpMethod } from './value-addresses.ts';
import { listOf, mapOf } from './value-collections.ts';
import { name } from './value-names.ts';
import { anyText, byteSize, duration, integer, oneOf, regex } from './value-types.ts';

/** One `command "NAME" { ... }`: what `exec` may do on this host. */
export type CommandDefinition = ProgramCommand | HttpCommand;

type CommandBase = {
  readonly place: Place;
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly pattern: string }[];
  readonly timeoutMs: number;
  /** Variable → name of a secret of this host: in the environment of a program, in headers and body of a request. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Whose rights it runs with; absent or null: the agent's (root's, with the helper). */
  readonly user?: string | null;
  /** Bytes; absent or null: the helper's default. */
  readonly memoryMax?: number | null;
  readonly tasksMax?: number | null;
  /** As systemd.exec(5) means it. */
  readonly protectSystem?: 'no' | 'yes' | 'full' | 'strict' | null;
  /** Paths that stay writable under `protectSystem`. */
  readonly writable?: readonly string[];
};

export type ProgramCommand = CommandBase & {
  readonly kind: 'program';
  /** Absolute program path first; `{input}` slots stand for whole or part arguments and are never split or expanded further. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
};

export type HttpCommand = CommandBase & {
  readonly kind: 'http';
  readonly method: string;
  /** `{input}` slots stand behind the host only. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Null: any of 200 to 299. */
  readonly expectStatus: readonly number[] | null;
};

const slotName = name('input name', /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_-]{0,63}$/, 'letters, digits, _ and -');
const variable = name('variable name', /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and _');
const secretName = name('secret name', /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'letters, digits, _ . and -');
const headerName = name('header name', /^(?!__proto__$)[A-Za-z0-9-]{1,100}$/, 'letters, digits and -');
const noNul = { ...anyText, name: 'string' };

const httpBlock = block({
  doc: 'A request that is made instead of running a program: to a load balancer, say. Redirects are not followed, and the answer is read up to one megabyte.',
  attributes: {
    method: withDefault(httpMethod, 'The method.', 'POST', '"POST"'),
    url: required(
      noNul,
      'Where it goes: http:// or https://, without credentials. `{NAME}` stands for an input behind the host, and is encoded.',
    ),
    headers: withDefault(
      mapOf(headerName, noNul),
      'Headers. `{NAME}` stands for an input or a variable of `secrets`.',
      {},
      '{}',
    ),
    body: optional(
      noNul,
      'What is sent. `{NAME}` stands for an input or a variable of `secrets`, written as JSON or a form needs it when the header Content-Type says so.',
    ),
    expect_status: optional(
      listOf(integer(100, 599), { min: 1, max: 100 }),
      'The statuses that mean success. Without it, 200 to 299.',
    ),
  },
});

const commandBlock = block({
  doc: 'One command that `exec` may run, without a shell: `step "x" { action = "exec", args = { command = "NAME", ... } }`. It has either `argv` or a block `http`.',
  labels: [
    {
      name: 'name',
      doc: 'What steps call it.',
      type: name('command name', /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'letters, digits, _ . and -'),
    },
  ],
  attributes: {
    argv: optional(
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
    secrets: withDefault(
      mapOf(variable, secretName),
      "Secrets of this host by the name of their file in `secrets_dir`: variables of the process's environment, or what `{VARIABLE}` stands for in a request. Their values are struck out of all that is reported.",
      {},
      '{}',
    ),
    working_directory: withDefault(absolutePath, 'Where it runs.', '/', '"/"'),
    user: optional(
      name('user name', /^[a-z_][a-z0-9_-]{0,31}$/, 'the name of a user of this host'),
      'Whose rights it runs with, with all groups of that user. Without it: root, when the agent has a helper.',
    ),
    memory_max: optional(
      byteSize,
      'Memory that all its processes may take together, e.g. `"512M"`; more ends it. Needs systemd.',
    ),
    tasks_max: optional(integer(8, 100_000), 'Processes and threads it may have at once. Needs systemd.'),
    protect_system: withDefault(
      oneOf('no', 'yes', 'full', 'strict'),
      'What of the file system it cannot write, as in systemd.exec(5): `yes` is /usr and /boot, `full` /etc too, `strict` everything. Needs systemd.',
      'full',
      '"full"',
    ),
    writable: withDefault(
      listOf(absolutePath, { max: 100 }),
      'Folders and files that it may write all the same.',
      [],
      '[]',
    ),
  },
  blocks: {
    input: many(
      block({
        doc: 'An argument the step must give.',
        labels: [{ name: 'name', doc: 'What `{NAME}` and the step call it.', type: slotName }],
        attributes: { pattern: required(regex, 'Regular expression that the whole value must match.') },
      }),
    ),
    http: one(httpBlock),
  },
});
export type CommandSection = Section<typeof commandBlock>;

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

function commandOf(section: CommandSection, problems: Problems): CommandDefinition | null {
  checkKind(section, problems);
  checkSlots(section, problems);
  const inputs = everyOne(
    section.blocks.input.map(({ labels: [name = ''], values }) =>
      values === null ? null : { name, pattern: values.pattern },
    ),
  );
  const { place, labels, values } = section;
  if (values === null || inputs === null) return null;
  const base = {
    place,
    name: labels[0] ?? '',
    inputs,
    timeoutMs: values.timeout,
    secrets: values.secrets,
    ...boundsOf(values),
  };
  const [http] = section.blocks.http;
  if (http === undefined) {
    if (values.argv === null) return null;
    const { argv, environment, working_directory: workingDirectory } = values;
    return { ...base, kind: 'program', argv, environment, workingDirectory };
  }
  if (http.values === null) return null;
  const { method, url, headers, body, expect_status: expectStatus } = http.values;
  return { ...base, kind: 'http', method, url, headers, body, expectStatus };
}

const boundsOf = (values: NonNullable<CommandSection['values']>) => ({
  user: values.user,
  memoryMax: values.memory_max,
  tasksMax: values.tasks_max,
  protectSystem: values.protect_system,
  writable: values.writable,
});

/** What only a program has. */
const OF_PROGRAMS = ['argv', 'environment', 'working_directory', 'user'];

function checkKind(section: CommandSection, problems: Problems): void {
  const { given, path, place } = section;
  const requests = section.blocks.http.length > 0;
  if (!requests && !given.has('argv'))
    problems.error(place, path, 'says nothing to do; write argv = ["/path/of/program", ...] or a block http { ... }');
  for (const attribute of requests ? OF_PROGRAMS : []) {
    const value = given.get(attribute);
    if (value === undefined) continue;
    const write = `${attribute} is for programs, and this command makes a request; take one of the two away`;
    problems.error(value.place, `${path}.${attribute}`, write);
  }
  const environment = section.readable.environment ?? {};
  for (const variable of Object.keys(section.readable.secrets ?? {})) {
    if (!Object.hasOwn(environment, variable)) continue;
    const at = given.get('secrets')?.place ?? place;
    problems.error(at, `${path}.secrets.${variable}`, 'stands in environment too; take one of the two away');
  }
}

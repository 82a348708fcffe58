/** What a host lets a coordinator do at all: `allow`, `never` and `clean` blocks of the agent's file. */
import { argumentBound, type ArgumentBound } from './argument-bound.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Known } from './known.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { block, optional, required, withDefault, type Section } from './schema.ts';
import { absolutePath } from './value-addresses.ts';
import { mapOf } from './value-collections.ts';
import { inputName, name, word } from './value-names.ts';
import { duration, integer, regex } from './value-types.ts';

export type { ArgumentBound } from './argument-bound.ts';
type Bounds = Readonly<Record<string, ArgumentBound>>;

/** `allow "systemd.restart" { args = { unit = "web\\.service" } }` */
export type AllowRule = {
  readonly place: Place;
  /** An action's name, or `*`. */
  readonly action: string;
  /** By argument name; an argument not named here is free, one named here must be present. */
  readonly args: Bounds;
  /** So many may begin within an hour; null = any number. */
  readonly perHour: number | null;
  /** So many may be at work at once; null = any number. */
  readonly concurrent: number | null;
};

/** `never "systemd.stop" { args = { unit = "ssh\\.service" } }`: stands above every allow block. */
export type NeverRule = { readonly place: Place; readonly action: string; readonly args: Bounds };

/** `clean "uploads" { directory, pattern, older_than, keep }`: what `disk.clean` may delete. */
export type CleanRule = {
  readonly place: Place;
  readonly name: string;
  readonly directory: string;
  /** Regular expression that a file's whole name must match. */
  readonly pattern: string;
  readonly olderThanMs: number;
  /** So many of the newest files that match stay, however old. */
  readonly keep: number;
};

const action = {
  name: 'action',
  doc: 'An action, e.g. `"systemd.restart"`, or `"*"`.',
  type: name('action', /^(?:\*|[a-z][a-z0-9_.-]*)$/, 'the name of an action, or "*"'),
} as const;

const BOUNDS =
  'a regular expression that the whole of it must match, or `{ one_of = [...] }`, `{ min = 1, max = 9 }` (numbers, durations or sizes), `{ units = ["web-*.service"] }`, `{ under = "/var/log" }`';

export const allowBlock = block({
  doc: 'What this host lets a coordinator do at all. Without any, nothing. An order must fit one of these blocks, and there must be room in every one that it fits. Read again when the file changes.',
  labels: [action],
  attributes: {
    args: withDefault(
      mapOf(inputName, argumentBound),
      `Bounds of arguments, by name: ${BOUNDS}. One named here must be present or have a default; one not named here is free.`,
      {},
      '{}',
    ),
    per_hour: optional(
      integer(1, 100_000),
      'So many may begin within an hour, counted from the ledger. Only for actions that change something.',
    ),
    concurrent: optional(
      integer(1, 1000),
      'So many may be at work at once, counted from the ledger. Only for actions that change something.',
    ),
  },
});

export const neverBlock = block({
  doc: 'What this host never does, whatever the allow blocks say. Read again when the file changes.',
  labels: [action],
  attributes: {
    args: withDefault(
      mapOf(inputName, argumentBound),
      `Which orders: those where every argument named here is present and fits; without any, the action altogether. As in allow: ${BOUNDS}.`,
      {},
      '{}',
    ),
  },
});

/** Where nothing is ever litter. */
const SYSTEM =
  /^\/(?:$|(?:bin|boot|dev|etc|lib|lib32|lib64|libx32|proc|root\/\.ssh|run\/systemd|sbin|sys|usr)(?:\/|$)|(?:home|opt|root|run|srv|var)\/?$|var\/lib\/?$)/;

export const cleanBlock = block({
  doc: 'Files that the action `disk.clean` may delete. Symbolic links are not followed, other mounts not entered. Read again when the file changes.',
  labels: [{ name: 'name', doc: 'What steps call it.', type: word }],
  attributes: {
    directory: required(absolutePath, 'The folder; its subfolders are looked into.'),
    pattern: required(regex, "Regular expression that the whole of a file's name must match."),
    older_than: required(duration(), 'Only files not changed for so long.'),
    keep: withDefault(integer(0, 1_000_000), 'So many of the newest that match stay, however old.', 0, '0'),
  },
});

export function allowOf({ place, labels: [name = ''], values }: Section<typeof allowBlock>): AllowRule | null {
  if (values === null) return null;
  return { place, action: name, args: values.args, perHour: values.per_hour, concurrent: values.concurrent };
}

export function neverOf({ place, labels: [name = ''], values }: Section<typeof neverBlock>): NeverRule | null {
  return values === null ? null : { place, action: name, args: values.args };
}

export function cleanOf(section: Section<typeof cleanBlock>, problems: Problems): CleanRule | null {
  const { place, labels, path, given, values } = section;
  if (values === null) return null;
  const { directory, pattern, older_than: olderThanMs, keep } = values;
  if (labels[0] === 'journal' || labels[0] === 'apt')
    problems.error(
      place,
      path,
      `what = "${labels[0]}" means something else to disk.clean; give the block another name`,
    );
  if (SYSTEM.test(directory))
    problems.error(
      given.get('directory')?.place ?? place,
      `${path}.directory`,
      `${JSON.stringify(directory)} belongs to the system; name a folder that holds nothing but what may go`,
    );
  return { place, name: labels[0] ?? '', directory, pattern, olderThanMs, keep };
}

/** Names that do not exist: such a never block would forbid nothing, such an allow block allow nothing. */
export function checkNames(
  kind: 'allow' | 'never',
  rule: NeverRule & Partial<AllowRule>,
  { actions, recorded }: Known,
  problems: Problems,
): void {
  if (actions === undefined || rule.action === '*') return;
  const path = `${kind}[${JSON.stringify(rule.action)}]`;
  const found = Object.hasOwn(actions, rule.action) ? actions[rule.action] : undefined;
  if (found === undefined)
    return problems.error(
      rule.place,
      path,
      `there is no action ${rule.action}${didYouMean(rule.action, Object.keys(actions))}`,
    );
  const names = Object.keys(found.named);
  for (const name of found.others === null ? Object.keys(rule.args) : [])
    if (!names.includes(name))
      problems.error(
        rule.place,
        `${path}.args.${name}`,
        `${rule.action} has no argument ${name}${didYouMean(name, names)}`,
      );
  if (
    recorded?.includes(rule.action) === false &&
    ((rule.perHour ?? null) !== null || (rule.concurrent ?? null) !== null)
  )
    problems.error(
      rule.place,
      path,
      `${rule.action} changes nothing and is not in the ledger, so per_hour and concurrent cannot be counted; take them away`,
    );
}

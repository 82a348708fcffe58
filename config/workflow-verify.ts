/** The `verify` block of a workflow: what must hold when its steps are done, by a query or by asking the host. */
import { didYouMean } from './did-you-mean.ts';
import { formatDuration } from './duration.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Known } from './known.ts';
import type { Problems } from './problems.ts';
import { block, optional, withDefault, type Section, type ValueType } from './schema.ts';
import { mapOf, objectOf } from './value-collections.ts';
import { inputName, sourceRef, word } from './value-names.ts';
import { wrongKind } from './value-reading.ts';
import { argument, template } from './value-references.ts';
import { duration } from './value-types.ts';
import { actionArguments } from './workflow-steps.ts';
import type { Expected, Template, VerifyConfig } from './workflow.ts';

/** Each look at a host is an order of its own, kept in the execution's history. */
const MOST_LOOKS = 200;

const plain = argument(['input', 'target']);

/** A number, or a reference that gives one. */
const bound: ValueType<number | Template> = {
  name: 'number',
  read: (value, reader) => {
    if (value.kind === 'number') return value.value;
    const text = value.kind === 'string' ? template(['input']).read(value, reader) : undefined;
    if (text === undefined && value.kind === 'string') return undefined;
    return typeof text === 'object' && text.template.length === 1
      ? text
      : wrongKind(value, reader, 'a number, or a reference to one: "${input.NAME}"');
  },
};
const bounds = objectOf<{ min?: number | Template; max?: number | Template }>({
  min: { type: bound, required: false },
  max: { type: bound, required: false },
});
const expected: ValueType<Expected> = {
  name: 'value, list of values or { min = number, max = number }',
  read: (value: HclValue, reader) => (value.kind === 'object' ? bounds.read(value, reader) : plain.read(value, reader)),
};

export const verifyBlock = block({
  doc: 'Proof that the fault is gone: a positive sample of a query (`source`, `query`), or what the host itself answers (`action`, `args`, `expect`); never the mere absence of an alert.',
  attributes: {
    source: optional(sourceRef, 'A source block of the coordinator, e.g. `"prometheus.main"`.'),
    query: optional(
      template(['input', 'target']),
      'PromQL that gives at least one sample when all is well. Values of references are escaped for PromQL strings.',
    ),
    action: optional(
      word,
      'What an agent looks with, e.g. `"systemd.status"`, on the node of the target or as `task_queue_target` says. It should change nothing.',
    ),
    args: withDefault(actionArguments, "The action's arguments, as in a step.", {}, '{}'),
    expect: withDefault(
      mapOf(inputName, expected),
      'Facts that its receipt must hold when all is well, e.g. `{ active_state = "active" }`: a value, a list of those that will do, or bounds of a number, `{ min = 10 }`. Without any, it is enough that the action was done.',
      {},
      '{}',
    ),
    for: withDefault(duration({ zero: true }), 'How long it must hold without a break.', 0, '"0s"'),
    timeout: withDefault(duration(), 'By when it must have held; else the outcome is `ineffective`.', 300_000, '"5m"'),
    every: withDefault(duration({ minMs: 100 }), 'How often to look.', 5_000, '"5s"'),
  },
});

type VerifySection = Section<typeof verifyBlock>;

export function verifyOf(section: VerifySection | undefined, problems: Problems, known: Known): VerifyConfig | null {
  if (section === undefined) return null;
  checkSource(section, problems, known);
  checkLook(section, problems, known);
  if (section.values === null) return null;
  const { for: forMs, timeout: timeoutMs, every: everyMs } = section.values;
  if (forMs > timeoutMs)
    complain(
      section,
      'for',
      `is longer than timeout (${formatDuration(timeoutMs)}), so it could never be shown; write a shorter time, or a longer timeout`,
      problems,
    );
  const proof = section.given.has('action') ? actionProof(section, problems) : metricProof(section, problems);
  return proof === null ? null : { ...proof, forMs, timeoutMs, everyMs };
}

type Proof<T> = T extends unknown ? Omit<T, 'forMs' | 'timeoutMs' | 'everyMs'> : never;

function metricProof(
  section: VerifySection,
  problems: Problems,
): Proof<Extract<VerifyConfig, { source: string }>> | null {
  const { source = null, query = null } = section.values ?? {};
  for (const key of ['args', 'expect'])
    if (section.given.has(key))
      complain(section, key, 'belongs to an action; write action = "systemd.status", or take it away', problems);
  if (source === null)
    complain(
      section,
      'source',
      'is missing; write source = "prometheus.main" and query, or action and expect',
      problems,
    );
  if (query === null) complain(section, 'query', 'is missing; write query = "up{...} == 1"', problems);
  return source === null || query === null ? null : { source, query };
}

function actionProof(
  section: VerifySection,
  problems: Problems,
): Proof<Extract<VerifyConfig, { action: string }>> | null {
  const { action = null, args = {}, expect = {}, timeout = 0, every = 1 } = section.values ?? {};
  for (const key of ['source', 'query'])
    if (section.given.has(key))
      complain(section, key, 'and action exclude each other; take one of the two away', problems);
  const looks = Math.ceil(timeout / every);
  if (looks > MOST_LOOKS)
    complain(
      section,
      'every',
      `would ask the host ${looks} times within ${formatDuration(timeout)}; write ${formatDuration(Math.ceil(timeout / MOST_LOOKS / 1000) * 1000)} or more`,
      problems,
    );
  return action === null ? null : { action, args, expect };
}

function checkSource(section: VerifySection, problems: Problems, { sources }: Known): void {
  const { source } = section.readable;
  if (source === undefined || source === null || sources === undefined || sources.includes(source)) return;
  complain(section, 'source', `there is no source ${source}${didYouMean(source, sources)}`, problems);
}

function checkLook(section: VerifySection, problems: Problems, { changing }: Known): void {
  const { action } = section.readable;
  if (action === undefined || action === null || changing?.includes(action) !== true) return;
  complain(
    section,
    'action',
    `${action} changes the host with every look; write one that only looks, e.g. "systemd.status"`,
    problems,
  );
}

const complain = (section: VerifySection, key: string, message: string, problems: Problems): void =>
  problems.error(section.given.get(key)?.place ?? section.place, `${section.path}.${key}`, message);

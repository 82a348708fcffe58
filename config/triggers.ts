/** `triggers.d/*.hcl`: conditions, and the workflows to ask for when they hold. */
import { everyOne, sourceBlock, sourceOf, type PrometheusSourceConfig } from './connections.ts';
import { didYouMean } from './did-you-mean.ts';
import { formatDuration } from './duration.ts';
import type { Known } from './known.ts';
import type { Problems } from './problems.ts';
import { block, many, optional, required, withDefault, type Section } from './schema.ts';
import { checkTriggerArgs } from './trigger-args.ts';
import type { TriggerConfig } from './trigger-daemon.ts';
import { listOf, mapOf, objectOf } from './value-collections.ts';
import { inputName, labelName, placeName, sourceRef, word, workflowName } from './value-names.ts';
import { argument, template } from './value-references.ts';
import { duration, integer, text } from './value-types.ts';
import type { Text } from './workflow.ts';

const labelled = { type: template(['labels']), required: false } as const;

export const triggerBlock = block({
  doc: 'One condition. For each series (or alert) that has held long enough, one request is made and kept up while it lasts.',
  labels: [{ name: 'name', doc: "Part of the fault's identity: `SOURCE/NAME`.", type: word }],
  attributes: {
    source: required(sourceRef, 'Where to look: the address of a source block, e.g. `"prometheus.main"`.'),
    query: optional(
      text,
      'PromQL that gives one series for each fault, and none when all is well. Either this or `alert`.',
    ),
    alert: optional(text, 'The name of an alerting rule that Prometheus itself evaluates. Either this or `query`.'),
    every: withDefault(duration({ minMs: 100, maxMs: 86_400_000 }), 'How often to look.', 15_000, '"15s"'),
    for: withDefault(duration({ zero: true }), 'How long it must hold before it counts.', 0, '"0s"'),
    workflow: required(workflowName, 'What to ask for.'),
    target: required(
      objectOf<{ node?: Text; node_type?: Text; datacenter?: Text }>({
        node: labelled,
        node_type: labelled,
        datacenter: labelled,
      }),
      'What is to be healed, one of `node`, `node_type`, `datacenter`; labels of the series as `${labels.NAME}`.',
    ),
    node_types: optional(listOf(placeName, { min: 1 }), 'A label may name only nodes of these types. Without it, any.'),
    args: withDefault(
      mapOf(inputName, argument(['labels'])),
      "The workflow's inputs; labels of the series as `${labels.NAME}`.",
      {},
      '{}',
    ),
    valid_for: withDefault(duration(), 'Evidence older than this is void.', 120_000, '"2m"'),
    max_series: withDefault(integer(1, 10_000), 'More at once, and the storm brake holds them all.', 20, '20'),
    volatile_labels: withDefault(listOf(labelName), "Labels that are not part of the fault's identity.", [], '[]'),
    gap: optional(
      duration(),
      'Unseen for this long, the fault is over. Default: the larger of 3 x `every` and `"30s"`.',
    ),
    again: optional(
      duration(),
      'A fault that outlives its remedy may be tried again after this long. Default: never within one episode.',
    ),
    wait: withDefault(
      duration({ zero: true, maxMs: 86_400_000 }),
      'A request that a limit or a window refuses, and that can be admitted later, waits for so long while its fault lasts; `"0s"`: it does not wait.',
      600_000,
      '"10m"',
    ),
  },
});

export const triggersFile = block({
  doc: 'Conditions, and the workflows to ask for when they hold.',
  blocks: { source: many(sourceBlock), trigger: many(triggerBlock) },
});

export type TriggersConfig = {
  readonly triggers: readonly TriggerConfig[];
  /** Source blocks that stand in trigger files. */
  readonly sources: readonly PrometheusSourceConfig[];
};

export function triggersOf(
  section: Section<typeof triggersFile>,
  problems: Problems,
  known: Known,
): TriggersConfig | null {
  const sources = everyOne(section.blocks.source.map((source) => sourceOf(source, problems)));
  const own = section.blocks.source.map(({ labels }) => labels.join('.'));
  const names = known.sources === undefined ? undefined : [...known.sources, ...own];
  const triggers = everyOne(
    section.blocks.trigger.map((trigger) => triggerOf(trigger, problems, { ...known, sources: names })),
  );
  return triggers === null || sources === null ? null : { triggers, sources };
}

function triggerOf(section: Section<typeof triggerBlock>, problems: Problems, known: Known): TriggerConfig | null {
  const { readable, given } = section;
  const condition = conditionOf(section, problems);
  const target = targetOf(section, problems);
  const place = (name: string) => given.get(name)?.place ?? section.place;
  if (readable.source !== undefined && known.sources !== undefined && !known.sources.includes(readable.source))
    problems.error(
      place('source'),
      `${section.path}.source`,
      `there is no source ${readable.source}${didYouMean(readable.source, known.sources)}`,
    );
  if (known.workflows !== undefined) checkTriggerArgs(section, known.workflows, problems);
  if (section.values === null || condition === null || target === null) return null;
  const {
    every,
    for: forMs,
    valid_for: validForMs,
    node_types: nodeTypes,
    max_series: maxSeries,
    gap,
  } = section.values;
  if (validForMs < every) {
    const message = `is shorter than every (${formatDuration(every)}), so evidence is void before the next look; write a longer time`;
    problems.warn(place('valid_for'), `${section.path}.valid_for`, message);
  }
  const { source, workflow, args, volatile_labels: volatileLabels, again, wait } = section.values;
  const times = {
    everyMs: every,
    forMs,
    validForMs,
    gapMs: gap ?? Math.max(3 * every, 30_000),
    againMs: again,
    waitMs: wait,
  };
  const [name = ''] = section.labels;
  return {
    place: section.place,
    name,
    source,
    condition,
    workflow,
    target,
    nodeTypes,
    args,
    maxSeries,
    volatileLabels,
    ...times,
  };
}

function conditionOf(
  { readable, place, path }: Section<typeof triggerBlock>,
  problems: Problems,
): TriggerConfig['condition'] | null {
  const { query, alert } = readable;
  if (query === undefined || alert === undefined) return null;
  if (query !== null && alert === null) return { kind: 'query', query };
  if (alert !== null && query === null) return { kind: 'alert', alert };
  problems.error(
    place,
    path,
    query === null
      ? 'has no condition; write query = "..." or alert = "..."'
      : 'has both query and alert; keep one of the two',
  );
  return null;
}

function targetOf(
  { readable, given, place, path }: Section<typeof triggerBlock>,
  problems: Problems,
): TriggerConfig['target'] | null {
  if (readable.target === undefined) return null;
  const kinds = (['node', 'node_type', 'datacenter'] as const).filter((kind) => readable.target?.[kind] !== undefined);
  const [kind] = kinds;
  const value = kind === undefined ? undefined : readable.target[kind];
  if (kind !== undefined && kinds.length === 1 && value !== undefined && value !== '') return { kind, value };
  const message = 'must name one thing; write { node = "..." }, { node_type = "..." } or { datacenter = "..." }';
  problems.error(given.get('target')?.place ?? place, `${path}.target`, message);
  return null;
}

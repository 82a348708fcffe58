/** The one list of kinds of files: what each holds, and how a file is recognised as one. */
import { agentFile } from './agent.ts';
import { clientFile } from './client.ts';
import { commandsFile } from './commands.ts';
import { coordinatorFile } from './coordinator.ts';
import { didYouMean } from './did-you-mean.ts';
import type { HclBody } from './hcl/decode.ts';
import { inventoryFile } from './inventory.ts';
import type { Block } from './schema.ts';
import { triggerDaemonFile } from './trigger-daemon.ts';
import { triggersFile } from './triggers.ts';
import { workflowFile } from './workflow.ts';

export const KINDS = [
  'coordinator',
  'agent',
  'trigger-daemon',
  'workflow',
  'triggers',
  'inventory',
  'commands',
  'client',
] as const;
export type Kind = (typeof KINDS)[number];

export const SCHEMAS = {
  coordinator: coordinatorFile,
  agent: agentFile,
  'trigger-daemon': triggerDaemonFile,
  workflow: workflowFile,
  triggers: triggersFile,
  inventory: inventoryFile,
  commands: commandsFile,
  client: clientFile,
} as const satisfies Record<Kind, Block>;

/** Top-level names of which a whole configuration of a role holds some; a file without any is a part, to be judged by itself. */
const CORE: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  coordinator: ['identity', 'temporal', 'grant_key'],
  agent: ['identity', 'temporal', 'coordinator'],
  'trigger-daemon': ['identity', 'coordinator'],
};

/**
 * The kind whose schema knows most of the top-level names; of equals, the one that knows most names inside their blocks, then the
 * first of `KINDS`. Null when none knows any.
 */
export function recogniseKind(body: HclBody): Kind | null {
  let best: { kind: Kind; score: number } | null = null;
  for (const kind of KINDS) {
    const score = scoreOf(SCHEMAS[kind], body);
    if (score > (best?.score ?? 0)) best = { kind, score };
  }
  // Sources alone may stand in a trigger file as well as in a role's; there is less to ask of them there.
  return best?.kind === 'coordinator' && topNames(body).every((name) => name === 'source')
    ? 'triggers'
    : (best?.kind ?? null);
}

function scoreOf(schema: Block, body: HclBody): number {
  let score = 0;
  for (const name of body.attributes.keys()) score += Object.hasOwn(schema.attributes, name) ? 1000 : -1;
  for (const block of body.blocks) {
    const use = Object.hasOwn(schema.blocks, block.type) ? schema.blocks[block.type] : undefined;
    if (use === undefined) {
      score -= 1;
      continue;
    }
    const known = [...block.body.attributes.keys()].filter((name) => Object.hasOwn(use.block.attributes, name));
    score += 1000 + Math.min(known.length, 10) - (block.body.attributes.size - known.length);
  }
  return score;
}

const topNames = (body: HclBody): readonly string[] => [
  ...body.attributes.keys(),
  ...body.blocks.map(({ type }) => type),
];

/** Whether files hold but a part of a role's configuration, such as its `server_config` alone. */
export function isPart(kind: Kind, bodies: readonly HclBody[]): boolean {
  const core = CORE[kind];
  return core !== undefined && !bodies.some((body) => topNames(body).some((name) => core.includes(name)));
}

/** What to say of a file that is none of ours. */
export function unrecognised(body: HclBody): string {
  const [first] = topNames(body);
  if (first === undefined) return 'the file holds nothing; write the blocks of its kind, or say which kind with --kind';
  const known = [
    ...new Set(
      KINDS.flatMap((kind) => [...Object.keys(SCHEMAS[kind].attributes), ...Object.keys(SCHEMAS[kind].blocks)]),
    ),
  ];
  return `no kind of file has ${first} at its top${didYouMean(first, known)}`;
}

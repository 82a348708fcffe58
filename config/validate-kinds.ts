/** Files whose kinds are known, checked kind by kind and then against one another. */
import { agentOf } from './agent.ts';
import { clientOf } from './client.ts';
import { commandsOf } from './commands.ts';
import { coordinatorOf, type CoordinatorConfig } from './coordinator.ts';
import { standingOf, type Standing } from './standing.ts';
import { crossCheck } from './cross-check.ts';
import { beginning, type DecodedFile } from './files.ts';
import { inventoryOf, type InventoryNode } from './inventory.ts';
import { isPart, SCHEMAS, type Kind } from './kinds.ts';
import type { Known } from './known.ts';
import { loadInventory, readMerged, readWorkflow } from './load.ts';
import type { Problems } from './problems.ts';
import type { ReadOptions } from './schema.ts';
import { triggerDaemonOf } from './trigger-daemon.ts';
import { triggersOf } from './triggers.ts';
import type { WorkflowConfig } from './workflow.ts';

export type Sorted = DecodedFile & { readonly kind: Kind | null };

/** What workflows there are and what holds across them, as far as it could be read. */
export type Found = Standing & { readonly workflows: readonly WorkflowConfig[] };

type How = {
  /** Files of one group are one configuration. */
  readonly groupOf: (file: string) => string;
  /** Nothing may be missing. */
  readonly whole: boolean;
  readonly known: Known;
};

export async function checkKinds(sorted: readonly Sorted[], how: How, problems: Problems): Promise<Found> {
  const { known } = how;
  const of = (kind: Kind): readonly (readonly Sorted[])[] => [
    ...Map.groupBy(
      sorted.filter((file) => file.kind === kind),
      ({ file }) => how.groupOf(file),
    ).values(),
  ];
  /** The kind is a role's, so what is missing is asked for unless only a part of it is here. */
  const optionsFor = (kind: Kind, files: readonly DecodedFile[]): ReadOptions => {
    const bodies = files.map(({ body }) => body).filter((body) => body !== null);
    return { problems, complete: bodies.length === files.length && (how.whole || !isPart(kind, bodies)) };
  };
  const read = of('coordinator').map((files) => readCoordinator(files, optionsFor('coordinator', files), known));
  const coordinators = await Promise.all(read);
  for (const files of of('agent'))
    readMerged(files, SCHEMAS.agent, (section, read) => agentOf(section, read, known), optionsFor('agent', files));
  for (const files of of('trigger-daemon'))
    readMerged(files, SCHEMAS['trigger-daemon'], triggerDaemonOf, optionsFor('trigger-daemon', files));
  const all = { problems, complete: true };
  const inventories = of('inventory').map((files) =>
    readMerged(files, SCHEMAS.inventory, (section) => inventoryOf(section, problems), all),
  );
  for (const files of of('commands'))
    readMerged(files, SCHEMAS.commands, (section) => commandsOf(section, problems), all);
  for (const files of of('client'))
    readMerged(files, SCHEMAS.client, (section) => clientOf(section, problems), optionsFor('client', files));
  const [only, ...more] = coordinators;
  const beside = more.length === 0 ? (only?.config ?? null) : null;
  const workflows = checkWorkflows(sorted, problems, {
    ...known,
    sources: beside?.sources.map(({ kind, name }) => `${kind}.${name}`),
    notify: beside?.notify.map(({ name }) => name),
    hasInventory: beside === null ? undefined : beside.inventory !== null,
  });
  for (const files of of('triggers'))
    readMerged(files, SCHEMAS.triggers, (section) => triggersOf(section, problems, { ...known, workflows }), all);
  const standing = (more.length === 0 ? only?.standing : null) ?? { limits: [], windows: [] };
  problems.add(crossCheck({ ...standing, workflows, inventory: await inventoryBeside(inventories, beside) }));
  return { ...standing, workflows: workflows ?? [] };
}

type ReadCoordinator = { readonly config: CoordinatorConfig | null; readonly standing: Standing | null };

const readCoordinator = (files: readonly DecodedFile[], options: ReadOptions, known: Known): Promise<ReadCoordinator> =>
  readMerged(
    files,
    SCHEMAS.coordinator,
    async (section, read) => {
      const standing = await standingOf(section, read, known);
      return { standing, config: coordinatorOf(section, read, standing) };
    },
    options,
  );

type Inventory = readonly InventoryNode[] | null | undefined;

/** The one that is validated too, else the one that the coordinator names; undefined when neither can be read. */
async function inventoryBeside(found: readonly Inventory[], coordinator: CoordinatorConfig | null): Promise<Inventory> {
  if (found.length > 0) return found.length === 1 ? (found[0] ?? undefined) : undefined;
  if (coordinator === null) return undefined;
  return coordinator.inventory === null ? null : ((await loadInventory(coordinator.inventory)).config ?? undefined);
}

/** Undefined when some could not be read: then nobody can say that one does not exist. */
function checkWorkflows(
  sorted: readonly Sorted[],
  problems: Problems,
  known: Known,
): readonly WorkflowConfig[] | undefined {
  const files = sorted.filter(({ kind }) => kind === 'workflow');
  const workflows: WorkflowConfig[] = [];
  const first = new Map<string, string>();
  for (const file of files) {
    const workflow = readWorkflow(file, problems, known);
    if (workflow === null) continue;
    const { name } = workflow.definition;
    const earlier = first.get(name);
    if (earlier !== undefined)
      problems.error(
        beginning(file.file),
        '',
        `the workflow ${name} is already in ${earlier}; rename one of the two files`,
      );
    first.set(name, file.file);
    workflows.push(workflow);
  }
  const unread = sorted.some(({ body }) => body === null);
  return files.length === 0 || unread || workflows.length < files.length ? undefined : workflows;
}

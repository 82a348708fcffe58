/** `fettle validate`: any files and folders, each file recognised by what it holds, checked by the very loaders the roles use. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { agentOf } from './agent.ts';
import { clientOf } from './client.ts';
import { commandsOf } from './commands.ts';
import { coordinatorOf, type CoordinatorConfig } from './coordinator.ts';
import { beginning, decodeFile, listHclFiles, type DecodedFile } from './files.ts';
import { crossCheck } from './cross-check.ts';
import { inventoryOf, type InventoryNode } from './inventory.ts';
import { isPart, recogniseKind, SCHEMAS, unrecognised, type Kind } from './kinds.ts';
import type { Known } from './known.ts';
import { loadInventory, readMerged, readWorkflow } from './load.ts';
import type { Problem } from './problem.ts';
import { Problems } from './problems.ts';
import type { ReadOptions } from './schema.ts';
import { triggerDaemonOf } from './trigger-daemon.ts';
import { triggersOf } from './triggers.ts';
import type { WorkflowConfig } from './workflow.ts';

type ValidateOptions = {
  /** Taken as the kind of every file, all of them one whole configuration, as a role would read them. */
  readonly kind?: Kind | undefined;
  readonly known?: Known | undefined;
};

type Validated = {
  readonly problems: readonly Problem[];
  /** In the order they were looked at; `kind` null where that could not be told. */
  readonly files: readonly { readonly file: string; readonly kind: Kind | null }[];
};

type Sorted = DecodedFile & { readonly kind: Kind | null };

/**
 * Files stand for themselves; folders for all `*.hcl` files at any depth. A file of which only a part is there (`server_config` alone)
 * is judged by itself. Role files found in one folder of a named folder are judged together, as `--config FOLDER` would.
 */
export async function validateFiles(paths: readonly string[], options: ValidateOptions = {}): Promise<Validated> {
  const problems = new Problems();
  const groups = new Map<string, string>();
  const files = await findAll(paths, groups, problems);
  if (files.length === 0 && problems.errors === 0)
    problems.error(
      beginning(paths[0] ?? '.'),
      '',
      'there are no *.hcl files here; name files, or a folder that holds some',
    );
  const sorted: Sorted[] = [];
  for (const file of files) {
    const decoded = await decodeFile(file, problems);
    const kind = options.kind ?? (decoded.body === null ? null : recogniseKind(decoded.body));
    if (kind === null && decoded.body !== null) problems.error(beginning(file), '', unrecognised(decoded.body));
    sorted.push({ ...decoded, kind });
  }
  const groupOf = (file: string): string => (options.kind === undefined ? (groups.get(file) ?? `file ${file}`) : 'all');
  await checkKinds(sorted, groupOf, problems, options);
  return { problems: problems.sorted(files), files: sorted.map(({ file, kind }) => ({ file, kind })) };
}

/** `groups` gets the folder of each file that was found through a folder. */
async function findAll(
  paths: readonly string[],
  groups: Map<string, string>,
  problems: Problems,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const inner = await foldersOf(path);
    for (const folder of inner.length === 0 ? [path] : inner) {
      const files = await listHclFiles([folder], problems);
      if (inner.length > 0) for (const file of files) groups.set(file, `folder ${dirname(file)}`);
      found.push(...files);
    }
  }
  return [...new Set(found)];
}

/** A folder and those in it at any depth (symbolic links are not followed); nothing for a file. */
async function foldersOf(path: string): Promise<readonly string[]> {
  const info = await stat(path).catch(() => null);
  if (info?.isDirectory() !== true) return [];
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => []);
  const inner = entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  return [path, ...inner.sort()];
}

type GroupOf = (file: string) => string;

async function checkKinds(
  sorted: readonly Sorted[],
  groupOf: GroupOf,
  problems: Problems,
  options: ValidateOptions,
): Promise<void> {
  const { known = {}, kind: forced } = options;
  const of = (kind: Kind): readonly (readonly Sorted[])[] => [
    ...Map.groupBy(
      sorted.filter((file) => file.kind === kind),
      ({ file }) => groupOf(file),
    ).values(),
  ];
  /** `whole`: the kind is a role's, so what is missing is asked for unless only a part of it is here. */
  const optionsFor = (kind: Kind, files: readonly DecodedFile[]): ReadOptions => {
    const bodies = files.map(({ body }) => body).filter((body) => body !== null);
    const complete = bodies.length === files.length && (forced !== undefined || !isPart(kind, bodies));
    return { problems, complete };
  };
  const coordinators: (CoordinatorConfig | null)[] = [];
  for (const files of of('coordinator')) {
    const read = optionsFor('coordinator', files);
    coordinators.push(
      await readMerged(files, SCHEMAS.coordinator, (section, options) => coordinatorOf(section, options, known), read),
    );
  }
  for (const files of of('agent'))
    readMerged(files, SCHEMAS.agent, (section, read) => agentOf(section, read, known), optionsFor('agent', files));
  for (const files of of('trigger-daemon'))
    readMerged(files, SCHEMAS['trigger-daemon'], triggerDaemonOf, optionsFor('trigger-daemon', files));
  const inventories = of('inventory').map((files) =>
    readMerged(files, SCHEMAS.inventory, (section) => inventoryOf(section, problems), { problems, complete: true }),
  );
  for (const files of of('commands'))
    readMerged(files, SCHEMAS.commands, (section) => commandsOf(section, problems), { problems, complete: true });
  for (const files of of('client'))
    readMerged(files, SCHEMAS.client, (section) => clientOf(section, problems), optionsFor('client', files));
  const [coordinator] = coordinators;
  const beside = coordinators.length === 1 && coordinator !== null && coordinator !== undefined ? coordinator : null;
  const sources = beside?.sources.map(({ kind, name }) => `${kind}.${name}`);
  const workflows = checkWorkflows(sorted, problems, {
    ...known,
    sources,
    notify: beside?.notify.map(({ name }) => name),
    hasInventory: beside === null ? undefined : beside.inventory !== null,
  });
  checkTriggers(of('triggers'), problems, { ...known, workflows });
  const { limits = [], windows = [] } = beside ?? {};
  const inventory = await inventoryBeside(inventories, beside);
  problems.add(crossCheck({ limits, windows, workflows, inventory }));
}

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

function checkTriggers(groups: readonly (readonly Sorted[])[], problems: Problems, known: Known): void {
  for (const files of groups)
    readMerged(files, SCHEMAS.triggers, (section) => triggersOf(section, problems, known), {
      problems,
      complete: true,
    });
}

/** Loads every kind of file. A role's configuration may be one file, several, or a folder of `*.hcl` files. */
import { agentFile, agentOf, type AgentConfig } from './agent.ts';
import { clientFile, clientOf, type ClientProfile } from './client.ts';
import { type CommandDefinition, commandsFile, commandsOf } from './commands.ts';
import { coordinatorFile, coordinatorOf, type CoordinatorConfig } from './coordinator.ts';
import { standingOf } from './standing.ts';
import { beginning, decodeFile, listHclFiles, mergeBodies, baseName, type DecodedFile } from './files.ts';
import { inventoryFile, inventoryOf, type InventoryNode } from './inventory.ts';
import type { Known } from './known.ts';
import type { Loaded } from './loaded.ts';
import { Problems } from './problems.ts';
import { readSection, type Block, type ReadOptions, type Section } from './schema.ts';
import { triggerDaemonFile, triggerDaemonOf, type TriggerDaemonConfig } from './trigger-daemon.ts';
import { triggersFile, triggersOf, type TriggersConfig } from './triggers.ts';
import { workflowFile, workflowOf, type WorkflowConfig } from './workflow.ts';

export { ConfigError, configOf, type Loaded } from './loaded.ts';

/** Its files are those of the configuration and the calendars that they name. */
export async function loadCoordinator(paths: readonly string[], known: Known = {}): Promise<Loaded<CoordinatorConfig>> {
  const calendars: string[] = [];
  const loaded = await loadMerged(paths, coordinatorFile, async (section, options) => {
    calendars.push(...section.blocks.window.flatMap(({ readable }) => readable.calendar ?? []));
    return coordinatorOf(section, options, await standingOf(section, options, known));
  });
  return { ...loaded, files: [...loaded.files, ...new Set(calendars)] };
}

export const loadAgent = (paths: readonly string[], known: Known = {}): Promise<Loaded<AgentConfig>> =>
  loadMerged(paths, agentFile, (section, options) => agentOf(section, options, known));

export const loadTriggerDaemon = (paths: readonly string[]): Promise<Loaded<TriggerDaemonConfig>> =>
  loadMerged(paths, triggerDaemonFile, triggerDaemonOf);

/** Triggers of a folder or of files; `known.sources` are those of the daemon's own configuration. */
export const loadTriggers = (paths: string | readonly string[], known: Known = {}): Promise<Loaded<TriggersConfig>> =>
  loadMerged([paths].flat(), triggersFile, (section, { problems }) => triggersOf(section, problems, known));

export const loadInventory = (file: string): Promise<Loaded<readonly InventoryNode[]>> =>
  loadMerged([file], inventoryFile, (section, { problems }) => inventoryOf(section, problems));

export const loadCommands = (folder: string): Promise<Loaded<readonly CommandDefinition[]>> =>
  loadMerged([folder], commandsFile, (section, { problems }) => commandsOf(section, problems));

export const loadClientProfile = (file: string): Promise<Loaded<ClientProfile>> =>
  loadMerged([file], clientFile, (section, { problems }) => clientOf(section, problems));

/** Every workflow of a folder (or of files), each named after its file. */
export async function loadWorkflows(
  paths: string | readonly string[],
  known: Known = {},
): Promise<Loaded<readonly WorkflowConfig[]>> {
  const problems = new Problems();
  const files = await listHclFiles([paths].flat(), problems);
  const decoded: DecodedFile[] = [];
  for (const file of files) decoded.push(await decodeFile(file, problems));
  const workflows = decoded.map((file) => readWorkflow(file, problems, known)).filter((workflow) => workflow !== null);
  return { config: problems.errors > 0 ? null : workflows, problems: problems.sorted(files), files };
}

const WORKFLOW_NAME = /^[a-z][a-z0-9-]{0,63}$/;

export function readWorkflow({ file, body }: DecodedFile, problems: Problems, known: Known): WorkflowConfig | null {
  if (body === null) return null;
  const name = baseName(file);
  if (!WORKFLOW_NAME.test(name))
    problems.error(
      beginning(file),
      '',
      `${JSON.stringify(name)} is no workflow name; name the file with a-z, 0-9 and -, beginning with a letter`,
    );
  const section = readSection(
    workflowFile,
    body,
    { place: beginning(file), path: '', labels: [] },
    { problems, complete: true },
  );
  return workflowOf(section, name, problems, known);
}

async function loadMerged<B extends Block, T>(
  paths: readonly string[],
  schema: B,
  build: (section: Section<B>, options: ReadOptions) => T | null | Promise<T | null>,
): Promise<Loaded<T>> {
  const problems = new Problems();
  const files = await listHclFiles(paths, problems);
  const decoded: DecodedFile[] = [];
  for (const file of files) decoded.push(await decodeFile(file, problems));
  const config = await readMerged(
    decoded,
    schema,
    build,
    { problems, complete: decoded.every(({ body }) => body !== null) && problems.errors === 0 },
    paths[0],
  );
  return { config: problems.errors > 0 ? null : config, problems: problems.sorted(files), files };
}

/** One configuration out of decoded files. What a file that could not be read would have held is not asked for. */
export function readMerged<B extends Block, T>(
  decoded: readonly DecodedFile[],
  schema: B,
  build: (section: Section<B>, options: ReadOptions) => T,
  options: ReadOptions,
  first = decoded[0]?.file ?? '',
): T {
  const body = mergeBodies(decoded, options.problems);
  const place = beginning(decoded[0]?.file ?? first);
  return build(readSection(schema, body, { place, path: '', labels: [] }, options), options);
}

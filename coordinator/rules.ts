/** What a coordinator reads again while it runs: who may do what, workflows, inventory. A bad file leaves the old rules in force. */
import type { Logger } from 'pino';
import { sourceAddress } from '../config/connections.ts';
import type { AccessConfig, CoordinatorConfig, NotifyConfig } from '../config/coordinator.ts';
import { crossCheck } from '../config/cross-check.ts';
import type { InventoryNode } from '../config/inventory.ts';
import type { Known } from '../config/known.ts';
import { loadCoordinator, loadInventory, loadWorkflows, type Loaded } from '../config/load.ts';
import { formatProblem, type Problem } from '../config/problem.ts';
import { watchConfig, type WatchStatus } from '../config/watched.ts';
import type { WindowConfig } from '../config/window.ts';
import type { WorkflowConfig } from '../config/workflow.ts';
import { ACTION_ARGUMENTS } from '../workflows/action-arguments.ts';
import type { ApiStatus } from '../workflows/api.ts';
import type { WorkflowDefinition } from '../workflows/contract.ts';
import { NO_LOOKS } from '../workflows/look.ts';
import { TYPESCRIPT_WORKFLOWS } from '../workflows/typescript-workflows.ts';
import { createRulings, type Ruling } from './gate/ruling.ts';

export type Rules = AsyncDisposable & {
  readonly access: () => AccessConfig;
  readonly notify: () => readonly NotifyConfig[];
  readonly definition: (name: string) => WorkflowDefinition | null;
  readonly definitions: () => readonly WorkflowDefinition[];
  /** How requests for this workflow are ruled now: by its own limits and mode, and the fleet-wide limits that cover it. */
  readonly ruling: (definition: WorkflowDefinition) => Ruling;
  readonly windows: () => readonly WindowConfig[];
  readonly inventory: () => readonly InventoryNode[];
  readonly status: () => ApiStatus['config'];
  readonly warnings: () => readonly string[];
  /** Reads all again now. */
  readonly reload: () => Promise<void>;
};

export type RulesOptions = {
  readonly config: CoordinatorConfig;
  /** The coordinator's own files: their access rules, limits and notify blocks are read again, the rest needs a restart. */
  readonly paths: readonly string[];
  readonly log: Logger;
  readonly onProblems: (file: string, errors: number) => void;
  /** Workflows, fleet-wide limits or windows changed. */
  readonly onRules: () => void;
  readonly onInventory: (nodes: readonly InventoryNode[]) => void;
};

/** What workflow files may name; also what `fettle validate` checks them against. */
export const knownToWorkflows = (config: CoordinatorConfig | null): Known => ({
  actions: ACTION_ARGUMENTS,
  changing: NO_LOOKS,
  typescriptWorkflows: TYPESCRIPT_WORKFLOWS,
  ...(config === null
    ? {}
    : {
        sources: config.sources.map(sourceAddress),
        notify: config.notify.map((one) => one.name),
        hasInventory: config.inventory !== null,
      }),
});

/** @throws ConfigError when the workflows or the inventory cannot be read at start. */
export async function watchRules(options: RulesOptions): Promise<Rules> {
  const { config, log } = options;
  const stack = new AsyncDisposableStack();
  /** Told only once everything is there. */
  let changed = (): void => {};
  try {
    const follow = async <T>(
      what: string,
      paths: readonly string[],
      load: () => Promise<Loaded<T>>,
      onChange: (value: T) => void,
    ) =>
      stack.use(
        await watchConfig<T>({
          load,
          paths,
          onChange: (value, warnings) => {
            log.info({ paths }, `${what} read again`);
            warn(log, warnings);
            options.onProblems(what, 0);
            onChange(value);
            changed();
          },
          onProblems: (problems) => {
            options.onProblems(what, problems.length);
            log.error({ problems: problems.map(formatProblem) }, `${what} not reloaded: the old rules stay in force`);
          },
        }),
      );
    const own =
      options.paths.length === 0
        ? null
        : await follow(
            'configuration',
            options.paths,
            () => loadCoordinator(options.paths, knownToWorkflows(config)),
            options.onRules,
          );
    const workflows = await follow<readonly WorkflowConfig[]>(
      'workflows',
      [config.workflowsDir],
      () => loadWorkflows(config.workflowsDir, knownToWorkflows(config)),
      options.onRules,
    );
    const { inventory: file } = config;
    const inventory =
      file === null
        ? null
        : await follow<readonly InventoryNode[]>('inventory', [file], () => loadInventory(file), options.onInventory);
    const watched = [own, workflows, inventory].filter((one) => one !== null);
    for (const one of watched) warn(log, one.status().problems);
    const current = () => own?.current() ?? config;
    const sideBySide = (): readonly Problem[] =>
      crossCheck({
        limits: current().limits,
        windows: current().windows,
        workflows: workflows.current(),
        inventory: inventory?.current() ?? null,
      });
    warn(log, sideBySide());
    changed = () => warn(log, sideBySide());
    const owned = stack.move();
    return {
      access: () => current().access,
      notify: () => current().notify,
      definition: (name) => workflows.current().find((one) => one.definition.name === name)?.definition ?? null,
      definitions: () => workflows.current().map((one) => one.definition),
      ruling: createRulings(() => ({
        workflows: workflows.current(),
        limits: current().limits,
      })),
      windows: () => current().windows,
      inventory: () => inventory?.current() ?? [],
      status: () => ({ files: watched.flatMap((one) => fileStatus(one.status())) }),
      warnings: () =>
        [...watched.flatMap((one) => one.status().problems), ...sideBySide()]
          .filter(({ severity }) => severity === 'warning')
          .map(formatProblem),
      reload: async () => {
        for (const one of watched) await one.reload();
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function fileStatus({ files, loadedAt, problems }: WatchStatus): ApiStatus['config']['files'] {
  return files.map((file) => ({
    file,
    loaded_at: loadedAt.toISOString(),
    problems: problems.filter((problem) => problem.place.file === file).map(formatProblem),
  }));
}

function warn(log: Logger, problems: readonly Problem[]): void {
  for (const problem of problems) if (problem.severity === 'warning') log.warn(formatProblem(problem));
}

import type { WorkflowConfig } from './workflow.ts';

/**
 * What a file may name that lies outside it. The caller knows (config/ imports neither workflows/ nor a role); what is absent here is
 * not checked.
 */
export type Known = {
  /** Actions and their arguments, e.g. `ACTION_ARGUMENTS` of workflows/; `others` not null = further arguments are legal. */
  readonly actions?: Readonly<Record<string, KnownAction>> | undefined;
  /** Those of them that hosts keep a ledger of. */
  readonly recorded?: readonly string[] | undefined;
  /** Those of them that change a host: nothing to look with. */
  readonly changing?: readonly string[] | undefined;
  /** Names of the TypeScript workflows. */
  readonly typescriptWorkflows?: readonly string[] | undefined;
  /** Addresses of source blocks, e.g. `prometheus.main`. */
  readonly sources?: readonly string[] | undefined;
  /** Names of notify blocks. */
  readonly notify?: readonly string[] | undefined;
  /** Whether the coordinator knows the nodes that should exist; some limits need it. */
  readonly hasInventory?: boolean | undefined;
  /** For triggers: the workflows they ask for. */
  readonly workflows?: readonly WorkflowConfig[] | undefined;
};

export type KnownAction = {
  readonly named: Readonly<Record<string, { readonly required: boolean }>>;
  readonly others: string | null;
};

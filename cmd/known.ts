import type { Known } from '../config/known.ts';
import { ACTION_ARGUMENTS } from '../workflows/action-arguments.ts';
import { ACTIONS } from '../workflows/contract.ts';
import { NO_LOOKS } from '../workflows/look.ts';
import { TYPESCRIPT_WORKFLOWS } from '../workflows/typescript-workflows.ts';

/** What this program has, for files that name it: actions and TypeScript workflows. */
export const KNOWN: Known = {
  actions: ACTION_ARGUMENTS,
  recorded: Object.keys(ACTIONS).filter((name) => ACTIONS[name]?.changing === true),
  changing: NO_LOOKS,
  typescriptWorkflows: TYPESCRIPT_WORKFLOWS,
};

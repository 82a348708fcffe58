import type { ACTIONS } from '../../workflows/contract.ts';
import { type Action, type ActionEnd, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';

/** An action that is declared and not yet done: checks its arguments and fails. */
export function coming(name: keyof typeof ACTIONS): Action {
  const check = argumentCheck(name);
  const end: ActionEnd = {
    status: 'failed',
    code: 'spawn',
    message: `this agent cannot do ${name} yet`,
    output: factsOnly({}),
  };
  return {
    name,
    capped: true,
    prepare(args) {
      check(args);
      return { rehearse: async () => end.output, run: async () => end, worksOn: async () => false };
    },
  };
}

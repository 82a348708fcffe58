import { RefusalError } from '../refusal.ts';
import type { Action } from './action.ts';
import { argumentCheck } from './argument-check.ts';

const check = argumentCheck('diagnostics.collect');

export const diagnosticsCollect: Action = {
  name: 'diagnostics.collect',
  capped: true,
  prepare(args) {
    check(args);
    throw new RefusalError('action_unknown', 'diagnostics.collect is not in this version of the agent yet');
  },
};

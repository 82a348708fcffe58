import { RefusalError } from '../refusal.ts';
import type { Action } from './action.ts';
import { argumentCheck } from './argument-check.ts';

const check = argumentCheck('network.check');

export const networkCheck: Action = {
  name: 'network.check',
  capped: true,
  prepare(args) {
    check(args);
    throw new RefusalError('action_unknown', 'network.check is not in this version of the agent yet');
  },
};

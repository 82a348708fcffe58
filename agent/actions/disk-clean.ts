import { RefusalError } from '../refusal.ts';
import type { Action } from './action.ts';
import { argumentCheck } from './argument-check.ts';

const check = argumentCheck('disk.clean');

export const diskClean: Action = {
  name: 'disk.clean',
  capped: true,
  prepare(args) {
    check(args);
    throw new RefusalError('action_unknown', 'disk.clean is not in this version of the agent yet');
  },
};

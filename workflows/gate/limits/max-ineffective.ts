/** The breaker: after `v` outcomes in a row that did not help, nothing more until a person resumes it. */
import type { LimitKind } from './limit.ts';

export const maxIneffective: LimitKind = {
  // Only a person ends this, so nobody queues for it.
  waits: false,
  judge: (limit, { streak, open }) => ({
    allowed: limit.v,
    current: streak,
    full: open || streak >= limit.v,
    free: null,
  }),
};

/** Nothing open, and `p` has passed since the last one ended. One that never got a permit leaves no trace. */
import type { LimitKind } from './limit.ts';

export const cooldown: LimitKind = {
  waits: true,
  judge: (limit, { counter, now, ahead }) => {
    const until = counter.lastEnd + limit.p;
    const resting = counter.lastEnd > 0 && until > now;
    const current = counter.open > 0 ? counter.open : resting ? 1 : 0;
    const free = counter.open > 0 || ahead > 0 || !resting ? null : until;
    return { allowed: 1, current, full: current + ahead > 0, free };
  },
};

/**
 * Rolling and strict: no window of length `p` ever holds more than `v` real starts. A start is counted from admission until `p` plus
 * `SLACK_MS` after it, since its execution may really begin that much later.
 */
import { firstAfter, SLACK_MS } from '../counts.ts';
import type { LimitKind } from './limit.ts';

export const maxExecution: LimitKind = {
  waits: true,
  judge: (limit, { counter, now, ahead }) => {
    const from = firstAfter(counter.starts, now - limit.p - SLACK_MS - 1);
    const current = counter.starts.length - from;
    const last = counter.starts[from + current + ahead - limit.v];
    const free = last === undefined ? null : last + limit.p + SLACK_MS + 1;
    return { allowed: limit.v, current, full: current + ahead >= limit.v, free };
  },
};

/** At most `v` open at once; with a period, those that began within it count as well. An open one counts however old it is. */
import { firstAfter, SLACK_MS } from '../counts.ts';
import type { LimitKind } from './limit.ts';

export const concurrency: LimitKind = {
  waits: true,
  judge: (limit, { counter, now, ahead }) => {
    const past = limit.p === 0 ? [] : counter.ended;
    const from = firstAfter(past, now - limit.p - SLACK_MS - 1);
    const current = counter.open + past.length - from;
    const taken = current + ahead;
    // So many of those that ended must pass out of the period; when open ones alone fill it, no time is known.
    const last = past[from + taken - limit.v];
    const free = counter.open + ahead >= limit.v || last === undefined ? null : last + limit.p + SLACK_MS + 1;
    return { allowed: limit.v, current, full: taken >= limit.v, free };
  },
};

/** Stretches of time, each from its beginning up to, and without, its end; milliseconds. */
export type Interval = { readonly from: number; readonly until: number };

/** In order, without overlaps, and with those joined that touch or have less than `gapMs` between them. */
export function joined(intervals: readonly Interval[], gapMs = 0): readonly Interval[] {
  const found: Interval[] = [];
  const sorted = intervals.filter(({ from, until }) => from < until).sort((a, b) => a.from - b.from);
  for (const { from, until } of sorted) {
    const last = found.at(-1);
    if (last === undefined || from > last.until + gapMs) found.push({ from, until });
    else found[found.length - 1] = { from: last.from, until: Math.max(last.until, until) };
  }
  return found;
}

/** What of them lies within. */
export const clipped = (intervals: readonly Interval[], within: Interval): readonly Interval[] =>
  intervals
    .map(({ from, until }) => ({ from: Math.max(from, within.from), until: Math.min(until, within.until) }))
    .filter(({ from, until }) => from < until);

/** All of `within` that they leave free. They are `joined`. */
export function others(intervals: readonly Interval[], within: Interval): readonly Interval[] {
  const found: Interval[] = [];
  let begin = within.from;
  for (const { from, until } of clipped(intervals, within)) {
    if (begin < from) found.push({ from: begin, until: from });
    begin = until;
  }
  if (begin < within.until) found.push({ from: begin, until: within.until });
  return found;
}

import type { Place } from '../problem.ts';

/** One file's text with the means to say where in it something stands. Offsets are UTF-16 code units, as in JavaScript strings. */
export type SourceText = {
  readonly file: string;
  /** Without a leading byte order mark. */
  readonly text: string;
  readonly place: (offset: number) => Place;
};

/** Lines and columns in constant memory per line: a hostile file of one long line must not cost a scan per node. */
export function sourceText(file: string, raw: string): SourceText {
  const text = raw.startsWith('\ufeff') ? raw.slice(1) : raw;
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  const pairs: number[] = [];
  for (const match of text.matchAll(/[\ud800-\udbff][\udc00-\udfff]/g)) pairs.push(match.index);
  const place = (offset: number): Place => {
    const line = countUpTo(lineStarts, offset);
    const start = lineStarts[line - 1] ?? 0;
    const wide = countBelow(pairs, offset) - countBelow(pairs, start);
    return { file, line, column: offset - start - wide + 1 };
  };
  return { file, text, place };
}

/** How many of the sorted numbers are at most `limit`. */
function countUpTo(sorted: readonly number[], limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

const countBelow = (sorted: readonly number[], limit: number): number => countUpTo(sorted, limit - 1);

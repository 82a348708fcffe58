/** `; did you mean "name"?` for a close known word, else the known words, else nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: { name: string; distance: number } | null = null;
  for (const name of known) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase(), limit);
    if (distance <= limit && (best === null || distance < best.distance)) best = { name, distance };
  }
  if (best !== null) return `; did you mean ${best.name}?`;
  return known.length === 0 ? '; take it away' : `; write one of: ${listed(known)}`;
}

const MAX_LISTED = 30;
const listed = (known: readonly string[]): string =>
  known.length <= MAX_LISTED
    ? known.join(', ')
    : `${known.slice(0, MAX_LISTED).join(', ')}, ... (${known.length} in all)`;

/** Insertions, deletions, changes and swaps of neighbours; `limit + 1` when the words are further apart than `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit || a.length > 100) return limit + 1;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const change = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      let cost = Math.min((above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, change);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = above;
    above = current;
  }
  return above[b.length] ?? limit + 1;
}

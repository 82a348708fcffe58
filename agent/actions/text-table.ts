const MAX_BYTES = 4000;

/**
 * Columns under their headings, for the tail of a receipt: as many rows as it takes, from the first on, and how many were left out.
 * Numbers are set right.
 */
export function textTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  maxBytes = MAX_BYTES,
): string {
  const cells = rows.map((row) => row.map((cell) => printable(String(cell))));
  const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((row) => row[at]!.length)));
  const line = (row: readonly string[], numbers: readonly boolean[]): string =>
    row
      .map((cell, at) => (numbers[at] === true ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd();
  const isNumber = headings.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === 'number'));
  const lines = [headings, ...cells].map((row) => line(row, isNumber));
  for (let shown = lines.length; shown > 1; shown -= 1) {
    const left = lines.length - shown;
    const text = [...lines.slice(0, shown), ...(left === 0 ? [] : [`... and ${left} more`])].join('\n');
    if (Buffer.byteLength(text) <= maxBytes) return `${text}\n`;
  }
  return `${lines[0]!}\n${rows.length === 0 ? '' : `... and ${rows.length} more\n`}`;
}

/** Names of processes and files may hold anything: nothing of them moves a cursor. */
// eslint-disable-next-line no-control-regex
const printable = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');

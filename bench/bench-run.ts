/** What a bench takes and gives. */
export type BenchOptions = {
  /** Few samples: tells whether it works, not how fast it is. */
  readonly quick: boolean;
  /** How long what is idle is watched; null: as the bench sees fit. */
  readonly minutes: number | null;
  /** How many agents at once; null: as the bench sees fit. */
  readonly agents: number | null;
  /** Progress, for people. */
  readonly say: (line: string) => void;
};

export type Table = {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
};

export type BenchResult = {
  /** Key of its numbers in the JSON document. */
  readonly name: string;
  readonly json: Readonly<Record<string, unknown>>;
  /** Further keys of the document, each with its numbers. */
  readonly others?: Readonly<Record<string, unknown>>;
  readonly tables: readonly Table[];
  readonly notes: readonly string[];
};

export type Bench = (options: BenchOptions) => Promise<BenchResult>;

/** Markdown, so that docs/measurements.md can take it as it is. */
export function tableText({ title, header, rows }: Table): string {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => fill(cell, widths[column] ?? 0, column > 0)).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column > 0 ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`;
  const [head = [], ...body] = cells;
  return `${title}\n\n${[line(head), rule, ...body.map(line)].join('\n')}\n`;
}

const fill = (cell: string, width: number, right: boolean): string => {
  const blank = ' '.repeat(width - cell.length);
  return right ? blank + cell : cell + blank;
};

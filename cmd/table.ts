import { styleText } from 'node:util';
import { displayWidth, printable, truncate } from './printable.ts';

export type Style = Parameters<typeof styleText>[0];

export type Column<Row> = {
  readonly header: string;
  readonly value: (row: Row) => string;
  /** The column with the largest number is cut first when the terminal is too narrow. */
  readonly cut: number;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  readonly right?: boolean;
  readonly style?: (row: Row) => Style | null;
};

export type TableOptions = {
  /** Null: as wide as the values are. */
  readonly columns: number | null;
  readonly colour: boolean;
  readonly wide: boolean;
};

const GAP = 2;
/** A cut column keeps at least this much, so that it still says something. */
const NARROWEST = 6;

/** Lines of a table; no line is wider than the terminal, none is wrapped. Values are made printable here. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions,
): string[] {
  const shown = columns.filter((column) => options.wide || column.wide !== true);
  const cells = rows.map((row) => shown.map((column) => printable(column.value(row))));
  const widths = shown.map((column, i) =>
    Math.max(displayWidth(column.header), ...cells.map((c) => displayWidth(c[i] ?? ''))),
  );
  if (options.columns !== null) shrink(shown, widths, options.columns);
  const line = (texts: readonly string[], style: (i: number) => Style | null): string => {
    const parts = shown.map((column, i) =>
      paint(pad(texts[i] ?? '', widths[i] ?? 0, column.right === true), style(i), options),
    );
    return clip(parts.join(' '.repeat(GAP)), widths, options);
  };
  const head = line(
    shown.map((column) => column.header),
    () => 'bold',
  );
  return [head, ...rows.map((row, r) => line(cells[r] ?? [], (i) => shown[i]?.style?.(row) ?? null))];
}

function shrink<Row>(columns: readonly Column<Row>[], widths: number[], limit: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1);
  const order = columns.map((column, i) => ({ i, cut: column.cut })).sort((a, b) => b.cut - a.cut);
  for (const least of [NARROWEST, 1]) {
    for (const { i } of order) {
      const over = total() - limit;
      if (over <= 0) return;
      const width = widths[i] ?? 0;
      widths[i] = Math.max(Math.min(width, least), width - over);
    }
  }
}

const pad = (text: string, width: number, right: boolean): string => {
  const fitted = truncate(text, width);
  const space = ' '.repeat(Math.max(0, width - displayWidth(fitted)));
  return right ? space + fitted : fitted + space;
};

function paint(text: string, style: Style | null, options: TableOptions): string {
  if (style === null || !options.colour || text.trim() === '') return text;
  return styleText(style, text, { validateStream: false });
}

/** Trailing blanks go; on a terminal too narrow even for cut columns the rest of the line goes too. */
function clip(line: string, widths: readonly number[], options: TableOptions): string {
  const total = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1);
  if (options.columns === null || total <= options.columns || options.colour) return line.trimEnd();
  return truncate(line.trimEnd(), options.columns);
}

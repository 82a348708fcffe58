import { type Io, note, say, wantsColour } from './io.ts';
import { printableJson } from './printable.ts';
import { type Column, renderTable } from './table.ts';

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'jsonl'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Version of every JSON document the command line prints; fields are added without changing it. */
export const OUTPUT_VERSION = 1;

export type ListOutput<Row> = {
  readonly format: OutputFormat;
  /** Name of the list in the JSON document. */
  readonly name: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  /** What to say on standard error, beside an empty table. */
  readonly empty: string;
};

/** Prints a list: a table, `{"api_version":1,"NAME":[...]}`, or one JSON object a line. */
export function printList<Row>(io: Io, output: ListOutput<Row>): void {
  if (output.format === 'json') return printDocument(io, { [output.name]: output.rows });
  if (output.format === 'jsonl') {
    for (const row of output.rows) say(io, printableJson(row, 0));
    return;
  }
  if (output.rows.length === 0) return note(io, output.empty);
  const options = { columns: io.columns, colour: wantsColour(io), wide: output.format === 'wide' };
  for (const line of renderTable(output.columns, output.rows, options)) say(io, line);
}

/** Prints one JSON document with its version first. */
export function printDocument(io: Io, fields: Readonly<Record<string, unknown>>): void {
  say(io, printableJson({ api_version: OUTPUT_VERSION, ...fields }, 2));
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import * as fc from 'fast-check';
import { displayWidth } from './printable.ts';
import { type Column, renderTable } from './table.ts';

type Row = { id: string; note: string; count: number };
const COLUMNS: readonly Column<Row>[] = [
  { header: 'ID', value: (row) => row.id, cut: 0 },
  { header: 'COUNT', value: (row) => String(row.count), cut: 1, right: true },
  { header: 'NOTE', value: (row) => row.note, cut: 2, style: () => 'red' },
  { header: 'MORE', value: () => 'more', cut: 3, wide: true },
];
const ROW: Row = { id: 'restart-service:web-1:1-7', note: 'a long remark about something that happened', count: 12 };
const plain = { columns: null, colour: false, wide: false };

test('is as wide as its values when nobody says how wide the terminal is', () => {
  assert.deepEqual(renderTable(COLUMNS, [ROW], plain), [
    'ID                         COUNT  NOTE',
    'restart-service:web-1:1-7     12  a long remark about something that happened',
  ]);
});

test('cuts the least important column first and never wraps', () => {
  assert.deepEqual(renderTable(COLUMNS, [ROW], { ...plain, columns: 50 }), [
    'ID                         COUNT  NOTE',
    'restart-service:web-1:1-7     12  a long remark a…',
  ]);
});

test('shows further columns only when asked to', () => {
  assert.match(renderTable(COLUMNS, [ROW], { ...plain, wide: true })[0] ?? '', /MORE$/);
});

test('colours values without counting the colour as width', () => {
  const [, line = ''] = renderTable(COLUMNS, [ROW], { ...plain, colour: true });
  assert.ok(line.includes('\u001b[31ma long'));
  assert.equal(stripVTControlCharacters(line), renderTable(COLUMNS, [ROW], plain)[1]);
});

test('one row is one line however hostile its values are, and no line is wider than the terminal', () => {
  const row = fc.record({
    id: fc.string({ unit: 'binary' }),
    note: fc.string({ unit: 'binary' }),
    count: fc.integer(),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 5 }), fc.integer({ min: 5, max: 200 }), (rows, columns) => {
      const lines = renderTable(COLUMNS, rows, { ...plain, columns });
      assert.equal(lines.length, rows.length + 1);
      for (const line of lines) {
        assert.ok(displayWidth(line) <= columns, `${JSON.stringify(line)} is wider than ${columns}`);
        assert.doesNotMatch(line, /[\p{Cc}]/u);
      }
    }),
  );
});

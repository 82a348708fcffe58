import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { displayWidth, printable, printableJson, printableLines, truncate } from './printable.ts';

const HOSTILE = '\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2028\u200b\ud800\r\n\t\u{e0041}';

test('shows escape sequences, C1 controls, bidirectional and invisible characters instead of sending them', () => {
  assert.equal(
    printable(HOSTILE),
    '\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202eevil\\u2028\\u200b\\ud800\\r\\n\\t\\u{e0041}',
  );
});

test('leaves ordinary text of any language as it is', () => {
  const text = 'Größe 5 µs — 再起動 naïve é ✓';
  assert.equal(printable(text), text);
});

test('keeps the lines of an output and makes each of them safe', () => {
  assert.deepEqual(printableLines('one\r\ntwo\x1b[0m\n'), ['one', 'two\\x1b[0m']);
});

test('no text whatever gets a control character past it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    }),
  );
});

test('JSON stays the same value and holds nothing that a terminal acts on', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = printableJson({ text }, 2);
      assert.doesNotMatch(json.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      assert.deepEqual(JSON.parse(json), { text });
    }),
  );
});

test('counts wide characters twice and combining marks not at all', () => {
  assert.equal(displayWidth('再起'), 4);
  assert.equal(displayWidth('e\u0301'), 1);
  assert.equal(displayWidth('abc'), 3);
});

test('cuts to the width given and marks the cut', () => {
  assert.equal(truncate('restart-service', 8), 'restart…');
  assert.equal(truncate('再起動再起動', 5), '再起…');
  assert.equal(truncate('short', 5), 'short');
});

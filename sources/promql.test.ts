import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Text } from '../config/workflow.ts';
import { fillQuery, quotePromql, quoteRegex } from './promql.ts';

const fill = (parts: Text, values: Record<string, string | number | boolean>): string =>
  fillQuery(parts, (ref) => (Object.hasOwn(values, ref) ? values[ref] : undefined));
const around = (before: string, after: string): Text => ({ template: [before, { ref: 'labels.x' }, after] });

test('a value cannot leave the string it is filled into', () => {
  const hostile = '"} or vector(1) #\\';
  assert.equal(
    fill(around('up{node="', '"} == 1'), { 'labels.x': hostile }),
    'up{node="\\"} or vector(1) #\\\\"} == 1',
  );
});

test('a value in a regular expression matches itself only', () => {
  assert.equal(fill(around('up{node=~"', '"}'), { 'labels.x': 'a.b|.*' }), 'up{node=~"a\\\\.b\\\\|\\\\.\\\\*"}');
  assert.equal(fill(around('up{node !~ "^', '$"}'), { 'labels.x': 'a.b' }), 'up{node !~ "^a\\\\.b$"}');
});

test('escapes of a quoted value read back as the value, whatever is in it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
      (value) => {
        const quoted = quotePromql(value);
        assert(!/["'`\n]/.test(quoted.replace(/\\./g, '')));
        // JSON reads the same escapes but \x.
        const readable = quoted.replace(/\\x([0-9a-f]{2})|\\\\/g, (all, hex: string | undefined) =>
          hex === undefined ? all : `\\u00${hex}`,
        );
        const literal = readable.replace(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
        assert.equal(JSON.parse(`"${literal}"`), value);
        assert(!/["'`\n]/.test(quoteRegex(value).replace(/\\./g, '')));
      },
    ),
    { seed: 7, numRuns: 1_000 },
  );
});

const refused: [string, Text, Record<string, string | number>, RegExp][] = [
  ['outside of quotes', around('up{node=', '}'), { 'labels.x': 'a' }, /outside of quotes/],
  ['a metric name', around('', '_total'), { 'labels.x': 'a' }, /outside of quotes/],
  ['in back quotes', around('up{node=`', '`}'), { 'labels.x': 'a' }, /back quotes/],
  ['after a backslash', around('up{node="\\', '"}'), { 'labels.x': 'a' }, /backslash/],
  ['in a comment', around('up # "', '"'), { 'labels.x': 'a' }, /comment/],
  ['without a value', around('up{node="', '"}'), {}, /labels\.x} has no value/],
  ['with a NUL', around('up{node="', '"}'), { 'labels.x': 'a\0b' }, /NUL/],
  ['a number that is none', around('up > ', ''), { 'labels.x': NaN }, /outside of quotes/],
];
for (const [what, text, values, message] of refused) {
  test(`refuses a template ${what}`, () => {
    assert.throws(() => fill(text, values), { name: 'QueryTemplateError', message });
  });
}

test('a number may stand outside of quotes', () => {
  assert.equal(fill(around('up > ', ''), { 'labels.x': 5 }), 'up > 5');
});

test('quotes that are escaped or of the other kind do not end a string', () => {
  const text: Text = { template: [`up{a="\\"", b='"', c="`, { ref: 'labels.x' }, '"}'] };
  assert.equal(fill(text, { 'labels.x': 'v' }), `up{a="\\"", b='"', c="v"}`);
});

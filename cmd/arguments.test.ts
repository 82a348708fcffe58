import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from './arguments.ts';
import { CommandError } from './exit-code.ts';

test('name=text is text, whatever it looks like', () => {
  assert.deepEqual(parseArguments(['unit=web.service', 'lines=100', 'flag=true', 'empty=', 'a=b=c:=d']), {
    unit: 'web.service',
    lines: '100',
    flag: 'true',
    empty: '',
    a: 'b=c:=d',
  });
});

test('name:=json is the JSON value', () => {
  assert.deepEqual(parseArguments(['lines:=100', 'flag:=true', 'list:=["a","b"]', 'text:="=:="']), {
    lines: 100,
    flag: true,
    list: ['a', 'b'],
    text: '=:=',
  });
});

test('a name such as __proto__ is a name like any other', () => {
  assert.deepEqual(Object.entries(parseArguments(['__proto__=x'])), [['__proto__', 'x']]);
});

test('what cannot be meant is refused with what to write', () => {
  for (const words of [['unit'], ['=x'], ['unit:=web.service'], ['a=1', 'a=2'], ['9=x'], ['']]) {
    assert.throws(
      () => parseArguments(words),
      (error) => error instanceof CommandError && error.exit === 2,
    );
  }
  assert.throws(() => parseArguments(['lines:=abc']), /lines:=\.\.\. is not JSON; write e\.g\. lines:=3/);
});

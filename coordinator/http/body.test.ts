import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HttpFailure } from './failure.ts';
import { findJsonMistake } from './json-mistake.ts';
import { MAX_BODY_BYTES, parseJson, readJson } from './body.ts';

const failure = (status: number, message: RegExp) => (error: unknown) =>
  error instanceof HttpFailure && error.status === status && message.test(error.message);

describe('bodies', () => {
  const bad: [string, RegExp][] = [
    ['', /empty/],
    ['{', /line 1, column 2/],
    ['{"a": 1,}', /line 1, column 9/],
    ['{\n  "a": nope\n}', /line 2, column 8: expected a value/],
    ["{'a': 1}", /line 1, column 2/],
    ['{"a": 1} x', /line 1, column 10/],
    ['{"a": NaN}', /line 1, column 7/],
    ['['.repeat(60_000), /deeper than 32/],
    ['{"a": {"__proto__": {}}}', /__proto__/],
    ['<html></html>', /line 1, column 1/],
    ['"secret-token-text', /line 1, column 1: expected a value/],
  ];
  for (const [text, message] of bad) {
    test(`refuses ${JSON.stringify(text.slice(0, 24))}`, () =>
      assert.throws(() => parseJson(text), failure(400, message)));
  }
  test('does not repeat what stands in the body', () => {
    assert.throws(
      () => parseJson('{"token": hunter2}'),
      (error: Error) => !error.message.includes('hunter2'),
    );
  });
  test('finds a mistake in exactly those texts that JSON.parse refuses', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '1',
      '-',
      '0',
      '01',
      '1e3',
      'true',
      'nul',
      ' ',
      '\n',
      '"\\u00',
      '"',
    ];
    let seed = 7;
    const pick = (): string => pieces[(seed = (seed * 1103515245 + 12345) % 2147483648) % pieces.length] ?? '';
    for (let round = 0; round < 20_000; round += 1) {
      const text = Array.from({ length: 1 + (round % 9) }, pick).join('');
      let accepted = true;
      try {
        JSON.parse(text);
      } catch {
        accepted = false;
      }
      assert.equal(findJsonMistake(text) === null, accepted, text);
    }
  });
  test('brackets within strings are no depth', () => {
    assert.deepEqual(parseJson(JSON.stringify({ a: '['.repeat(100), b: '"[' })), { a: '['.repeat(100), b: '"[' });
  });
  const post = (
    body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ): Request => new Request('http://x/', Object.assign({ method: 'POST', body, headers }, { duplex: 'half' }));
  test('reads JSON with a charset in its type', async () => {
    assert.deepEqual(await readJson(post('{"a":1}', { 'content-type': 'application/json; charset=utf-8' })), { a: 1 });
  });
  test('refuses another type, none, and compressed bodies', async () => {
    await assert.rejects(
      readJson(post('a=1', { 'content-type': 'application/x-www-form-urlencoded' })),
      failure(415, /application\/json/),
    );
    await assert.rejects(readJson(post(new Uint8Array([1]), {})), failure(415, /no content-type/));
    const gzip = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    await assert.rejects(readJson(post('{}', gzip)), failure(415, /content-encoding/));
  });
  test('refuses what is not UTF-8', async () => {
    await assert.rejects(readJson(post(new Uint8Array([0x22, 0xff, 0x22]))), failure(400, /UTF-8/));
  });
  test('stops reading an endless body at the limit', async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 16_384;
        controller.enqueue(new Uint8Array(16_384));
      },
    });
    await assert.rejects(readJson(post(endless)), failure(413, /65536/));
    assert.ok(sent <= MAX_BODY_BYTES + 4 * 16_384, `${sent} bytes were read`);
  });
});

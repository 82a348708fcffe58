import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../problem.ts';
import { decodeHcl, type HclBody, type HclValue } from './decode.ts';
import { generatedDocument, seededRandom } from './generated-documents.ts';
import { textOf } from './templates.ts';

const decode = (text: string) => decodeHcl('f.hcl', Buffer.from(text));

async function bodyOf(text: string): Promise<HclBody> {
  const { body, problems } = await decode(text);
  assert.ok(body !== null, problems.map(formatProblem).join('\n'));
  return body;
}

async function valueOf(text: string): Promise<HclValue> {
  const value = (await bodyOf(`a = ${text}\n`)).attributes.get('a')?.value;
  assert.ok(value !== undefined);
  return value;
}

async function textIn(text: string): Promise<unknown> {
  const value = await valueOf(text);
  assert.ok(value.kind === 'string');
  return textOf(value.parts);
}

async function problemsOf(text: string | Uint8Array): Promise<string[]> {
  const { body, problems } = await decodeHcl('f.hcl', typeof text === 'string' ? Buffer.from(text) : text);
  assert.equal(body, null);
  return problems.map(formatProblem);
}

test('says where each key and value stands, in code points from 1, behind characters of any width', async () => {
  const body = await bodyOf('/* é😀 */ a = "😀" # x\r\n\r\nb "l" { c = [1, { "😀k" = true }] }\r\n');
  const a = body.attributes.get('a');
  assert.deepEqual([a?.place.line, a?.place.column, a?.value.place.column], [1, 10, 14]);
  const [block] = body.blocks;
  assert.deepEqual([block?.place.line, block?.place.column, block?.labels[0]?.place.column], [3, 1, 3]);
  const list = block?.body.attributes.get('c')?.value;
  assert.ok(list?.kind === 'list');
  const [one, object] = list.items;
  assert.ok(object?.kind === 'object');
  const [member] = object.members.values();
  assert.deepEqual([list.place.column, one?.place.column, object.place.column], [13, 14, 17]);
  assert.deepEqual([member?.key, member?.keyPlace.column, member?.value.place.column], ['😀k', 19, 26]);
});

test('a byte order mark is no character of the first line', async () => {
  assert.equal((await bodyOf('\ufeffa = 1\n')).attributes.get('a')?.place.column, 1);
});

test('an empty file, and one of comments only, is an empty body', async () => {
  for (const text of ['', '\n', '# a\n/* b */', '\ufeff']) assert.equal((await bodyOf(text)).blocks.length, 0);
});

test('reads the escapes of strings', async () => {
  assert.equal(await textIn(String.raw`"a\tb\n\"\\ \u00e9 \U0001F600"`), 'a\tb\n"\\ é 😀');
  assert.equal(await textIn('"  two  "'), '  two  ');
  assert.equal(await textIn('"# no // comment /* here */"'), '# no // comment /* here */');
  assert.equal(await textIn('"e\u0301"'), 'é');
});

test('reads the closed set of references, and their escapes as text', async () => {
  assert.deepEqual(await textIn('"x${ input.a-b }${labels.y}z"'), {
    template: ['x', { ref: 'input.a-b' }, { ref: 'labels.y' }, 'z'],
  });
  assert.deepEqual(await textIn('"${target.datacenter}"'), { template: [{ ref: 'target.datacenter' }] });
  assert.equal(await textIn('"$${input.a} %%{if} $ $$ 100% %%"'), '${input.a} %{if} $ $$ 100% %%');
});

test('a key of any name is a key like any other', async () => {
  const value = await valueOf('{ "__proto__" = 1, constructor = 2, toString = 3 }');
  assert.ok(value.kind === 'object');
  assert.deepEqual([...value.members.keys()], ['__proto__', 'constructor', 'toString']);
  const body = await bodyOf('__proto__ = 1\nconstructor "__proto__" {}\n');
  assert.deepEqual([[...body.attributes.keys()], body.blocks[0]?.labels[0]?.text], [['__proto__'], '__proto__']);
});

test('numbers are those written, minus zero is zero', async () => {
  for (const [text, number] of [
    ['-5', -5],
    ['- 2.5', -2.5],
    ['-0', 0],
    ['9007199254740991', 2 ** 53 - 1],
  ] as const) {
    const value = await valueOf(text);
    assert.ok(value.kind === 'number' && Object.is(value.value, number), text);
  }
});

test('names every mistake that stands in its own statement', async () => {
  assert.deepEqual(await problemsOf('a = b\nc {\n  d = 1 2\n  e = [1 2]\n}\nf = x()\n'), [
    'f.hcl:1:5: b is a bare word; quote strings: "b"',
    'f.hcl:3:9: each attribute stands on its own line; begin a new line here',
    'f.hcl:4:10: a comma is missing between two items; write , before this',
    'f.hcl:6:5: functions (x) are not read here; write the value itself',
  ]);
});

test('refuses a file that is not UTF-8, or larger than 1 MB, without reading it further', async () => {
  assert.match((await problemsOf(Uint8Array.of(0x61, 0xff)))[0] ?? '', /^f\.hcl:1:1: the file is not UTF-8/);
  assert.match((await problemsOf(Buffer.alloc(1_048_577, '#')))[0] ?? '', /^f\.hcl:1:1: the file is larger than 1 MB/);
});

test('refuses nesting of any depth and kind with one problem', async () => {
  for (const [text, at] of [
    [`a = ${'['.repeat(10_000)}`, '1:37'],
    [`a = ${'['.repeat(10_000)}${']'.repeat(10_000)}\n`, '1:37'],
    ['b {\n'.repeat(10_000), '33:3'],
    [`a = ${'{ a = '.repeat(10_000)}`, '1:197'],
    [`a = ${'('.repeat(500_000)}`, '1:37'],
  ] as const)
    assert.deepEqual(await problemsOf(text), [`f.hcl:${at}: nested deeper than 32 levels; write it flatter`]);
  assert.equal((await valueOf('['.repeat(32) + ']'.repeat(32))).kind, 'list');
  assert.match((await problemsOf(`a = "${'${'.repeat(400_000)}"`))[0] ?? '', /unknown template/);
});

test('bounds what it holds of a large text, and what it says of a bad one', async () => {
  assert.match((await problemsOf('a=1\n'.repeat(200_000)))[0] ?? '', /more than 200000 words and marks/);
  assert.equal((await problemsOf('a\n'.repeat(100_000))).length, 100);
  assert.ok((await problemsOf(`a = "${'\\d'.repeat(500_000)}"`)).length <= 101);
});

test('random bytes and wounded texts give problems or a body, never an exception', async () => {
  const random = seededRandom(7);
  for (let index = 0; index < 3_000; index += 1) {
    const wounded = Buffer.from(generatedDocument(random, 1));
    const bytes = index % 2 === 0 ? Uint8Array.from({ length: random.below(300) }, () => random.below(256)) : wounded;
    if (bytes.length > 0 && index % 4 === 1) bytes[random.below(bytes.length)] = random.below(256);
    const { body, problems } = await decodeHcl('f.hcl', bytes);
    assert.equal(body === null, problems.length > 0);
    for (const { place } of problems) assert.ok(place.line >= 1 && place.column >= 1);
  }
});

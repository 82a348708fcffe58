/**
 * The part of HCL's grammar that Fettle reads, judged over tokens: literal values only, and line breaks where HashiCorp's own parser
 * demands them (the tree's grammar ignores them). Says what is wrong in words and goes on with the next line.
 * Nesting was bounded by the scan, so recursion is shallow.
 */
import { MAX_FOUND, type Found, type Scan, type Token } from './scan.ts';

class Unexpected extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

type Cursor = { readonly scan: Scan; at: number; readonly found: Found[] };

/** Every place where the text leaves the grammar, one per statement. */
export function checkGrammar(scan: Scan): readonly Found[] {
  const cursor: Cursor = { scan, at: 0, found: [] };
  checkBody(cursor);
  return cursor.found;
}

const peek = (cursor: Cursor, ahead = 0): Token =>
  cursor.scan.tokens[cursor.at + ahead] ?? (cursor.scan.tokens.at(-1) as Token);
const isMark = (token: Token, text: string): boolean => token.kind === 'mark' && token.text === text;
const isLineEnd = (token: Token): boolean => token.kind === 'newline' || token.kind === 'end';

function fail(token: Token, message: string): never {
  throw new Unexpected(token.start, message);
}

/** Up to the closing brace (left standing) or the end of the text. */
function checkBody(cursor: Cursor): void {
  for (;;) {
    const token = peek(cursor);
    if (token.kind === 'end' || isMark(token, '}') || cursor.found.length >= MAX_FOUND) return;
    if (token.kind === 'newline') cursor.at += 1;
    else attempt(cursor, () => checkStatement(cursor));
  }
}

function attempt(cursor: Cursor, check: () => void): void {
  const begin = cursor.at;
  try {
    check();
  } catch (error) {
    if (!(error instanceof Unexpected)) throw error;
    cursor.found.push({ offset: error.offset, message: error.message });
    cursor.at = begin;
    skipStatement(cursor);
  }
}

/** To the end of the line or of the enclosing block, over whole bracketed groups. */
function skipStatement(cursor: Cursor): void {
  const { tokens, partners } = cursor.scan;
  while (!isLineEnd(peek(cursor)) && !isMark(peek(cursor), '}')) {
    const partner = partners.get(peek(cursor).start);
    cursor.at += 1;
    if (partner === undefined) continue;
    while (cursor.at < tokens.length && peek(cursor).start <= partner) cursor.at += 1;
  }
}

function checkStatement(cursor: Cursor): void {
  const name = peek(cursor);
  if (name.kind !== 'name') return notAName(cursor, name);
  const next = peek(cursor, 1);
  if (isMark(next, '=')) {
    cursor.at += 2;
    checkValue(cursor);
    return checkLineEnd(cursor, 'attribute');
  }
  if (next.kind === 'string' || next.kind === 'name' || isMark(next, '{')) return checkBlock(cursor);
  if (isMark(next, ':')) fail(next, `attributes are written with =; write ${name.text} = value`);
  if (isLineEnd(next)) fail(name, `${name.text} stands alone; write ${name.text} = value, or ${name.text} { ... }`);
  if (isMark(next, '.') || isMark(next, '[')) fail(next, 'attribute names are single words; write one name and =');
  return fail(next, `${shown(next)} cannot follow ${name.text}; write ${name.text} = value, or ${name.text} { ... }`);
}

function notAName(cursor: Cursor, token: Token): never {
  if (token.kind === 'string') {
    const next = peek(cursor, 1);
    const assigned = isMark(next, '=') || isMark(next, ':');
    fail(
      token,
      assigned
        ? 'names of attributes stand without quotes; take them away'
        : 'a string stands alone; write name = "..."',
    );
  }
  if (isMark(token, '{')) fail(token, 'a block begins with its name; write name { ... }');
  return fail(token, `${shown(token)} cannot begin a line; write name = value, or name { ... }`);
}

function checkBlock(cursor: Cursor): void {
  cursor.at += 1;
  while (peek(cursor).kind === 'string' || peek(cursor).kind === 'name') cursor.at += 1;
  const brace = peek(cursor);
  if (isMark(brace, '=')) fail(brace, 'an attribute has one name without spaces; write name = value');
  if (!isMark(brace, '{')) fail(brace, 'a block opens on the line of its name; write {');
  cursor.at += 1;
  if (isLineEnd(peek(cursor))) checkBody(cursor);
  else if (!isMark(peek(cursor), '}')) checkOneLine(cursor);
  if (!isMark(peek(cursor), '}')) fail(peek(cursor), 'write } here');
  cursor.at += 1;
  checkLineEnd(cursor, 'block');
}

/** `name { key = value }`: a block on one line holds one attribute. */
function checkOneLine(cursor: Cursor): void {
  const name = peek(cursor);
  if (name.kind !== 'name' || !isMark(peek(cursor, 1), '='))
    fail(name, 'a block on one line holds one attribute; begin a new line behind the {');
  cursor.at += 2;
  checkValue(cursor);
  const next = peek(cursor);
  if (isLineEnd(next)) fail(next, 'a block that begins on one line must end there; begin a new line behind the {, too');
  if (!isMark(next, '}')) afterValue(next, 'a block on one line holds one attribute; write each on its own line');
}

function checkLineEnd(cursor: Cursor, what: 'attribute' | 'block'): void {
  const token = peek(cursor);
  if (isLineEnd(token)) return;
  if (what === 'attribute') afterValue(token, 'each attribute stands on its own line; begin a new line here');
  fail(
    token,
    isMark(token, ',') ? 'no comma between blocks; take it away' : 'a new line must follow }; begin one here',
  );
}

/** Says what the token behind a complete value seems to be meant for. */
function afterValue(token: Token, otherwise: string): never {
  if (isMark(token, ',')) fail(token, 'no comma between attributes; begin a new line instead');
  if (token.kind === 'mark' && !['{', '}', ']', ')', '=', ':'].includes(token.text))
    fail(token, `operators and other expressions (${token.text}) are not read here; write the value itself`);
  return fail(token, otherwise);
}

function checkValue(cursor: Cursor): void {
  const token = peek(cursor);
  if (token.kind === 'string') cursor.at += 1;
  else if (token.kind === 'number') checkNumber(cursor);
  else if (token.kind === 'name') checkWord(cursor);
  else if (isMark(token, '-') && peek(cursor, 1).kind === 'number') {
    cursor.at += 1;
    checkNumber(cursor);
  } else if (isMark(token, '[')) checkList(cursor);
  else if (isMark(token, '{')) checkObject(cursor);
  else if (isLineEnd(token)) fail(token, 'a value is missing; write it on this line');
  else if (isMark(token, '(') || isMark(token, '!') || isMark(token, '-'))
    fail(token, `operators and other expressions (${token.text}) are not read here; write the value itself`);
  else fail(token, `${shown(token)} is no value; write a string in quotes, a number, true, false, [ ... ] or { ... }`);
}

/** Whole numbers and plain decimals that a JavaScript number holds exactly as written. */
function checkNumber(cursor: Cursor): void {
  const token = peek(cursor);
  const next = peek(cursor, 1);
  cursor.at += 1;
  if (next.start === token.end && (next.kind === 'name' || next.kind === 'number'))
    fail(token, `${token.text}${next.text} is no number; quote it: "${token.text}${next.text}"`);
  if (next.start === token.end && isMark(next, '.')) fail(token, 'not a number; write digits, or quote the text');
  if (/[eE]/.test(token.text))
    fail(token, `numbers with an exponent are not read here; write ${token.text} out in digits`);
  if (/^0[0-9]/.test(token.text))
    fail(token, `${token.text} begins with 0; write ${token.text.replace(/^0+(?=[0-9])/, '')}`);
  const digits = token.text.replace('.', '').replace(/^0+/, '');
  const exact = token.text.includes('.') ? digits.length <= 15 : Number.isSafeInteger(Number(token.text));
  if (!exact)
    fail(
      token,
      `${token.text.slice(0, 40)} is too large or too long to be held exactly; write a smaller number, or quote it`,
    );
}

function checkWord(cursor: Cursor): void {
  const token = peek(cursor);
  const next = peek(cursor, 1);
  if (isMark(next, '(')) fail(token, `functions (${token.text}) are not read here; write the value itself`);
  if (isMark(next, '.') || isMark(next, '['))
    fail(token, `references stand inside quoted strings only; write "\${${token.text}...}" where one is allowed`);
  if (token.text !== 'true' && token.text !== 'false' && token.text !== 'null')
    fail(token, `${token.text} is a bare word; quote strings: "${token.text}"`);
  cursor.at += 1;
}

function skipNewlines(cursor: Cursor): void {
  while (peek(cursor).kind === 'newline') cursor.at += 1;
}

function checkList(cursor: Cursor): void {
  cursor.at += 1;
  for (;;) {
    skipNewlines(cursor);
    if (isMark(peek(cursor), ']')) break;
    if (peek(cursor).text === 'for' && peek(cursor).kind === 'name')
      fail(peek(cursor), 'for expressions are not read here; write the list out');
    checkValue(cursor);
    skipNewlines(cursor);
    const next = peek(cursor);
    if (isMark(next, ']')) break;
    if (next.kind === 'mark' && next.text !== ',')
      afterValue(next, `${shown(next)} cannot follow a list's item; write , or ]`);
    if (!isMark(next, ',')) fail(next, 'a comma is missing between two items; write , before this');
    cursor.at += 1;
  }
  cursor.at += 1;
}

function checkObject(cursor: Cursor): void {
  cursor.at += 1;
  for (;;) {
    skipNewlines(cursor);
    if (isMark(peek(cursor), '}')) break;
    checkMember(cursor);
    const next = peek(cursor);
    if (isMark(next, '}')) break;
    if (!isMark(next, ',') && next.kind !== 'newline') {
      const text = 'a comma or a new line is missing between two members; write , before this';
      if (next.kind === 'mark') afterValue(next, text);
      fail(next, text);
    }
    cursor.at += 1;
  }
  cursor.at += 1;
}

function checkMember(cursor: Cursor): void {
  const key = peek(cursor);
  const word = key.kind === 'name' && !['true', 'false', 'null', 'for'].includes(key.text);
  if (!word && key.kind !== 'string') fail(key, `${shown(key)} is no key; write a name, or a string in quotes`);
  const sign = peek(cursor, 1);
  if (!isMark(sign, '=') && !isMark(sign, ':'))
    fail(sign, `= is missing behind ${key.text}; write ${key.text} = value`);
  cursor.at += 2;
  checkValue(cursor);
}

const shown = (token: Token): string =>
  token.kind === 'end'
    ? 'the end of the file'
    : token.kind === 'newline'
      ? 'the end of the line'
      : token.text.slice(0, 40);

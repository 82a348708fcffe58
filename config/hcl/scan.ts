/**
 * Reads a text into tokens before any tree is made of it. The tree's grammar is lenient and knows nothing of limits, so size, nesting,
 * pairs of brackets, strings and forbidden characters are judged here, without recursion; strings and comments are then blanked out
 * for the tree (`masked`), so that nothing inside them can bend its structure.
 */
import type { SourceText } from './text.ts';
import { scanString, type StringPart } from './templates.ts';

type TokenKind = 'name' | 'number' | 'string' | 'mark' | 'newline' | 'end';
export type Token = { readonly kind: TokenKind; readonly start: number; readonly end: number; readonly text: string };
export type Found = { readonly offset: number; readonly message: string };

export type Scan = {
  readonly tokens: readonly Token[];
  /** What each string holds, by the offset of its opening quote. */
  readonly strings: ReadonlyMap<number, readonly StringPart[]>;
  /** The offset of each opening bracket's partner, both ways. */
  readonly partners: ReadonlyMap<number, number>;
  readonly masked: string;
  readonly found: readonly Found[];
};

export const MAX_BYTES = 1_048_576;
export const MAX_DEPTH = 32;
/** Bounds the memory of a tree: some hundred megabytes at the worst, where a text of 1 MB could take a gigabyte. */
const MAX_TOKENS = 200_000;
/** A text with more mistakes than this is not worth reading on. */
export const MAX_FOUND = 100;

const NAME = /[A-Za-z_][A-Za-z0-9_-]*/y;
const NUMBER = /[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const MARK = /=>|==|!=|>=|<=|&&|\|\||\.\.\.|::|[{}[\]()=,:.?!+*/%<>&|~^-]/y;
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']', '(': ')' };

type State = {
  readonly text: string;
  at: number;
  readonly tokens: Token[];
  readonly strings: Map<number, readonly StringPart[]>;
  readonly partners: Map<number, number>;
  readonly open: { mark: string; offset: number }[];
  /** Pieces of the masked text up to `maskedTo`. */
  readonly masked: string[];
  maskedTo: number;
  readonly found: Found[];
  readonly source: SourceText;
};

export function scan(source: SourceText): Scan {
  const state: State = {
    text: source.text,
    at: 0,
    tokens: [],
    strings: new Map(),
    partners: new Map(),
    open: [],
    masked: [],
    maskedTo: 0,
    found: [],
    source,
  };
  while (mayGoOn(state) && scanOne(state));
  if (state.tokens.length >= MAX_TOKENS && state.at < state.text.length)
    state.found.push({ offset: state.at, message: `more than ${MAX_TOKENS} words and marks in one file; split it` });
  const unclosed = state.open.at(-1);
  if (state.at >= state.text.length && unclosed !== undefined) {
    const message = `this ${unclosed.mark} is never closed; a ${CLOSING[unclosed.mark]} is missing in or after it`;
    state.found.push({ offset: unclosed.offset, message });
  }
  state.masked.push(state.text.slice(state.maskedTo));
  push(state, 'end', state.text.length, state.text.length);
  return { ...state, masked: state.masked.join('') };
}

const mayGoOn = ({ at, text, found, tokens }: State): boolean =>
  at < text.length && found.length < MAX_FOUND && tokens.length < MAX_TOKENS;

/** Takes one token or gap; false when nothing sensible can follow. */
function scanOne(state: State): boolean {
  const { text, at } = state;
  const char = text[at] ?? '';
  if (char === ' ' || char === '\t') state.at += 1;
  else if (char === '\n') push(state, 'newline', at, at + 1);
  else if (char === '\r' && text[at + 1] === '\n') push(state, 'newline', at, at + 2);
  else if (char === '#' || text.startsWith('//', at)) lineComment(state);
  else if (text.startsWith('/*', at)) return blockComment(state);
  else if (char === '"') return quoted(state);
  else if (text.startsWith('<<', at)) return heredoc(state);
  else if (match(NAME, state)) push(state, 'name', at, NAME.lastIndex);
  else if (match(NUMBER, state)) push(state, 'number', at, NUMBER.lastIndex);
  else if (match(MARK, state)) return mark(state, MARK.lastIndex);
  else stranger(state);
  return true;
}

function match(pattern: RegExp, state: State): boolean {
  pattern.lastIndex = state.at;
  return pattern.test(state.text);
}

function push(state: State, kind: TokenKind, start: number, end: number): void {
  state.tokens.push({ kind, start, end, text: state.text.slice(start, end) });
  state.at = end;
}

function mask(state: State, start: number, end: number, filler: string): void {
  state.masked.push(state.text.slice(state.maskedTo, start), filler.repeat(end - start));
  state.maskedTo = end;
}

function lineComment(state: State): void {
  const newline = state.text.indexOf('\n', state.at);
  const end = newline === -1 ? state.text.length : newline;
  mask(state, state.at, end, ' ');
  state.at = end;
}

function blockComment(state: State): boolean {
  const close = state.text.indexOf('*/', state.at + 2);
  if (close === -1) {
    state.found.push({ offset: state.at, message: 'this comment is never closed; end it with */' });
    return false;
  }
  mask(state, state.at, close + 2, ' ');
  state.at = close + 2;
  return true;
}

function quoted(state: State): boolean {
  const start = state.at;
  const result = scanString(state.text, start);
  for (const found of result.found) state.found.push(found);
  if (result.end === null) {
    const message = 'this string is never closed on its line; end it with "';
    state.found.push({ offset: start, message });
    return false;
  }
  mask(state, start + 1, result.end - 1, 'x');
  state.strings.set(start, result.parts);
  push(state, 'string', start, result.end);
  return true;
}

function heredoc(state: State): boolean {
  const message = 'heredocs (<<) are not read here; write one quoted string, with \\n for line breaks';
  state.found.push({ offset: state.at, message });
  return false;
}

function mark(state: State, end: number): boolean {
  const start = state.at;
  push(state, 'mark', start, end);
  const text = state.text.slice(start, end);
  if (CLOSING[text] !== undefined) {
    state.open.push({ mark: text, offset: start });
    if (state.open.length <= MAX_DEPTH) return true;
    state.found.push({ offset: start, message: `nested deeper than ${MAX_DEPTH} levels; write it flatter` });
    return false;
  }
  if (text !== '}' && text !== ']' && text !== ')') return true;
  const opened = state.open.pop();
  if (opened !== undefined && CLOSING[opened.mark] === text) {
    state.partners.set(opened.offset, start);
    state.partners.set(start, opened.offset);
    return true;
  }
  state.found.push({ offset: start, message: wrongClose(state, text, opened) });
  return false;
}

function wrongClose(state: State, text: string, opened: { mark: string; offset: number } | undefined): string {
  if (opened === undefined) return `this ${text} closes nothing; take it away`;
  const { line, column } = state.source.place(opened.offset);
  return `${text} cannot close the ${opened.mark} of ${line}:${column}; write ${CLOSING[opened.mark]}`;
}

const CURLY = /[\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb]/;

/** A character that no HCL text holds outside strings and comments. */
function stranger(state: State): void {
  const offset = state.at;
  const point = state.text.codePointAt(offset) ?? 0;
  const char = String.fromCodePoint(point);
  const code = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  const line = state.text.slice(offset).search(/[\r\n]|$/);
  if (CURLY.test(char)) {
    state.found.push({ offset, message: `curly quotes (${char}) are not quotes; write straight ones: "` });
    state.at += line;
  } else if (char === "'") {
    state.found.push({ offset, message: 'strings stand in double quotes; write " instead of \'' });
    state.at += line;
  } else if (char === ';') {
    state.found.push({ offset, message: 'a semicolon separates nothing; begin a new line' });
    state.at += 1;
  } else if (/\p{ID_Start}|\p{M}|\p{N}/u.test(char)) {
    state.found.push({ offset, message: `${code} cannot be part of a name; use A-Z a-z 0-9 _ - or quote the text` });
    state.at += /^[\p{ID_Continue}-]*/u.exec(state.text.slice(offset, offset + 500))?.[0].length || char.length;
  } else {
    const what = /[\p{C}\p{Z}]/u.test(char) ? `the invisible character ${code}` : `the character ${char} (${code})`;
    state.found.push({ offset, message: `${what} has no meaning here; take it away or quote the text` });
    state.at += char.length;
  }
}

/** Quoted strings: HCL's escapes, and the closed set of `${...}` references. Nothing else is an expression. */
import type { Template, Text } from '../workflow.ts';
import type { Found } from './scan.ts';

type Reference = { readonly ref: string; readonly offset: number };
export type StringPart = string | Reference;

/** The first word of a reference, which says what may stand after its dot and where it may be used. */
export type ReferenceRoot = 'labels' | 'input' | 'target' | 'secret';

export const referenceRoot = (ref: string): ReferenceRoot => ref.slice(0, ref.indexOf('.')) as ReferenceRoot;

const REFERENCE = /^[ \t]*(?:(labels|input|secret)\.([A-Za-z_][A-Za-z0-9_-]*)|target\.(node|type|datacenter))[ \t]*$/;
const ALLOWED = '${labels.NAME}, ${input.NAME}, ${target.node}, ${target.type}, ${target.datacenter}, ${secret.NAME}';
const SIMPLE: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };

type ScannedString = {
  readonly parts: readonly StringPart[];
  /** Just behind the closing quote; null when the line or the text ends first. */
  readonly end: number | null;
  readonly found: readonly Found[];
};

/** Reads the string whose opening quote stands at `start`. Never recurses; looks at each character a bounded number of times. */
export function scanString(text: string, start: number): ScannedString {
  const parts: StringPart[] = [];
  const found: Found[] = [];
  let literal = '';
  let at = start + 1;
  const flush = (): void => {
    if (literal !== '') parts.push(literal);
    literal = '';
  };
  for (;;) {
    const char = text[at];
    if (char === undefined || char === '\n' || char === '\r') return { parts, end: null, found };
    if (char === '"') {
      flush();
      return { parts, end: at + 1, found };
    }
    const taken = takeEscape(text, at) ?? takePlain(text, at);
    if ('reference' in taken) {
      flush();
      if (taken.reference !== null) parts.push({ ref: taken.reference, offset: at });
    } else literal += taken.value;
    if (taken.problem !== null && found.length < 100) found.push({ offset: at, message: taken.problem });
    at = taken.end;
  }
}

type Taken =
  | { readonly value: string; readonly end: number; readonly problem: string | null }
  | { readonly reference: string | null; readonly end: number; readonly problem: string | null };

const plain = (value: string, end: number, problem: string | null = null): Taken => ({ value, end, problem });

function takePlain(text: string, at: number): Taken {
  const point = text.codePointAt(at) ?? 0;
  const char = String.fromCodePoint(point);
  const end = at + char.length;
  if (point < 32 && point !== 9) return plain('', end, `control character ${hex(point)} in a string; take it away`);
  if (point >= 0xd800 && point <= 0xdfff) return plain('', end, 'half a surrogate pair in a string; take it away');
  return plain(char, end);
}

/** An escape or template at `at`, or null when the character there is an ordinary one. */
function takeEscape(text: string, at: number): Taken | null {
  const char = text[at];
  if (char === '\\') return takeBackslash(text, at);
  if (char !== '$' && char !== '%') return null;
  if (
    text.startsWith(`${char}${char}${char}`, at) &&
    text
      .slice(at, at + 200)
      .replace(/^[$%]+/, '')
      .startsWith('{')
  )
    return plain(char, at + 1, `${char}${char}${char}{ can be read in two ways; put another character between`);
  if (text.startsWith(`${char}${char}{`, at)) return plain(`${char}{`, at + 3);
  if (text[at + 1] !== '{') return null;
  return takeTemplate(text, at);
}

function takeBackslash(text: string, at: number): Taken {
  const next = text[at + 1] ?? '';
  const simple = SIMPLE[next];
  if (simple !== undefined) return plain(simple, at + 2);
  const digits = next === 'u' ? 4 : next === 'U' ? 8 : 0;
  const code = text.slice(at + 2, at + 2 + digits);
  if (digits > 0 && code.length === digits && /^[0-9a-fA-F]+$/.test(code))
    return takeCode(Number.parseInt(code, 16), at + 2 + digits);
  const shown = digits > 0 ? `\\${next} needs ${digits} hexadecimal digits` : `there is no escape \\${next}`;
  const end = next === '' || next === '\n' || next === '\r' ? at + 1 : at + 2;
  return plain('', end, `${shown}; write \\\\ for a backslash, or one of \\n \\r \\t \\" \\\\ \\uNNNN \\UNNNNNNNN`);
}

function takeCode(point: number, end: number): Taken {
  if (point === 0) return plain('', end, 'the character NUL is not allowed; take it away');
  if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
    return plain('', end, `${hex(point)} is no character; write the character itself, or \\UNNNNNNNN`);
  return plain(String.fromCodePoint(point), end);
}

function takeTemplate(text: string, at: number): Taken {
  const sign = text[at] ?? '';
  const escape = `write ${sign}${sign}{ for the characters ${sign}{ themselves`;
  const unclosed = UNCLOSED.exec(text.slice(at + 2, at + 202));
  if (unclosed !== null) {
    const problem = `this template is never closed; end it with }, or ${escape}`;
    return { reference: null, end: at + 2 + unclosed[0].length, problem };
  }
  const end = templateEnd(text, at + 2);
  if (sign === '%') return { reference: null, end, problem: `directives (%{...}) are not read here; ${escape}` };
  const match = REFERENCE.exec(text.slice(at + 2, Math.max(at + 2, end - 1)));
  if (match === null) {
    const problem = `unknown template ${show(text.slice(at, end))}; write one of ${ALLOWED}, or ${escape}`;
    return { reference: null, end, problem };
  }
  return { reference: match[3] === undefined ? `${match[1]}.${match[2]}` : `target.${match[3]}`, end, problem: null };
}

/** What looks like a reference and then meets the end of the string or line. */
const UNCLOSED = /^[\w. \t-]*(?=["\r\n]|$)/;

/** Behind the brace that closes a template, strings in it skipped; at the end of the line when nothing closes it. */
function templateEnd(text: string, from: number): number {
  let depth = 1;
  let inString = false;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    if (char === '\n' || char === '\r') return at;
    if (char === '\\') at += 1;
    else if (char === '"') inString = !inString;
    else if (!inString && char === '{') depth += 1;
    else if (!inString && char === '}' && (depth -= 1) === 0) return at + 1;
  }
  return text.length;
}

const hex = (point: number): string => `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
const show = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}...` : text);

/** A string without references, or null when it holds one. */
export function literalOf(parts: readonly StringPart[]): string | null {
  return parts.every((part) => typeof part === 'string') ? parts.join('') : null;
}

/** The checked configuration's form of a string: plain text when nothing in it is a reference. */
export function textOf(parts: readonly StringPart[]): Text {
  const literal = literalOf(parts);
  if (literal !== null) return literal;
  const template: Template['template'] = parts.map((part) => (typeof part === 'string' ? part : { ref: part.ref }));
  return { template };
}

import type { Text } from '../config/workflow.ts';

/** A query whose template cannot be filled. */
export class QueryTemplateError extends Error {
  override readonly name = 'QueryTemplateError';
}

/**
 * Escapes a value for the inside of a quoted PromQL string, either kind of quote. The value is taken literally: it can neither end
 * the string nor begin an escape. In a regular-expression matcher (`=~`) it is still read as a regular expression: see `quoteRegex`.
 * @throws QueryTemplateError for NUL and lone surrogates, which no label value holds.
 */
export function quotePromql(value: string): string {
  if (!value.isWellFormed() || value.includes('\0')) {
    throw new QueryTemplateError('a value with a NUL or a lone surrogate cannot stand in a query');
  }
  return value.replace(/[\\"'`\n\r\t]/g, (character) => ESCAPES[character] ?? character);
}

// PromQL strings escape like Go's; \' and \` are not escapes inside "...", so those are written as code points.
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  "'": '\\x27',
  '`': '\\x60',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** Escapes a value for a PromQL string that is a regular expression (RE2): it matches itself and nothing else. */
export const quoteRegex = (value: string): string => quotePromql(value.replace(/[-\\.+*?()|[\]{}^$]/g, '\\$&'));

type Quote = '"' | "'" | '`';

/**
 * Fills `${...}` in PromQL so that what is filled in stays a value. Inside a quoted string it is escaped, after `=~` and `!~` for
 * the regular expression as well; outside quotes only a number may stand.
 * @throws QueryTemplateError when a reference has no value, or stands where its value could become part of the expression.
 */
export function fillQuery(text: Text, resolve: (ref: string) => string | number | boolean | undefined): string {
  if (typeof text === 'string') return text;
  const place = new QueryPlace();
  let query = '';
  for (const part of text.template) {
    if (typeof part === 'string') {
      place.read(part);
      query += part;
      continue;
    }
    const value = resolve(part.ref);
    if (value === undefined) throw new QueryTemplateError(`\${${part.ref}} has no value`);
    query += place.insert(part.ref, value);
  }
  return query;
}

/** Where in an expression we stand: within which quotes, whether those hold a regular expression. */
class QueryPlace {
  #quote: Quote | null = null;
  #escaped = false;
  #comment = false;
  #regex = false;
  /** The last two characters outside of quotes that are not white space. */
  #before = '';

  read(text: string): void {
    for (const character of text) this.#step(character);
  }

  #step(character: string): void {
    if (this.#comment) {
      if (character === '\n') this.#comment = false;
    } else if (this.#quote === null) {
      this.#outside(character);
    } else if (this.#escaped) {
      this.#escaped = false;
    } else if (character === '\\' && this.#quote !== '`') {
      this.#escaped = true;
    } else if (character === this.#quote) {
      this.#quote = null;
      this.#before = character;
    }
  }

  #outside(character: string): void {
    if (character === '#') this.#comment = true;
    else if (character === '"' || character === "'" || character === '`') {
      this.#quote = character;
      this.#regex = this.#before.endsWith('=~') || this.#before.endsWith('!~');
    } else if (character.trim() !== '') this.#before = (this.#before + character).slice(-2);
  }

  insert(ref: string, value: string | number | boolean): string {
    if (this.#comment) throw new QueryTemplateError(`\${${ref}} stands in a comment; take it out`);
    if (this.#quote === '`') {
      throw new QueryTemplateError(`\${${ref}} stands in back quotes, where nothing can be escaped; use "..."`);
    }
    if (this.#escaped) throw new QueryTemplateError(`\${${ref}} stands after a backslash; take the backslash out`);
    if (this.#quote !== null) return this.#regex ? quoteRegex(String(value)) : quotePromql(String(value));
    if (typeof value === 'number' && Number.isFinite(value)) return String(value);
    throw new QueryTemplateError(
      `\${${ref}} stands outside of quotes, where only a number may be filled in; write "\${${ref}}"`,
    );
  }
}

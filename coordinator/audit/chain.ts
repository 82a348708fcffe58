/**
 * The form of an audit line: canonical JSON with a number, a time and the hash of the line before, closed by its own hash. Whoever changes,
 * takes out, adds or moves a line has to write every later one anew.
 */
import { canonicalJson } from '../../workflows/canonical-json.ts';
import { sha256 } from '../digest.ts';

/** Where a chain stands: number and hash of its last line. */
export type Head = { readonly seq: number; readonly hash: string };
/** Before the first line. */
export const NOTHING: Head = { seq: 0, hash: 'A'.repeat(43) };

/** What a line tells, beside its place in the chain. */
export type AuditFields = { readonly kind: string } & Readonly<Record<string, unknown>>;
export type AuditLine = AuditFields & { readonly seq: number; readonly at: string; readonly prev: string };

export type ReadLine =
  | { readonly good: true; readonly line: AuditLine; readonly hash: string }
  | { readonly good: false; readonly code: 'not_a_line' | 'changed'; readonly message: string };

const TAIL = /,"hash":"([A-Za-z0-9_-]{43})"\}$/;
const MAX_TEXT = 2_000;

/** The line after `head` without its line break, and where the chain stands then. */
export function writeLine(head: Head, at: number, fields: AuditFields): { text: string; head: Head } {
  const seq = head.seq + 1;
  const body = canonicalJson({ ...tidy(fields), seq, at: new Date(at).toISOString(), prev: head.hash });
  const hash = sha256(body);
  return { text: `${body.slice(0, -1)},"hash":"${hash}"}`, head: { seq, hash } };
}

/** Whether this text is a line that its own hash vouches for; its place in the chain is the caller's to judge. */
export function readLine(text: string): ReadLine {
  const hash = TAIL.exec(text)?.[1];
  if (hash === undefined) return { good: false, code: 'not_a_line', message: 'it does not end in a hash' };
  const body = `${text.slice(0, -TAIL_LENGTH)}}`;
  if (sha256(body) !== hash)
    return { good: false, code: 'changed', message: 'its text is not what its hash was made of' };
  const line = parse(body);
  if (line === null) return { good: false, code: 'not_a_line', message: 'it is not an audit line' };
  return { good: true, line, hash };
}

const TAIL_LENGTH = `,"hash":"${'A'.repeat(43)}"}`.length;

function parse(body: string): AuditLine | null {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || canonicalJson(value) !== body) return null;
    const { seq, at, prev, kind } = value as Partial<Record<string, unknown>>;
    const whole = Number.isSafeInteger(seq) && typeof at === 'string' && typeof prev === 'string';
    // All four members were looked at just now.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return whole && typeof kind === 'string' ? (value as AuditLine) : null;
  } catch {
    return null;
  }
}

/** Hostile text neither breaks the line nor grows it without bound. */
function tidy(value: unknown): Record<string, unknown> {
  const clean = (part: unknown): unknown => {
    if (typeof part === 'string') return part.slice(0, MAX_TEXT).toWellFormed();
    if (Array.isArray(part)) return part.slice(0, 100).map(clean);
    if (typeof part === 'object' && part !== null)
      return Object.fromEntries(Object.entries(part).map(([key, member]) => [key.toWellFormed(), clean(member)]));
    return part;
  };
  // An object in, an object out.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return clean(value) as Record<string, unknown>;
}

/** Log lines as a receipt may carry them: no bytes that move a cursor, and no values that look like secrets. */

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;
/** Of characters that are no text; above it, the whole is no text. */
const MOST_UNREADABLE = 0.1;

/** One line, whatever it was: text, or the bytes of something else. */
export function plainLine(message: string | Uint8Array): string {
  const text = typeof message === 'string' ? message : new TextDecoder().decode(message);
  const clean = text.replaceAll(ESCAPES, '').replaceAll(CONTROLS, '\ufffd');
  const unreadable = clean.split('\ufffd').length - 1;
  if (unreadable > MOST_UNREADABLE * clean.length) return `[${Buffer.byteLength(message)} bytes that are no text]`;
  return clean.trimEnd().replaceAll(/\n+/g, ' | ').replaceAll('\t', ' ');
}

const HIDDEN = '[secret]';
const NAME =
  '(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|authorization|cookie|credential)';
/** What programs write before a secret, and secrets that show by their form alone. */
const TELLTALE: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/gs, HIDDEN],
  [/\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*/g, HIDDEN],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g, HIDDEN],
  [/\b(bearer|basic) +[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/(:\/\/[^\s:/@]{0,200}:)[^\s@/]{1,200}@/g, `$1${HIDDEN}@`],
  [
    new RegExp(
      `(\\b[\\w.-]{0,40}${NAME}s?["']?\\s?[=:]\\s?)(?!\\[secret\\]|(?:bearer|basic) )(?:"[^"]*"|'[^']*'|[^\\s,;&]+)`,
      'gi',
    ),
    `$1${HIDDEN}`,
  ],
];

/** A guess, for a line of a log is anybody's: what has the name or the form of a secret is hidden. */
export const withoutGuessedSecrets = (line: string): string =>
  TELLTALE.reduce((text, [pattern, instead]) => text.replaceAll(pattern, instead), line);

/** Text from hosts, alerts and coordinators is shown, never obeyed: what a terminal would act on is made visible. */

// C0, DEL and C1 controls; format characters that reorder or hide text (bidirectional controls, zero width, tags, byte
// order mark); line and paragraph separators; halves of surrogate pairs.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const visible = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
};

/** One line that no terminal acts on; line breaks and tabs become `\n` and `\t`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, visible);
}

/** As `printable`, line by line: for output that people expect to keep its lines. */
export function printableLines(text: string): string[] {
  return text.replace(/\n$/, '').split(/\r?\n/).map(printable);
}

/** A JSON document that is also safe on a terminal: `JSON.stringify` leaves C1 and bidirectional controls as they are. */
export function printableJson(value: unknown, indent: number): string {
  const escape = (character: string): string =>
    character === '\n'
      ? character
      : [...Array(character.length).keys()]
          .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
          .join('');
  return JSON.stringify(value, null, indent).replace(UNSAFE, escape);
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}]/u;

/** Columns that printable text takes on a terminal: combining marks none, wide East Asian characters two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): number {
  if (character < '\x7f') return 1;
  if (/\p{Mark}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** At most `width` columns, the cut marked by `…`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

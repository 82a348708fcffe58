/** The lines of an iCalendar file (RFC 5545 §3.1): unfolded, nested, each still knowing where it stands. */
import type { Problems } from './problems.ts';

export type CalendarLine = { readonly line: number; readonly text: string };
export type CalendarPart = {
  /** In capitals: `VEVENT`. */
  readonly name: string;
  readonly line: number;
  /** Its own, not those of parts within it. */
  readonly lines: CalendarLine[];
  readonly parts: CalendarPart[];
  /** All of it as it was written, unfolded. */
  readonly text: () => string;
};

/** Null when the file is no calendar; the problems say why. */
export function calendarParts(file: string, text: string, problems: Problems): readonly CalendarPart[] | null {
  const root = partOf('', 1);
  const open = [root];
  const error = (line: number, message: string): null => {
    problems.error({ file, line, column: 1 }, '', message);
    return null;
  };
  for (const { line, text: content } of unfolded(text)) {
    const [, word, name] = /^(BEGIN|END):([A-Za-z0-9-]+)\s*$/i.exec(content) ?? [];
    const inner = open.at(-1) ?? root;
    if (word === undefined || name === undefined) {
      if (inner === root) return error(line, 'is no iCalendar file; it has to begin with BEGIN:VCALENDAR');
      inner.lines.push({ line, text: content });
    } else if (word.toUpperCase() === 'BEGIN') {
      if (inner === root && name.toUpperCase() !== 'VCALENDAR')
        return error(line, `begins with ${name.slice(0, 40)}; an iCalendar file begins with BEGIN:VCALENDAR`);
      const part = partOf(name.toUpperCase(), line);
      inner.parts.push(part);
      open.push(part);
    } else if (inner !== root && inner.name === name.toUpperCase()) open.pop();
    else return error(line, `ends ${name.slice(0, 40)}, which is not open here; mend the BEGIN and END lines`);
  }
  const [, unclosed] = open;
  if (unclosed !== undefined)
    return error(unclosed.line, `${unclosed.name} is never ended; the file was cut off: fetch it again`);
  return root.parts.length > 0 ? root.parts : error(1, 'is empty; it has to begin with BEGIN:VCALENDAR');
}

function partOf(name: string, line: number): CalendarPart {
  const part: CalendarPart = {
    name,
    line,
    lines: [],
    parts: [],
    text: () =>
      [
        `BEGIN:${name}`,
        ...part.lines.map(({ text }) => text),
        ...part.parts.map((one) => one.text()),
        `END:${name}`,
      ].join('\r\n'),
  };
  return part;
}

/** A line that begins with a space or tab goes on the one before. */
function unfolded(text: string): readonly CalendarLine[] {
  const lines: { line: number; text: string }[] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const last = lines.at(-1);
    if (/^[ \t]/.test(raw) && last !== undefined) last.text += raw.slice(1);
    else if (raw.trim() !== '') lines.push({ line: index + 1, text: raw });
  }
  return lines;
}

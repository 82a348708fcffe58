/** What the documents' checks read in Markdown: headings, links, and the shell commands that readers are told to type. */

export type Link = { readonly line: number; readonly target: string };

/** A fenced `sh` block and what the comment before it says of it. */
export type CommandBlock = {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** `run`: as it stands; `demo-kept`: while a kept demo runs; `not-run`: for the reason given; `unmarked`: a mistake. */
  readonly mark: { readonly kind: 'run' | 'demo-kept' | 'not-run' | 'unmarked'; readonly reason: string };
};

const FENCE = /^ {0,3}(```+|~~~+)\s*([\w-]*)/;
const MARK = /^\s*<!--\s*(run|not run)\s*(?::\s*(.*?))?\s*-->\s*$/;
const HEADING = /^#{1,6}\s+(.*?)\s*#*\s*$/;
const LINK = /\[(?:[^\]\\]|\\.)*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;

type Line = { readonly number: number; readonly text: string };
type Fence = { readonly line: number; readonly language: string; readonly body: string[]; readonly before: string };

function split(markdown: string): { prose: Line[]; fences: Fence[] } {
  const prose: Line[] = [];
  const fences: Fence[] = [];
  let open: (Fence & { close: string }) | null = null;
  let before = '';
  for (const [index, text] of markdown.split('\n').entries()) {
    const fence = FENCE.exec(text);
    if (open) {
      if (fence?.[1]?.startsWith(open.close)) open = null;
      else open.body.push(text);
    } else if (fence) {
      open = { line: index + 1, language: fence[2] ?? '', body: [], before, close: fence[1] ?? '```' };
      fences.push(open);
      before = '';
    } else {
      prose.push({ number: index + 1, text: text.replaceAll(/`[^`]*`/g, (code) => ' '.repeat(code.length)) });
      if (text.trim() !== '') before = text;
    }
  }
  return { prose, fences };
}

export function commandBlocks(file: string, markdown: string): CommandBlock[] {
  const shell = split(markdown).fences.filter(({ language }) => language === 'sh');
  return shell.map(({ line, body, before }) => ({ file, line, text: body.join('\n'), mark: markOf(before) }));
}

function markOf(before: string): CommandBlock['mark'] {
  const [, kind, reason = ''] = MARK.exec(before) ?? [];
  if (kind === 'not run' && reason !== '') return { kind: 'not-run', reason };
  if (kind === 'run' && reason === 'demo-kept') return { kind: 'demo-kept', reason };
  if (kind === 'run' && reason === '') return { kind: 'run', reason };
  return { kind: 'unmarked', reason: '' };
}

export function linksOf(markdown: string): Link[] {
  return split(markdown).prose.flatMap(({ number, text }) =>
    [...text.matchAll(LINK)].map((match) => ({ line: number, target: match[1] ?? '' })),
  );
}

/** The anchors that a page of this text has: those of its headings, as code hosts make them, and explicit ids. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const prose = new Set(split(markdown).prose.map(({ number }) => number));
  for (const [index, text] of markdown.split('\n').entries()) {
    if (!prose.has(index + 1)) continue;
    for (const match of text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) anchors.add(match[1] ?? '');
    const heading = HEADING.exec(text)?.[1];
    if (heading === undefined) continue;
    const slug = slugOf(heading);
    let unique = slug;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${slug}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

const slugOf = (heading: string): string =>
  heading
    .replaceAll(LINK, (whole) => whole.slice(1, whole.indexOf(']')))
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');

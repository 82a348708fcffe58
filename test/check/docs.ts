/** Documents: links lead somewhere, commands say whether a test runs them, and no file tells where it was made. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { anchorsOf, type CommandBlock, commandBlocks, linksOf } from './markdown.ts';
import { ROOT } from './root.ts';
import { projectFiles } from './source-files.ts';

/** What is true of one machine or one network only. Written so that this file does not hold them itself. */
const FORBIDDEN: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /(?<![\w.$}-])\/(?:roo[t]|wor[k])\/[\w.]/, why: 'a path of the machine it was written on' },
  {
    pattern:
      /(?:registr[y]\.npmjs|files\.pythonhoste[d]|pyp[i]\.org|deb\.debia[n]\.org|security\.debia[n]\.org|registr[y]\.yarnpkg)/,
    why: "a package registry's host",
  },
];
const TEXT = /\.(?:md|ts|mjs|js|json|hcl|sh|yml|yaml|service|txt)$|^[^.]+$/;
const MAX_BYTES = 1 << 20;

/** @returns every problem as `file:line: ...` */
export async function checkDocs(): Promise<string[]> {
  const files = await projectFiles();
  const pages = new Map<string, string>();
  for (const file of files.filter((name) => name.endsWith('.md'))) pages.set(file, await read(file));
  const texts = await Promise.all(
    files.filter((file) => TEXT.test(file)).map(async (file) => ({ file, text: await read(file) })),
  );
  return [
    ...[...pages].flatMap(([file, text]) => brokenLinks(file, text, pages, new Set(files))),
    ...[...pages].flatMap(([file, text]) => unmarked(commandBlocks(file, text))),
    ...texts.flatMap(({ file, text }) => forbidden(file, text)),
  ];
}

/** The shell commands of README, CONTRIBUTING and docs/, in reading order. */
export async function documentedCommands(): Promise<CommandBlock[]> {
  const files = (await projectFiles()).filter((file) => /^(?:README|CONTRIBUTING|docs\/.*)\.md$/.test(file));
  const pages = await Promise.all(files.map(async (file) => commandBlocks(file, await read(file))));
  return pages.flat();
}

const read = async (file: string): Promise<string> =>
  (await readFile(path.join(ROOT, file), 'utf8')).slice(0, MAX_BYTES);

const unmarked = (blocks: readonly CommandBlock[]): string[] =>
  blocks
    .filter(({ mark }) => mark.kind === 'unmarked')
    .map(
      ({ file, line }) =>
        `${file}:${line}: commands without a mark; write <!-- run -->, <!-- run: demo-kept --> or <!-- not run: why --> on the line before`,
    );

function brokenLinks(
  file: string,
  text: string,
  pages: ReadonlyMap<string, string>,
  files: ReadonlySet<string>,
): string[] {
  return linksOf(text).flatMap(({ line, target }) => {
    if (/^[a-z]+:/i.test(target)) return [];
    const [place = '', anchor] = target.split('#');
    const page = place === '' ? file : path.posix.join(path.posix.dirname(file), decodeURI(place)).replace(/\/$/, '');
    const exists = files.has(page) || [...files].some((name) => name.startsWith(`${page}/`));
    if (!exists) return [`${file}:${line}: link to ${target}: there is no ${page}`];
    const markdown = pages.get(page);
    if (anchor === undefined || markdown === undefined || anchorsOf(markdown).has(anchor)) return [];
    return [`${file}:${line}: link to ${target}: ${page} has no heading for #${anchor}`];
  });
}

function forbidden(file: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) =>
    FORBIDDEN.flatMap(({ pattern, why }) => {
      const found = pattern.exec(line);
      return found ? [`${file}:${index + 1}: "${found[0]}" is ${why}; leave it out`] : [];
    }),
  );
}

/** Imports run down: cmd → coordinator | agent | trigger-daemon → identity, sources → workflows, config. Never up, across or around. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from './root.ts';
import { sourceFiles } from './source-files.ts';

/** For each top-level folder, the folders beside its own that its code may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cmd: ['coordinator', 'agent', 'trigger-daemon', 'identity', 'sources', 'workflows', 'config'],
  coordinator: ['identity', 'sources', 'workflows', 'config'],
  agent: ['identity', 'sources', 'workflows', 'config'],
  'trigger-daemon': ['identity', 'sources', 'workflows', 'config'],
  identity: ['workflows', 'config'],
  sources: ['workflows', 'config'],
  workflows: [],
  config: [],
  packaging: ['cmd', 'coordinator', 'workflows', 'config'],
};
/** Code here, and every `*.test.ts`, may import anything; nothing else may import what is here. */
const TEST_FOLDERS = ['test', 'bench'];
/** Temporal's sandbox has nothing else at run time. */
const WORKFLOW_PACKAGES = ['@temporalio/workflow', '@temporalio/common'];

const STATEMENT = /^[ \t]*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]*?\sfrom\s*)?['"]([^'"\n]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"\n]+)['"]/g;

export type Import = {
  readonly line: number;
  readonly target: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
};
export type Source = { readonly file: string; readonly imports: readonly Import[] };

/** What a file imports, in order. Written for code that the formatter has formatted. */
export function importsOf(text: string): Import[] {
  const found: { index: number; found: Import }[] = [];
  const lineOf = (index: number): number => text.slice(0, index).split('\n').length;
  for (const match of text.matchAll(STATEMENT)) {
    // Where the statement ends: a list of names may fill many lines.
    const index = match.index + match[0].length;
    const typeOnly = match[1] !== undefined;
    found.push({ index, found: { line: lineOf(index), target: match[2] ?? '', typeOnly, dynamic: false } });
  }
  for (const match of text.matchAll(DYNAMIC)) {
    const index = match.index;
    found.push({ index, found: { line: lineOf(index), target: match[1] ?? '', typeOnly: false, dynamic: true } });
  }
  return found.toSorted((a, b) => a.index - b.index).map((each) => each.found);
}

/** Every arrow that points the wrong way, as `file:line: ...`. */
export function wrongArrows(sources: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const { file, imports } of sources) {
    for (const found of imports) {
      const wrong = isTest(file) ? null : wrongImport(file, found);
      if (wrong) problems.push(`${file}:${found.line}: ${wrong}`);
    }
  }
  return [...problems, ...cycles(sources)];
}

const isTest = (file: string): boolean => file.endsWith('.test.ts') || TEST_FOLDERS.includes(folderOf(file));
const folderOf = (file: string): string => file.split('/')[0] ?? '';

function wrongImport(file: string, found: Import): string | null {
  const from = folderOf(file);
  const may = MAY_IMPORT[from];
  if (!may) return `${from}/ has no place in the layout; give it one in test/check/arrows.ts`;
  if (!found.target.startsWith('.')) return from === 'workflows' ? wrongPackage(found) : null;
  const target = resolve(file, found.target);
  const to = folderOf(target);
  if (target === 'package.json') return null;
  if (isTest(target)) return `only tests may import ${target}`;
  if (to === from || may.includes(to)) return null;
  return `${from}/ may not import ${to}/ (only ${may.length > 0 ? may.join(', ') : 'itself'})`;
}

function wrongPackage({ target, typeOnly }: Import): string | null {
  if (typeOnly || WORKFLOW_PACKAGES.some((name) => target === name || target.startsWith(`${name}/`))) return null;
  return `workflows/ may import ${target} as types only; at run time only ${WORKFLOW_PACKAGES.join(', ')}`;
}

const resolve = (file: string, target: string): string => path.posix.join(path.posix.dirname(file), target);

/** Files that import one another at load, each ring told once, from its first file in order. */
function cycles(sources: readonly Source[]): string[] {
  const next = new Map(
    sources.map(({ file, imports }) => [
      file,
      imports
        .filter((found) => !found.typeOnly && !found.dynamic && found.target.startsWith('.'))
        .map((found) => resolve(file, found.target)),
    ]),
  );
  const done = new Set<string>();
  const problems: string[] = [];
  const walk = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) problems.push(`${file}: imports itself around: ${[...trail.slice(at), file].join(' → ')}`);
    if (at >= 0 || done.has(file)) return;
    for (const target of next.get(file) ?? []) walk(target, [...trail, file]);
    done.add(file);
  };
  for (const file of [...next.keys()].toSorted()) walk(file, []);
  return problems;
}

/** @returns every wrong arrow of the checkout */
export async function checkArrows(): Promise<string[]> {
  const files = await sourceFiles();
  const sources = files.map(async (file) => ({
    file,
    imports: importsOf(await readFile(path.join(ROOT, file), 'utf8')),
  }));
  return wrongArrows(await Promise.all(sources));
}

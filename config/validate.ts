/** `fettle validate`: any files and folders, each file recognised by what it holds, checked by the very loaders the roles use. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beginning, decodeFile, listHclFiles } from './files.ts';
import { recogniseKind, unrecognised, type Kind } from './kinds.ts';
import type { Known } from './known.ts';
import type { Problem } from './problem.ts';
import { Problems } from './problems.ts';
import { checkKinds, type Found, type Sorted } from './validate-kinds.ts';

type ValidateOptions = {
  /** Taken as the kind of every file, all of them one whole configuration, as a role would read them. */
  readonly kind?: Kind | undefined;
  readonly known?: Known | undefined;
};

type Validated = {
  readonly problems: readonly Problem[];
  /** In the order they were looked at; `kind` null where that could not be told. */
  readonly files: readonly { readonly file: string; readonly kind: Kind | null }[];
  /** What of it holds together. */
  readonly found: Found;
};

/**
 * Files stand for themselves; folders for all `*.hcl` files at any depth. A file of which only a part is there (`server_config` alone)
 * is judged by itself. Role files found in one folder of a named folder are judged together, as `--config FOLDER` would.
 */
export async function validateFiles(paths: readonly string[], options: ValidateOptions = {}): Promise<Validated> {
  const problems = new Problems();
  const groups = new Map<string, string>();
  const files = await findAll(paths, groups, problems);
  if (files.length === 0 && problems.errors === 0)
    problems.error(
      beginning(paths[0] ?? '.'),
      '',
      'there are no *.hcl files here; name files, or a folder that holds some',
    );
  const sorted: Sorted[] = [];
  for (const file of files) {
    const decoded = await decodeFile(file, problems);
    const kind = options.kind ?? (decoded.body === null ? null : recogniseKind(decoded.body));
    if (kind === null && decoded.body !== null) problems.error(beginning(file), '', unrecognised(decoded.body));
    sorted.push({ ...decoded, kind });
  }
  const groupOf = (file: string): string => (options.kind === undefined ? (groups.get(file) ?? `file ${file}`) : 'all');
  const whole = options.kind !== undefined;
  const found = await checkKinds(sorted, { groupOf, whole, known: options.known ?? {} }, problems);
  return { problems: problems.sorted(files), files: sorted.map(({ file, kind }) => ({ file, kind })), found };
}

/** `groups` gets the folder of each file that was found through a folder. */
async function findAll(
  paths: readonly string[],
  groups: Map<string, string>,
  problems: Problems,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const inner = await foldersOf(path);
    for (const folder of inner.length === 0 ? [path] : inner) {
      const files = await listHclFiles([folder], problems);
      if (inner.length > 0) for (const file of files) groups.set(file, `folder ${dirname(file)}`);
      found.push(...files);
    }
  }
  return [...new Set(found)];
}

/** A folder and those in it at any depth (symbolic links are not followed); nothing for a file. */
async function foldersOf(path: string): Promise<readonly string[]> {
  const info = await stat(path).catch(() => null);
  if (info?.isDirectory() !== true) return [];
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => []);
  const inner = entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  return [path, ...inner.sort()];
}

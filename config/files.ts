/** Files of configuration: found, read, decoded; every failure is a problem with a place, never an exception. */
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { decodeHcl, type HclAttribute, type HclBlock, type HclBody } from './hcl/decode.ts';
import { MAX_BYTES } from './hcl/scan.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { placeFrom } from './schema.ts';

export type DecodedFile = {
  readonly file: string;
  /** Null when the text could not be read whole; the problems say why. */
  readonly body: HclBody | null;
};

export const beginning = (file: string): Place => ({ file, line: 1, column: 1 });

/** Files stand for themselves, a folder for its `*.hcl` files (not hidden ones, not those of folders in it), sorted by name. */
export async function listHclFiles(paths: readonly string[], problems: Problems): Promise<readonly string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => null);
    // What cannot be looked at is kept: reading it says why, in its turn.
    if (info?.isDirectory() !== true) files.push(path);
    else for (const file of await folderFiles(path, problems)) files.push(file);
  }
  return [...new Set(files)];
}

async function folderFiles(folder: string, problems: Problems): Promise<readonly string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.hcl') && !name.startsWith('.'));
    return names.sort().map((name) => join(folder, name));
  } catch (error) {
    problems.error(beginning(folder), '', cannotRead(error));
    return [];
  }
}

export async function decodeFile(file: string, problems: Problems): Promise<DecodedFile> {
  const bytes = await readBounded(file, problems);
  if (bytes === null) return { file, body: null };
  const decoded = await decodeHcl(file, bytes);
  problems.add(decoded.problems);
  return { file, body: decoded.body };
}

/** At most one byte more than is allowed is ever held, whatever the file claims to be. */
export async function readBounded(file: string, problems: Problems): Promise<Uint8Array | null> {
  try {
    if (!(await stat(file)).isFile()) {
      problems.error(beginning(file), '', 'is not a regular file; name a file or a folder of *.hcl files');
      return null;
    }
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > MAX_BYTES) {
      problems.error(beginning(file), '', `the file is larger than 1 MB (${size} bytes); split it`);
      return null;
    }
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } catch (error) {
    problems.error(beginning(file), '', cannotRead(error));
    return null;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder; create it, or mend the path',
  EACCES: 'cannot be read by this user; change its permissions, or run as another user',
  ENOTDIR: 'a part of the path is no folder; mend the path',
  ELOOP: 'the path runs in a circle of symbolic links; mend the path',
};

function cannotRead(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return REASONS[code] ?? `cannot be read (${code}); mend the file or its path`;
}

/** Several files as if they were one text: an attribute may be set in one of them only. */
export function mergeBodies(files: readonly DecodedFile[], problems: Problems): HclBody {
  const attributes = new Map<string, HclAttribute>();
  const blocks: HclBlock[] = [];
  for (const { body } of files) {
    for (const attribute of body?.attributes.values() ?? []) {
      const earlier = attributes.get(attribute.name);
      if (earlier === undefined) attributes.set(attribute.name, attribute);
      else
        problems.error(
          attribute.place,
          attribute.name,
          `is already set at ${placeFrom(attribute.place, earlier.place)}; take one of the two away`,
        );
    }
    for (const block of body?.blocks ?? []) blocks.push(block);
  }
  return { attributes, blocks };
}

export const baseName = (file: string): string => basename(file, '.hcl');

import { createHash } from 'node:crypto';
import type { ActionEnd, ActionRun } from './action.ts';
import type { Cleaning } from './cleaning.ts';
import { type Litter, type OldFile, type Scan, scan, type Way } from './clean-scan.ts';
import { cutShort, failed, type OutputFacts } from './ending.ts';
import { type Folder, openFolder, sameFolder } from './folder-handle.ts';
import { fileKey, openAmong } from './open-files.ts';

/** Files of one folder, as a `clean` block of the host names them. */
export const cleaningOfFolder = (rule: Litter): Cleaning => ({
  place: rule.directory,
  async rehearse(_run, signal) {
    const plan = await planCleaning(rule, signal);
    return {
      status: 'done',
      output: { ...NO_PROGRAM, facts: planFacts(rule, plan), ...listing('would delete', plan.files) },
    };
  },
  async run(run, signal) {
    const plan = await planCleaning(rule, signal);
    return endOfCleaning(run, planFacts(rule, plan), await deleteFiles(rule, plan.files, signal));
  },
});

const NO_PROGRAM = { exitCode: null } as const;

function endOfCleaning(run: ActionRun, planned: OutputFacts, cleaned: Cleaned): ActionEnd {
  const { deleted, changed, failed: failures, error, stopped } = cleaned;
  const facts = {
    ...planned,
    deleted_files: deleted.length,
    deleted_bytes: total(deleted),
    skipped_changed: changed,
    failed_files: failures,
  };
  const output = { ...NO_PROGRAM, facts, ...listing('deleted', deleted) };
  if (stopped) return failed(cutShort(run), `was ended after ${deleted.length} files; what is left stays`, output);
  if (error === null) return { status: 'done', output };
  return failed('exit', `${failures} files could not be deleted; the first said ${error}`, output);
}

type Plan = { readonly scan: Scan; readonly files: readonly OldFile[]; readonly open: number };

/** What would be deleted here and now: exactly what a run takes up, file by file. @throws as `scan` */
export async function planCleaning(rule: Litter, signal: AbortSignal): Promise<Plan> {
  const found = await scan(rule, signal);
  const open = await openAmong(found.files, signal);
  return { scan: found, files: found.files.filter((file) => !open.has(fileKey(file))), open: open.size };
}

type Cleaned = {
  readonly deleted: readonly OldFile[];
  /** Changed, replaced or gone since they were listed. */
  readonly changed: number;
  readonly failed: number;
  /** Of the first that could not be deleted, e.g. `EROFS`. */
  readonly error: string | null;
  /** `signal` aborted before the end. */
  readonly stopped: boolean;
};

/** Deletes what was planned and is still what it was. Never rejects for what stands in the tree. */
export async function deleteFiles(rule: Litter, files: readonly OldFile[], signal: AbortSignal): Promise<Cleaned> {
  const deleted: OldFile[] = [];
  let [changed, failed] = [0, 0];
  let error: string | null = null;
  for (const [way, members] of byFolder(files)) {
    if (signal.aborted) break;
    await using folder = await reach(rule.directory, way);
    if (folder === null) {
      changed += members.length;
      continue;
    }
    for (const file of members) {
      if (signal.aborted) break;
      const end = await deleteOne(folder, file);
      if (end === 'deleted') deleted.push(file);
      else if (end === 'changed') changed += 1;
      else {
        failed += 1;
        error ??= end.code;
      }
    }
  }
  return { deleted, changed, failed, error, stopped: signal.aborted };
}

/**
 * Between this look and the deletion a hostile owner of the folder may still put another file under the name; what goes then is a
 * name of that very folder, which its owner could have taken away without us.
 */
async function deleteOne(folder: Folder, file: OldFile): Promise<'deleted' | 'changed' | { readonly code: string }> {
  try {
    const now = await folder.look(file.name);
    const same = now.isFile() && now.dev === file.dev && now.ino === file.ino && now.mtimeNs === file.modifiedNs;
    if (!same) return 'changed';
    await folder.remove(file.name);
    return 'deleted';
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    // EBUSY: a mount has been put upon it.
    return ['ENOENT', 'EISDIR', 'EBUSY'].includes(code) ? 'changed' : { code };
  }
}

/** Goes down again, name by name. Null when what is there is not the folder that was looked through. */
async function reach(directory: string, { id, names }: Way): Promise<Folder | null> {
  let folder = await openFolder(directory).catch(() => null);
  for (const name of names) {
    if (folder === null) return null;
    const parent: Folder = folder;
    folder = await parent.enter(name).catch(() => null);
    await parent[Symbol.asyncDispose]();
  }
  if (folder === null || sameFolder(folder.id, id)) return folder;
  await folder[Symbol.asyncDispose]();
  return null;
}

function byFolder(files: readonly OldFile[]): ReadonlyMap<Way, OldFile[]> {
  const groups = new Map<Way, OldFile[]>();
  for (const file of files) {
    const group = groups.get(file.way);
    if (group === undefined) groups.set(file.way, [file]);
    else group.push(file);
  }
  return groups;
}

const LISTED_BYTES = 3000;

/** The first of them by name, with totals; the digest is of all paths, one a line, in the order of their names. */
function listing(verb: string, files: readonly OldFile[]) {
  const paths = files.map(({ path }) => path).toSorted();
  const whole = paths.map((path) => `${path}\n`).join('');
  const lines = [`${verb} ${paths.length} files, ${total(files)} bytes`];
  let room = LISTED_BYTES;
  for (const path of paths) {
    // Names are whatever the owner of a folder made them.
    const line = JSON.stringify(path).replaceAll(/[^ -~]/g, '?');
    if ((room -= line.length + 1) < 0) break;
    lines.push(line);
  }
  const unlisted = paths.length - (lines.length - 1);
  if (unlisted > 0) lines.push(`and ${unlisted} more`);
  const digest = createHash('sha256').update(whole).digest('base64url');
  return { tail: lines.join('\n'), digest, bytes: Buffer.byteLength(whole) };
}

const total = (files: readonly OldFile[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

function planFacts(rule: Litter, { scan: found, files, open }: Plan): OutputFacts {
  return {
    what: rule.name,
    directory: rule.directory,
    matched_files: files.length,
    matched_bytes: total(files),
    kept: found.kept,
    skipped_open: open,
    skipped_folders: found.foldersPassedOver,
    skipped_others: found.othersPassedOver,
    more: found.more,
  };
}

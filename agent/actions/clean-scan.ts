import type { BigIntStats } from 'node:fs';
import type { CleanRule } from '../../config/agent-rules.ts';
import { wholeValue } from '../whole-value.ts';
import { type Folder, type FolderId, openFolder } from './folder-handle.ts';

/** Files below one folder: what a `clean` block says. */
export type Litter = Omit<CleanRule, 'place'>;

/** How to find a folder again below the rule's own: by names from there, and by what it has to be when reached. */
export type Way = { readonly id: FolderId; readonly names: readonly Buffer[] };

export type OldFile = {
  readonly way: Way;
  readonly name: Buffer;
  /** Below the rule's directory, for people. */
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly modifiedNs: bigint;
  /** What deleting it gives back. */
  readonly bytes: number;
};

export type Scan = {
  /** Old enough, oldest first, without those that are kept. */
  readonly files: readonly OldFile[];
  readonly kept: number;
  /** Folders that were not entered: mounts, and what lies too deep. */
  readonly foldersPassedOver: number;
  /** Symbolic links, pipes, sockets and devices whose name matches: never touched. */
  readonly othersPassedOver: number;
  /** The tree holds more than one look takes in. */
  readonly more: boolean;
};

/** What one look, and so one run, takes up; some 3 KB of memory for each file. */
export const SCAN_BOUNDS = { depth: 64, entries: 1_000_000, files: 50_000 };
type Bounds = typeof SCAN_BOUNDS;

/** Looks for what a rule lets go. Nothing is changed. @throws Error when the directory cannot be entered or `signal` aborts */
export async function scan(rule: Litter, signal: AbortSignal, bounds: Bounds = SCAN_BOUNDS): Promise<Scan> {
  await using top = await openFolder(rule.directory);
  const cutoff = BigInt(Date.now() - rule.olderThanMs) * 1_000_000n;
  const pattern = wholeValue(rule.pattern);
  const found: Found = { old: [], young: 0, entries: 0, folders: 0, others: 0, more: false };
  await walk(top, { id: top.id, names: [] }, { mount: top.mount, cutoff, pattern, signal, bounds, found });
  found.old.sort((a, b) => Number(b.modifiedNs - a.modifiedNs));
  const kept = Math.min(found.old.length, Math.max(0, rule.keep - found.young));
  return {
    files: found.old.slice(kept).toReversed(),
    kept,
    foldersPassedOver: found.folders,
    othersPassedOver: found.others,
    more: found.more,
  };
}

type Found = { old: OldFile[]; young: number; entries: number; folders: number; others: number; more: boolean };
type Walk = {
  readonly mount: number;
  readonly cutoff: bigint;
  readonly pattern: RegExp;
  readonly signal: AbortSignal;
  readonly bounds: Bounds;
  readonly found: Found;
};

async function walk(folder: Folder, way: Way, look: Walk): Promise<void> {
  const { found, bounds, signal } = look;
  const inner: Buffer[] = [];
  for await (const { name } of await folder.entries()) {
    signal.throwIfAborted();
    if ((found.entries += 1) > bounds.entries || found.old.length >= bounds.files) {
      found.more = true;
      return;
    }
    const raw = name as unknown as Buffer;
    const stats = await folder.look(raw).catch(() => null);
    if (stats?.isDirectory() === true) inner.push(raw);
    else if (stats !== null) note(stats, { way, name: raw }, look);
  }
  for (const name of inner) await enter(folder, { way, name }, look);
}

/** A folder that became something else meanwhile is not there; a mount is told by what was reached, not by what was listed. */
async function enter(folder: Folder, { way, name }: Pick<OldFile, 'way' | 'name'>, look: Walk): Promise<void> {
  const names = [...way.names, name];
  if (names.length > look.bounds.depth) {
    look.found.folders += 1;
    return;
  }
  const child = await folder.enter(name).catch(() => null);
  if (child === null) return;
  await using inner = child;
  if (inner.mount !== look.mount) look.found.folders += 1;
  else await walk(inner, { id: inner.id, names }, look);
}

function note(
  stats: BigIntStats,
  { way, name }: Pick<OldFile, 'way' | 'name'>,
  { found, pattern, cutoff }: Walk,
): void {
  if (!pattern.test(name.toString('utf8'))) return;
  if (!stats.isFile()) found.others += 1;
  else if (stats.mtimeNs >= cutoff) found.young += 1;
  else {
    const { dev, ino, mtimeNs: modifiedNs, nlink, blocks } = stats;
    const path = [...way.names, name].map((part) => part.toString('utf8')).join('/');
    found.old.push({ way, name, path, dev, ino, modifiedNs, bytes: nlink > 1n ? 0 : Number(blocks) * 512 });
  }
}

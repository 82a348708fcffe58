import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { link, mkdir, open, readdir, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { Args } from '../../workflows/contract.ts';
import { RefusalError } from '../refusal.ts';
import type { ActionEnd } from './action.ts';
import { deleteFiles, planCleaning } from './clean-folder.ts';
import { type Litter, scan } from './clean-scan.ts';
import { diskClean } from './disk-clean.ts';

const HOUR = 3_600_000;
const NEVER = new AbortController().signal;
const MOUNTS = process.getuid?.() === 0 ? false : 'bind mounts need root';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let tree: string;
/** Nothing in it may ever change, whatever leads there. */
let outside: string;

beforeEach(async () => {
  home = await temporaryDirectory('fettle-clean-');
  tree = join(home.path, 'tree');
  outside = join(home.path, 'outside');
  await mkdir(tree);
  await file(join(outside, 'a.tmp'), 10);
  await file(join(outside, 'inner/b.tmp'), 10);
});
afterEach(() => home[Symbol.asyncDispose]());

async function file(path: string, hours = 10, bytes = 5000): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.alloc(bytes, 'x'));
  const time = (Date.now() - hours * HOUR) / 1000;
  await utimes(path, time, time);
}
const litter = (more: Partial<Litter> = {}): Litter => ({
  name: 'uploads',
  directory: tree,
  pattern: '.*\\.tmp',
  olderThanMs: HOUR,
  keep: 0,
  ...more,
});
const prepare = (args: Args = {}, rule = litter()) => {
  const place = { file: 'agent.hcl', line: 1, column: 1 };
  const host = { ...BARE_HOST, clean: new Map([['uploads', { place, ...rule }]]) };
  return diskClean.prepare({ what: 'uploads', ...args }, host);
};
const clean = async (rule = litter(), args: Args = {}): Promise<ActionEnd> =>
  documented('disk.clean', await prepare(args, rule).run(actionRun()));
const facts = (end: ActionEnd, ...names: string[]) => names.map((name) => end.output.facts[name]);
const left = async (folder = tree): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
const untouched = async (): Promise<void> => assert.deepEqual(await left(outside), ['a.tmp', 'inner/b.tmp']);

describe('disk.clean of a folder', () => {
  it('deletes what is old enough and matches, below the folder at any depth, and nothing else', async () => {
    await file(join(tree, 'old.tmp'));
    await file(join(tree, 'deep/er/old.tmp'));
    await file(join(tree, 'young.tmp'), 0.5);
    await file(join(tree, 'old.log'));
    const end = await clean();
    assert.equal(end.status, 'done', JSON.stringify(end));
    assert.deepEqual(await left(), ['old.log', 'young.tmp']);
    assert.ok(existsSync(join(tree, 'deep/er')), 'folders stay');
    assert.deepEqual(facts(end, 'deleted_files', 'deleted_bytes', 'failed_files', 'more'), [2, 16_384, 0, false]);
    for (const name of ['total_bytes', 'before_free_bytes', 'after_free_bytes', 'before_free_percent', 'freed_bytes'])
      assert.equal(typeof end.output.facts[name], 'number', name);
  });

  it('rehearsed, lists exactly what a run then deletes, with the same digest, and deletes nothing', async () => {
    for (let index = 0; index < 300; index += 1) await file(join(tree, `old-${index}-with-a-long-name.tmp`), 10, 10);
    const would = await prepare().rehearse(actionRun());
    assert.equal((await left()).length, 300);
    assert.match(would.tail ?? '', /^would delete 300 files, \d+ bytes\n"old-0-with-a-long-name.tmp"\n/);
    assert.match(would.tail ?? '', /\nand \d+ more$/);
    const did = await clean();
    assert.deepEqual([did.output.digest, did.output.bytes], [would.digest, would.bytes]);
    assert.deepEqual(await left(), []);
  });

  it('keeps the newest, counting those that are too young to go', async () => {
    for (const hours of [0.5, 2, 3, 4, 5]) await file(join(tree, `${hours}.tmp`), hours);
    const end = await clean(litter({ keep: 3 }));
    assert.deepEqual(await left(), ['0.5.tmp', '2.tmp', '3.tmp']);
    assert.deepEqual(facts(end, 'kept', 'deleted_files'), [2, 2]);
  });

  it('leaves a file that a process has open', async () => {
    await file(join(tree, 'open.tmp'));
    await file(join(tree, 'closed.tmp'));
    await using _held = await open(join(tree, 'open.tmp'));
    const end = await clean();
    assert.deepEqual([await left(), ...facts(end, 'skipped_open', 'deleted_files')], [['open.tmp'], 1, 1]);
  });

  it('does nothing when enough is free, and fails when not enough is afterwards', async () => {
    await file(join(tree, 'old.tmp'));
    const enough = await clean(litter(), { min_free_percent: 1 });
    assert.deepEqual([enough.status, enough.output.facts['enough'], await left()], ['done', true, ['old.tmp']]);
    const short = await clean(litter(), { min_free_percent: 99 });
    assert.deepEqual([short.status, await left()], ['failed', []]);
    assert.match(short.status === 'failed' ? short.message : '', /% is free afterwards, and 99 % were asked for/);
  });

  it('neither follows nor deletes symbolic links, pipes and what else is no file', async () => {
    await symlink(join(outside, 'a.tmp'), join(tree, 'link.tmp'));
    await symlink(outside, join(tree, 'folder.tmp'));
    await symlink('..', join(tree, 'loop'));
    execFileSync('mkfifo', [join(tree, 'pipe.tmp')]);
    await file(join(tree, 'old.tmp'));
    const end = await clean();
    assert.deepEqual(await left(), ['folder.tmp', 'link.tmp', 'loop', 'pipe.tmp']);
    assert.deepEqual(facts(end, 'deleted_files', 'skipped_others'), [1, 3]);
    await untouched();
  });

  it('refuses a folder that is reached through a symbolic link', async () => {
    await symlink(outside, join(home.path, 'way'));
    for (const directory of [join(home.path, 'way'), join(home.path, 'way/inner')]) {
      const end = await clean(litter({ directory }));
      assert.match(end.status === 'failed' ? end.message : '', /symbolic link or no folder \((ELOOP|ENOTDIR)\)/);
    }
    const none = await clean(litter({ directory: join(home.path, 'none') }));
    assert.match(none.status === 'failed' ? none.message : '', /cannot be cleaned: ENOENT/);
    await untouched();
  });

  it('never crosses a mount, not even one of the same file system', { skip: MOUNTS }, async () => {
    await mkdir(join(tree, 'same'));
    await mkdir(join(tree, 'other'));
    await file(join(tree, 'mounted.tmp'));
    await file(join(tree, 'old.tmp'));
    execFileSync('mount', ['--bind', outside, join(tree, 'same')]);
    execFileSync('mount', ['-t', 'tmpfs', 'none', join(tree, 'other')]);
    execFileSync('mount', ['--bind', join(outside, 'a.tmp'), join(tree, 'mounted.tmp')]);
    try {
      await file(join(tree, 'other/old.tmp'));
      const end = await clean();
      assert.equal(end.status, 'done', JSON.stringify(end));
      assert.deepEqual(facts(end, 'skipped_folders', 'skipped_changed'), [2, 1]);
      assert.ok(existsSync(join(tree, 'other/old.tmp')) && existsSync(join(tree, 'mounted.tmp')));
      assert.ok(!existsSync(join(tree, 'old.tmp')));
      await untouched();
    } finally {
      for (const name of ['same', 'other', 'mounted.tmp']) execFileSync('umount', [join(tree, name)]);
    }
  });

  it('leaves what was replaced after it was listed, and where a folder became a link to elsewhere', async () => {
    await file(join(tree, 'sub/a.tmp'));
    await file(join(tree, 'changed.tmp'));
    await file(join(tree, 'became-folder.tmp'));
    await file(join(tree, 'stays.tmp'));
    const { files } = await planCleaning(litter(), NEVER);
    await rename(join(tree, 'sub'), join(home.path, 'moved'));
    await symlink(outside, join(tree, 'sub'));
    await file(join(tree, 'changed.tmp'), 20);
    execFileSync('rm', [join(tree, 'became-folder.tmp')]);
    await mkdir(join(tree, 'became-folder.tmp'));
    const { deleted, changed, failed } = await deleteFiles(litter(), files, NEVER);
    assert.deepEqual([deleted.map(({ path }) => path), changed, failed], [['stays.tmp'], 3, 0]);
    assert.ok(existsSync(join(home.path, 'moved/a.tmp')));
    await untouched();
  });

  it('touches nothing elsewhere while somebody swaps a folder for a link under it', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `inner/${index}.tmp`);
    for (const name of names) await file(join(outside, name), 10, 1);
    const before = await left(outside);
    const [real, evil] = [join(tree, 'real'), join(tree, 'evil')];
    await symlink(outside, evil);
    let seen = 0;
    for (let round = 0; round < 40; round += 1) {
      for (const name of names) await file(join(tree, 'sub', name), 10, 1);
      const over = new AbortController();
      const swapping = (async () => {
        while (!over.signal.aborted) {
          for (const [from, to] of [
            [join(tree, 'sub'), real],
            [evil, join(tree, 'sub')],
          ] as const)
            await rename(from, to);
          for (const [from, to] of [
            [join(tree, 'sub'), evil],
            [real, join(tree, 'sub')],
          ] as const)
            await rename(from, to);
        }
      })();
      const end = await clean();
      over.abort();
      await swapping;
      seen += Number(end.output.facts['deleted_files']);
      assert.deepEqual(await left(outside), before);
    }
    assert.ok(seen > 0, 'it cleaned between the swaps');
  });

  it('shows hostile names without control characters, and deletes them all the same', async () => {
    const names = ['a\nb.tmp', '\u001b[2J.tmp', '-rf.tmp', '..tmp.tmp', 'ü.tmp', ' .tmp'];
    for (const name of names) await file(join(tree, name));
    const raw = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe]), Buffer.from('.tmp')]);
    await writeFile(raw, 'x');
    await utimes(raw, 0, 0);
    const { tail } = (await clean(litter({ pattern: '[^]*' }))).output;
    assert.match(tail ?? '', /^deleted 7 files[ -~\n]+$/);
    assert.deepEqual(await left(), []);
  });

  it('ends when it is told to, and says what it did', async () => {
    await file(join(tree, 'old.tmp'));
    const end = await prepare().run(actionRun(30_000, AbortSignal.abort()));
    assert.deepEqual([end.status === 'failed' && end.code, await left()], ['cancelled', ['old.tmp']]);
    const late = await prepare().run(actionRun(0));
    assert.deepEqual([late.status === 'failed' && late.code, await left()], ['timeout', ['old.tmp']]);
  });

  it('takes up no more than its bounds, and says that there is more', async () => {
    for (let index = 0; index < 20; index += 1) await file(join(tree, `${index}/old.tmp`));
    const some = await scan(litter(), NEVER, { depth: 64, entries: 1000, files: 5 });
    assert.deepEqual([some.files.length, some.more], [5, true]);
    const shallow = await scan(litter(), NEVER, { depth: 0, entries: 1000, files: 5 });
    assert.deepEqual([shallow.files.length, shallow.foldersPassedOver], [0, 20]);
  });

  it('deletes exactly what a plain reading of the rule says, in any tree', async () => {
    const name = fc.constantFrom('a.tmp', 'b.tmp', 'c.log', 'sub', 'sub2');
    const node = fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 4 }),
      kind: fc.constantFrom('file', 'file', 'file', 'link', 'loop', 'hard'),
      hours: fc.constantFrom(0.2, 2, 3, 50),
    });
    let round = 0;
    const trees = fc.asyncProperty(fc.array(node, { maxLength: 12 }), async (nodes) => {
      const directory = join(tree, `round-${(round += 1)}`);
      await mkdir(directory);
      const goes = new Set<string>();
      for (const { path, kind, hours } of nodes) {
        const at = join(directory, ...path);
        try {
          await mkdir(dirname(at), { recursive: true });
          if (existsSync(at)) continue;
          if (kind === 'file') await file(at, hours, 1);
          else if (kind === 'hard') await link(join(outside, 'a.tmp'), at);
          else await symlink(kind === 'link' ? outside : '.', at);
        } catch {
          // A file stands where a folder would have to.
          continue;
        }
        const old = kind === 'hard' || (kind === 'file' && hours > 1);
        // A link made earlier may lead elsewhere within the tree, or out of it: such a file is none of ours.
        const real = join(realpathSync(dirname(at)), basename(at));
        if (old && real.startsWith(`${directory}/`) && real.endsWith('.tmp'))
          goes.add(real.slice(directory.length + 1));
      }
      const before = await left(directory);
      const end = await clean(litter({ directory }));
      assert.equal(end.status, 'done', JSON.stringify(end));
      assert.deepEqual(
        await left(directory),
        before.filter((path) => !goes.has(path)),
      );
      assert.ok(existsSync(join(outside, 'a.tmp')) && existsSync(join(outside, 'inner/b.tmp')));
    });
    await fc.assert(trees, { numRuns: 30 });
  });
});

describe('disk.clean', () => {
  const refused = (args: Args): string => {
    try {
      prepare(args);
    } catch (error) {
      assert.ok(error instanceof RefusalError && error.code === 'args_invalid', String(error));
      return error.message;
    }
    throw new Error('was not refused');
  };

  it('refuses what the host does not name, and arguments that belong to something else', () => {
    assert.match(refused({ what: 'other' }), /has no clean block "other"; here are journal, apt, uploads/);
    assert.match(refused({ what: 'journal' }), /needs keep_size, keep_time or both/);
    assert.match(refused({ what: 'uploads', keep_size: '1M' }), /stand with what = "journal" only/);
    assert.match(refused({ what: '/etc' }), /"what" must be/);
    assert.match(refused({ what: 'journal', keep_size: '1M; rm -rf /' }), /"keep_size" must be/);
    assert.match(refused({ what: 'journal', keep_time: '1week' }), /"keep_time" must be/);
    assert.match(refused({ min_free_percent: 100 }), /"min_free_percent" must be a whole number from 1 to 99/);
    assert.match(refused({ min_free_percent: 1.5 }), /"min_free_percent" must be/);
  });

  it('runs journalctl and apt-get with fixed arguments, and measures what they keep', async () => {
    await file(join(home.path, 'journal/machine/system@1.journal'), 1, 10_000);
    await file(join(home.path, 'archives/a_1_amd64.deb'), 1, 10_000);
    await file(join(home.path, 'archives/partial/b_1_amd64.deb'), 1, 10_000);
    await file(join(home.path, 'archives/lock'), 1, 0);
    const host = {
      ...BARE_HOST,
      journalctl: '/bin/echo',
      aptGet: '/bin/echo',
      journalFolder: join(home.path, 'journal'),
      packageCache: join(home.path, 'archives'),
    };
    const ran = async (args: Args): Promise<[string | null, unknown]> => {
      const prepared = diskClean.prepare(args, host);
      const { output } = documented('disk.clean', await prepared.run(actionRun()));
      const would = await prepared.rehearse(actionRun());
      assert.match(would.tail ?? '', /^would run \["\/bin\/echo",/);
      return [output.tail, output.facts['before_bytes']];
    };
    assert.deepEqual(await ran({ what: 'journal', keep_size: '500M', keep_time: '14d' }), [
      '--rotate --vacuum-size=500M --vacuum-time=1209600s\n',
      12_288,
    ]);
    assert.deepEqual(await ran({ what: 'apt' }), ['--quiet clean\n', 24_576]);
  });
});

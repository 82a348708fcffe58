import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ActionEnd, type ActionHost, type ActionRun, CLEAN_ENVIRONMENT, endOf, factsOnly } from './action.ts';
import type { Cleaning } from './cleaning.ts';
import type { OutputFacts } from './ending.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** journalctl deletes closed files only; `--rotate` closes those in use first, or a busy journal would never shrink. */
export function cleaningOfJournal(host: ActionHost, size: string | null, time: string | null): Cleaning {
  const argv = [host.journalctl, '--rotate'];
  if (size !== null) argv.push(`--vacuum-size=${size}`);
  // Its own m is a month on some versions: seconds are seconds on all.
  if (time !== null) argv.push(`--vacuum-time=${Number(time.slice(0, -1)) * UNIT_SECONDS[time.slice(-1)]!}s`);
  const folders = [host.journalFolder, host.volatileJournalFolder];
  // A journal that is kept in memory alone has no folder on the disk.
  const place = folders.find((folder) => existsSync(folder)) ?? host.journalFolder;
  return program({ what: 'journal', argv, place, measure: () => sizeOf(folders, /\.journal~?$/) });
}

export function cleaningOfPackages(host: ActionHost): Cleaning {
  const argv = [host.aptGet, '--quiet', 'clean'];
  const folders = [host.packageCache, join(host.packageCache, 'partial')];
  return program({ what: 'apt', argv, place: host.packageCache, measure: () => sizeOf(folders, /(?:)/) });
}

type Setting = {
  readonly what: string;
  readonly argv: readonly string[];
  readonly place: string;
  readonly measure: () => Promise<Size>;
};
type Size = { readonly files: number; readonly bytes: number };

function program({ what, argv, place, measure }: Setting): Cleaning {
  return {
    place,
    async rehearse(): Promise<ActionEnd> {
      const facts = { what, ...sizeFacts('before_', await measure()) };
      return { status: 'done', output: factsOnly(facts, `would run ${JSON.stringify(argv)}`) };
    },
    async run(run: ActionRun) {
      const before = await measure();
      const end = await run.run({
        argv,
        environment: { ...CLEAN_ENVIRONMENT, DEBIAN_FRONTEND: 'noninteractive' },
        workingDirectory: '/',
      });
      const facts = { what, ...sizeFacts('before_', before), ...sizeFacts('after_', await measure()) };
      return endOf(end, argv[0]!, run.timeoutMs, facts);
    },
  };
}

const sizeFacts = (prefix: 'before_' | 'after_', { files, bytes }: Size): OutputFacts => ({
  [`${prefix}files`]: files,
  [`${prefix}bytes`]: bytes,
});

/** Of the files of these folders and of those right below them. Folders that are not there hold nothing. */
async function sizeOf(folders: readonly string[], pattern: RegExp, depth = 1): Promise<Size> {
  let [files, bytes] = [0, 0];
  for (const folder of folders) {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth > 0 && !folders.includes(path)) {
        const inner = await sizeOf([path], pattern, depth - 1);
        files += inner.files;
        bytes += inner.bytes;
      } else if (entry.isFile() && entry.name !== 'lock' && pattern.test(entry.name)) {
        files += 1;
        bytes += await stat(path).then(
          ({ blocks }) => blocks * 512,
          () => 0,
        );
      }
    }
  }
  return { files, bytes };
}

import type { Scalar } from '../../workflows/contract.ts';
import { RefusalError } from '../refusal.ts';
import { type Action, type ActionEnd, type ActionHost, type ActionRun, factsOnly } from './action.ts';
import type { Cleaning } from './cleaning.ts';
import { argumentCheck } from './argument-check.ts';
import { cleaningOfFolder } from './clean-folder.ts';
import { cleaningOfJournal, cleaningOfPackages } from './clean-programs.ts';
import { cutShort, failed, type OutputFacts, within } from './ending.ts';
import { freeSpace, spaceFacts } from './free-space.ts';

const check = argumentCheck('disk.clean');

/** Deletes what the host itself lets go, and says how much room there was before and after. */
export const diskClean: Action = {
  name: 'disk.clean',
  capped: true,
  page: {
    about: [
      'Of a `clean` block (agent file): files below its directory, at any depth, whose name matches, that have not been changed for long enough, without the newest that are kept. No part of the path may be a symbolic link; none is followed below it, and no mount is entered, bind mounts included. Only ordinary files are deleted, never folders, links, pipes or sockets, and none that a process of this host has open. At most 50,000 files are deleted in one run: `more` says that another run would find more.',
      '`journal` runs `journalctl --rotate` with the vacuum options; `apt` runs `apt-get clean`.',
      'A folder that somebody hostile may write to is safe to clean: every step goes from an open folder to a name in it, what is reached is told by device, inode and mount, and each file is looked at again right before it goes. What such a person can bring about is that another file of his own folder goes instead.',
    ],
    facts: {
      'what, directory': 'what was cleaned',
      'matched_files, matched_bytes': 'what may go by the clean block, without files that are open',
      'deleted_files, deleted_bytes':
        'what went; bytes as the file system counts them, none for a file with another name elsewhere',
      'kept, skipped_open, skipped_changed':
        'files left: the newest; open ones; those that changed after they were listed, or that a mount covers',
      'skipped_folders, skipped_others': 'mounts not entered; links, pipes and the like whose names match',
      failed_files: 'files that could not be deleted; the message has the first reason',
      more: 'there is more than one run takes up',
      enough: 'min_free_percent was met already, and nothing was done',
      'before_files, before_bytes, after_files, after_bytes': 'journal and apt: what they keep',
      total_bytes: 'size of the file system',
      'before_free_bytes, before_free_percent, after_free_bytes, after_free_percent':
        'what users other than root may still take, as df(1) counts',
      freed_bytes: 'the difference, whoever else wrote meanwhile',
    },
    rehearsal:
      'the first files by name, their number and bytes, and the SHA-256 of the whole list (one path a line, sorted): the receipt of a run over the same files has the same. For journal and apt, the command.',
    example: { what: 'journal', keep_size: '500M', min_free_percent: 10 },
  },
  prepare(args, host) {
    const given = check(args);
    const cleaning = cleaningOf(given, host);
    const minimum = given['min_free_percent'] === undefined ? null : Number(given['min_free_percent']);
    return {
      rehearse: async (run) => (await measured(cleaning, minimum, run, cleaning.rehearse, false)).output,
      run: (run) => measured(cleaning, minimum, run, cleaning.run, true),
      worksOn: async () => false,
    };
  },
};

const refuse = (message: string): RefusalError => new RefusalError('args_invalid', `disk.clean: ${message}`);

function cleaningOf(given: Readonly<Record<string, Scalar>>, host: ActionHost): Cleaning {
  const what = String(given['what']);
  if (what === 'journal') {
    const size = given['keep_size'] === undefined ? null : String(given['keep_size']);
    const time = given['keep_time'] === undefined ? null : String(given['keep_time']);
    if (size === null && time === null) throw refuse('what = "journal" needs keep_size, keep_time or both');
    return cleaningOfJournal(host, size, time);
  }
  if (given['keep_size'] !== undefined || given['keep_time'] !== undefined)
    throw refuse('keep_size and keep_time stand with what = "journal" only');
  if (what === 'apt') return cleaningOfPackages(host);
  const rule = host.clean.get(what);
  if (rule !== undefined) return cleaningOfFolder(rule);
  const known = ['journal', 'apt', ...host.clean.keys()].join(', ');
  throw refuse(`the agent's file of this host has no clean block ${JSON.stringify(what)}; here are ${known}`);
}

/** @returns the end of `work` with the space before and after it. */
async function measured(
  cleaning: Cleaning,
  minimum: number | null,
  run: ActionRun,
  work: Cleaning['run'],
  changing: boolean,
): Promise<ActionEnd> {
  const facts: OutputFacts = {};
  const signal = within(run);
  try {
    const before = await freeSpace(cleaning.place);
    Object.assign(facts, { total_bytes: before.totalBytes }, spaceFacts('before_', before));
    if (minimum !== null && before.freePercent >= minimum) {
      const said = `${before.freePercent} % is free already; nothing ${changing ? 'was' : 'would be'} deleted`;
      return { status: 'done', output: factsOnly({ enough: true, ...facts }, said) };
    }
    const end = await work(run, signal);
    if (!changing) return withFacts(end, facts);
    const after = await freeSpace(cleaning.place);
    const all = withFacts(end, {
      ...facts,
      ...spaceFacts('after_', after),
      freed_bytes: after.freeBytes - before.freeBytes,
    });
    if (all.status === 'failed' || minimum === null || after.freePercent >= minimum) return all;
    return failed('exit', `${after.freePercent} % is free afterwards, and ${minimum} % were asked for`, all.output);
  } catch (error) {
    if (signal.aborted) return failed(cutShort(run), 'was ended before anything was deleted', factsOnly(facts));
    const { code = (error as Error).message } = error as NodeJS.ErrnoException;
    return failed('exit', `${cleaning.place} cannot be cleaned: ${hint(code)}`, factsOnly(facts));
  }
}

const withFacts = (end: ActionEnd, facts: OutputFacts): ActionEnd => ({
  ...end,
  output: { ...end.output, facts: { ...end.output.facts, ...facts } },
});

const hint = (code: string): string =>
  code === 'ELOOP' || code === 'ENOTDIR'
    ? `a part of its path is a symbolic link or no folder (${code}); write the real path`
    : code;

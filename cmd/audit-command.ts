/** `fettle audit verify`: checks audit files where they are; asks nobody. */
import type { Head } from '../coordinator/audit/chain.ts';
import { verifyAudit, type Verdict } from '../coordinator/audit/verify.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import { errorText } from './finding.ts';
import { type Io, say } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable } from './printable.ts';

export type AuditVerifyFlags = { readonly output: 'table' | 'json'; readonly json?: true; readonly head?: string };

/** 0 when the chain is whole, 1 when it is not. */
export async function auditVerify(io: Io, files: readonly string[], flags: AuditVerifyFlags): Promise<ExitCode> {
  const verdict = await verify(files, headOf(flags.head));
  if (flags.json === true || flags.output === 'json') printDocument(io, verdict);
  else for (const line of verdictLines(verdict)) say(io, printable(line));
  return verdict.whole ? EXIT.ok : EXIT.failed;
}

async function verify(files: readonly string[], head: Head | null): Promise<Verdict> {
  try {
    return await verifyAudit(files, head);
  } catch (error) {
    throw new CommandError(EXIT.failed, `cannot read: ${errorText(error)}`, 'fettle audit verify FILE...', {
      cause: error,
    });
  }
}

function headOf(text: string | undefined): Head | null {
  if (text === undefined) return null;
  const [, seq, hash] = /^(\d{1,15}):([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new CommandError(
      EXIT.usage,
      `--head ${JSON.stringify(text)} is not NUMBER:HASH`,
      'fettle audit verify --help',
    );
  return { seq: Number(seq), hash };
}

function verdictLines({ broken, lines, first, last, begins_midway, unfinished, markers, files }: Verdict): string[] {
  const told: string[] = [];
  if (first !== null && last !== null)
    told.push(
      `${lines} lines in ${files.length === 1 ? 'one file' : `${files.length} files`}, number ${first.seq} (${first.at}) to ${last.seq} (${last.at})`,
    );
  else told.push('no audit line was found');
  if (begins_midway)
    told.push(`the chain begins before these files: numbers 1 to ${(first?.seq ?? 2) - 1} were not checked`);
  for (const { file, line, at, marker } of markers)
    told.push(`${file}:${line}: at ${at} the coordinator noticed: ${NOTICED[marker] ?? marker}`);
  if (unfinished !== null)
    told.push(
      `${unfinished.file}:${unfinished.line}: the last line is not finished: it is being written now, or the coordinator was killed while it wrote; its next start says so in the file`,
    );
  if (broken !== null) return [...told, `BROKEN  ${broken.file}:${broken.line}: ${broken.message}`];
  return [...told, ...(last === null ? [] : [`whole; ends at --head ${last.seq}:${last.hash}`])];
}

const NOTICED: Readonly<Record<string, string>> = {
  torn_line: 'a line before this one was cut off by a crash',
  file_moved: 'the file had been moved away, and a new one was begun',
  file_changed: 'somebody else had written to the file or cut it',
  rotated: 'the file had become large, and a new one was begun',
  lines_missing: 'lines that it had written were gone from the end of the file',
  damaged_lines: 'the end of the file held lines that it had not written',
  lines_lost: 'the disk took no lines for so long that some could not be kept',
};

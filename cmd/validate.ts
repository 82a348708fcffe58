import type { Kind } from '../config/kinds.ts';
import { validateFiles } from '../config/validate.ts';
import { formatProblem, type Problem } from '../config/problem.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { type Io, note, say } from './io.ts';
import { KNOWN } from './known.ts';
import { printDocument } from './list-output.ts';
import { printable } from './printable.ts';
import { showStanding, standingJson } from './validate-limits.ts';

export type ValidateFlags = { readonly kind?: Kind; readonly limits?: true; readonly output: 'table' | 'json' };

/** `fettle validate FILE|DIR...`: problems on standard output, so that they can be piped; 0 or 3. */
export async function validate(io: Io, paths: readonly string[], flags: ValidateFlags): Promise<ExitCode> {
  const { files, problems, found } = await validateFiles(paths, { kind: flags.kind, known: KNOWN });
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  if (flags.output === 'json') {
    printDocument(io, {
      valid: errors === 0,
      files,
      problems: problems.map(problemJson),
      ...(flags.limits === true ? standingJson(found, io.now()) : {}),
    });
  } else {
    for (const problem of problems) say(io, printable(formatProblem(problem)));
    if (flags.limits === true) showStanding(io, found, io.now());
    note(io, summary(files.length, errors, problems.length - errors));
  }
  return errors === 0 ? EXIT.ok : EXIT.invalidConfig;
}

const problemJson = ({ place, path, severity, message }: Problem): unknown => ({ ...place, path, severity, message });

function summary(files: number, errors: number, warnings: number): string {
  const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
  const warned = warnings === 0 ? '' : `, ${count(warnings, 'warning')}`;
  return errors === 0
    ? `${count(files, 'file')} checked: valid${warned}.`
    : `${count(files, 'file')} checked: ${count(errors, 'error')}${warned}.`;
}

import { styleText } from 'node:util';
import { profilePath, resolveProfile } from './client-profile.ts';
import { checkCoordinators } from './check-coordinators.ts';
import { checkRole } from './check-role.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags } from './fettle-command.ts';
import { fail, type Finding, ok } from './finding.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable } from './printable.ts';

export type DoctorFlags = ClientFlags & { readonly config?: readonly string[]; readonly output: 'table' | 'json' };

/** `fettle doctor`: 0 when nothing failed; warnings do not count. */
export async function doctor(io: Io, flags: DoctorFlags): Promise<ExitCode> {
  const findings = flags.config === undefined ? await checkClient(io, flags) : await checkRole(flags.config, io);
  const failed = findings.filter((finding) => finding.state === 'fail').length;
  if (flags.output === 'json') printDocument(io, { well: failed === 0, findings });
  else {
    for (const line of findings.flatMap((finding) => findingLines(io, finding))) say(io, line);
    const warned = findings.filter((finding) => finding.state === 'warn').length;
    note(io, `${findings.length} looked at, ${failed} failed, ${warned} ${warned === 1 ? 'warning' : 'warnings'}.`);
  }
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

async function checkClient(io: Io, flags: ClientFlags): Promise<Finding[]> {
  try {
    const profile = await resolveProfile(io, flags);
    const from = profilePath(io);
    return [
      ok('client', `${profile.addresses.join(', ')} (flags, environment, or ${from})`),
      ...(await checkCoordinators(profile, io.now)),
    ];
  } catch (error) {
    if (error instanceof CommandError) return [fail('client', error.message, error.next)];
    throw error;
  }
}

const STYLES = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

function findingLines(io: Io, { area, state, found, next }: Finding): string[] {
  const word = state.padEnd(4);
  const painted = wantsColour(io) ? styleText(STYLES[state], word, { validateStream: false }) : word;
  const first = `${painted}  ${area.padEnd(11)}  ${printable(found)}`;
  return next === null ? [first] : [first, `${' '.repeat(19)}do: ${printable(next)}`];
}

import { loadCoordinator } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { setupTemporal, type SetupReport } from '../coordinator/setup-temporal.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { OutputOption } from './fettle-command.ts';
import { errorText } from './finding.ts';
import { type Io, note } from './io.ts';
import { printList } from './list-output.ts';
import { printable } from './printable.ts';

export type SetupFlags = OutputOption & { readonly config: readonly string[]; readonly retentionDays: number };

/** `fettle setup temporal` */
export async function setup(io: Io, flags: SetupFlags): Promise<ExitCode> {
  const { config, problems } = await loadCoordinator(flags.config);
  for (const problem of problems) note(io, printable(formatProblem(problem)));
  if (config === null) {
    throw new CommandError(
      EXIT.invalidConfig,
      'the configuration is invalid',
      `fettle validate ${flags.config.join(' ')}`,
    );
  }
  note(io, `Setting up Temporal at ${config.temporal.address}. A new namespace takes some seconds to be usable.`);
  let report: SetupReport;
  try {
    report = await setupTemporal({ ...config.temporal, domain: config.domain, retentionDays: flags.retentionDays });
  } catch (error) {
    throw new CommandError(EXIT.failed, errorText(error), `fettle doctor --config ${flags.config.join(' ')}`, {
      cause: error,
    });
  }
  const columns = [
    { header: 'WHAT', value: (step: SetupReport['steps'][number]) => step.what, cut: 1 },
    { header: 'DONE', value: (step: SetupReport['steps'][number]) => step.done, cut: 0 },
  ];
  printList(io, { format: flags.output, name: 'steps', rows: report.steps, columns, empty: 'Nothing to do.' });
  return EXIT.ok;
}

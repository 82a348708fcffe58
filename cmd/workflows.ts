import type { ApiWorkflow } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import type { Io } from './io.ts';
import { printList } from './list-output.ts';
import type { Column } from './table.ts';
import { formatDuration } from './time-text.ts';

/** `fettle workflows` */
export async function listWorkflows(io: Io, flags: ClientFlags & OutputOption): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const rows = await coordinator.api.workflows();
  const empty =
    "No workflow is defined. Put files NAME.hcl into the coordinator's workflows directory, then: fettle status";
  printList(io, { format: flags.output, name: 'workflows', rows, columns, empty });
  return EXIT.ok;
}

const columns: readonly Column<ApiWorkflow>[] = [
  { header: 'NAME', value: (row) => row.name, cut: 0 },
  { header: 'RUNS ON', value: (row) => row.task_queue_target, cut: 1 },
  { header: 'INPUTS', value: inputsText, cut: 3 },
  { header: 'LIMITS', value: limitsText, cut: 2 },
  { header: 'KIND', value: (row) => row.kind, cut: 6, wide: true },
  { header: 'DESCRIPTION', value: (row) => row.description, cut: 5 },
];

/** `unit [lines=100]`: required inputs bare, the others in brackets with their default. */
function inputsText(row: ApiWorkflow): string {
  const one = (input: ApiWorkflow['inputs'][number]): string => {
    if (input.required) return input.name;
    const value = input.default === null || input.default === undefined ? '' : `=${JSON.stringify(input.default)}`;
    return `[${input.name}${value}]`;
  };
  return row.inputs.length === 0 ? '-' : row.inputs.map(one).join(' ');
}

/** `1 at once/15m, 3 begun/1d global` */
function limitsText(row: ApiWorkflow): string {
  const words: Readonly<Record<string, string>> = { concurrency: 'at once', maxExecution: 'begun' };
  const one = (limit: ApiWorkflow['constraints'][number]): string => {
    const period = limit.period_s > 0 ? `/${formatDuration(limit.period_s * 1000)}` : '';
    return `${limit.value} ${words[limit.kind] ?? limit.kind}${period}${limit.scope === 'target' ? '' : ` ${limit.scope}`}`;
  };
  return row.constraints.length === 0 ? '-' : row.constraints.map(one).join(', ');
}

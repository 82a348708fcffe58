import type { ApiLimit } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import type { Io } from './io.ts';
import { printList } from './list-output.ts';
import type { Column } from './table.ts';
import { formatDuration } from './time-text.ts';

export type LimitsFlags = ClientFlags &
  OutputOption & { readonly node?: string; readonly nodeType?: string; readonly datacenter?: string };

/** `fettle limits WORKFLOW --node NAME` */
export async function showLimits(io: Io, workflow: string, flags: LimitsFlags): Promise<ExitCode> {
  const { node, nodeType, datacenter } = flags;
  if (node === undefined && nodeType === undefined && datacenter === undefined) {
    const message = 'say for what: --node NAME, --node-type TYPE or --datacenter NAME';
    throw new CommandError(EXIT.usage, message, 'fettle limits --help');
  }
  await using coordinator = await connectCoordinator(io, flags);
  const rows = await coordinator.api.limits({ workflow, node, node_type: nodeType, datacenter });
  const empty = `Nothing limits ${workflow} there, other than one change at a time on each node.`;
  printList(io, { format: flags.output, name: 'limits', rows, columns, empty });
  return EXIT.ok;
}

const columns: readonly Column<ApiLimit>[] = [
  { header: 'LIMIT', value: (row) => row.name ?? row.constraint, cut: 0 },
  { header: 'PER', value: (row) => (row.of === '' ? row.scope : `${row.scope} ${row.of}`), cut: 3 },
  {
    header: 'TAKEN',
    value: (row) => `${row.current}/${row.limit}`,
    cut: 1,
    right: true,
    style: (row) => (row.free > 0 ? 'green' : 'red'),
  },
  { header: 'FREE', value: freeText, cut: 2 },
  { header: 'HELD BY', value: heldBy, cut: 5 },
  { header: 'KIND', value: (row) => row.constraint, cut: 6, wide: true },
  { header: 'BEGUN', value: (row) => row.starts.join(' ') || '-', cut: 7, wide: true },
];

function freeText(row: ApiLimit): string {
  if (row.free > 0) return 'now';
  if (row.retry_after_s !== null) return `in ${formatDuration(row.retry_after_s * 1000)}`;
  return row.constraint === 'maxIneffective' ? 'when resumed: fettle status' : 'when one has ended';
}

const MOST = 3;

function heldBy({ holders, starts }: ApiLimit): string {
  const named = holders.slice(0, MOST).join(' ');
  const more = holders.length > MOST ? ` and ${holders.length - MOST} more` : '';
  const past = starts.length === 0 ? '' : `${starts.length} ended`;
  return [named + more, past].filter((part) => part !== '').join(', ') || '-';
}

import type { ApiNode } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import type { Io } from './io.ts';
import { printList } from './list-output.ts';
import type { Column } from './table.ts';
import { formatTime } from './time-text.ts';

/** `fettle nodes` */
export async function listNodes(io: Io, flags: ClientFlags & OutputOption): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const rows = await coordinator.api.nodes();
  const empty = 'No node is known. Is an agent running? On its server: fettle doctor --config /etc/fettle/agent.hcl';
  printList(io, { format: flags.output, name: 'nodes', rows, columns: columns(io.now()), empty });
  return EXIT.ok;
}

const columns = (now: number): readonly Column<ApiNode>[] => [
  { header: 'NODE', value: (row) => row.node, cut: 0 },
  { header: 'STATE', value: stateOf, cut: 1, style: (row) => STYLES[stateOf(row)] },
  { header: 'TYPE', value: (row) => row.node_type, cut: 2 },
  { header: 'DATACENTER', value: (row) => row.datacenter, cut: 3 },
  { header: 'LAST SEEN', value: (row) => formatTime(row.last_seen, now), cut: 5 },
  { header: 'INVENTORY', value: (row) => (row.in_inventory ? 'yes' : 'no'), cut: 6 },
  { header: 'LABELS', value: (row) => labelsText(row.labels), cut: 7, wide: true },
  { header: 'MACHINE', value: machineText, cut: 8, wide: true },
  {
    header: 'REVOKED',
    value: ({ revoked }) => (revoked === null ? '-' : `${revoked.reason} (${revoked.by}, ${revoked.at})`),
    cut: 9,
    wide: true,
  },
];

type State = 'alive' | 'down' | 'revoked' | 'other machine';
const STYLES = { alive: 'green', down: 'red', revoked: 'red', 'other machine': 'red' } as const;

/** What a person must know first: shut out, or spoken for by a machine that it is not. */
function stateOf({ revoked, other_machine: other, alive }: ApiNode): State {
  if (revoked !== null) return 'revoked';
  if (other !== null) return 'other machine';
  return alive ? 'alive' : 'down';
}

/** The pinned machine, and the other one that spoke; the inventory's word is marked. */
function machineText({ machine, other_machine: other }: ApiNode): string {
  const pinned = machine === null ? '-' : `${machine.id}${machine.by === 'inventory' ? ' (inventory)' : ''}`;
  return other === null ? pinned : `${pinned}; not ${other.id} (${other.via}, ${other.at})`;
}

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');

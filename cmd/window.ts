import type { ApiWindow, ApiWindowScope } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note } from './io.ts';
import { printList } from './list-output.ts';
import { printable } from './printable.ts';
import { isInForce, windowScopeText } from './standing-text.ts';
import type { Column } from './table.ts';
import { formatTime, parseTime } from './time-text.ts';

export type WindowAddFlags = ClientFlags &
  OutputOption & {
    readonly workflow?: string[];
    readonly nodeType?: string[];
    readonly datacenter?: string[];
    readonly node?: string[];
    readonly everything?: true;
    readonly from?: string;
    readonly until?: string;
    /** Milliseconds. */
    readonly for?: number;
    readonly reason: string;
    readonly force?: true;
  };

/** `fettle window add`: nothing new begins in the scope while it lasts. */
export async function addWindow(io: Io, flags: WindowAddFlags): Promise<ExitCode> {
  const scope = scopeOf(flags);
  const { from, until } = intervalOf(io, flags);
  await using coordinator = await connectCoordinator(io, flags);
  const window = await coordinator.api.addWindow({
    scope,
    until,
    reason: flags.reason,
    ...(from === undefined ? {} : { from }),
    ...(flags.force === true ? { force: true } : {}),
  });
  printWindows(io, flags, [window]);
  if (flags.output === 'table')
    note(io, `Take it away before its time: fettle window remove ${printable(window.name)} --reason "..."`);
  return EXIT.ok;
}

export async function listWindows(io: Io, flags: ClientFlags & OutputOption): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const windows = await coordinator.api.windows();
  printWindows(
    io,
    flags,
    windows.toSorted((a, b) => a.from.localeCompare(b.from)),
  );
  return EXIT.ok;
}

export async function removeWindow(
  io: Io,
  name: string,
  flags: ClientFlags & OutputOption & { readonly reason: string },
): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const window = await coordinator.api.removeWindow(name, flags.reason);
  printWindows(io, flags, [window]);
  if (flags.output === 'table') note(io, 'Taken away; what waited for it is decided again.');
  return EXIT.ok;
}

function printWindows(io: Io, { output }: OutputOption, rows: readonly ApiWindow[]): void {
  const now = io.now();
  const columns: readonly Column<ApiWindow>[] = [
    { header: 'NAME', value: (row) => row.name, cut: 0 },
    { header: 'STATE', value: (row) => (isInForce(row, now) ? 'in force' : 'to come'), cut: 1 },
    { header: 'COVERS', value: (row) => windowScopeText(row.scope), cut: 4 },
    { header: 'FROM', value: (row) => formatTime(row.from, now), cut: 3 },
    { header: 'UNTIL', value: (row) => formatTime(row.until, now), cut: 2 },
    { header: 'SOURCE', value: (row) => row.source, cut: 6, wide: true },
    { header: 'BY', value: (row) => row.by, cut: 7 },
    { header: 'REASON', value: (row) => row.reason, cut: 8 },
  ];
  const empty = 'No window is in force or to come. Add one: fettle window add --help';
  printList(io, { format: output, name: 'windows', rows, columns, empty });
}

/** Nothing said is not everything meant. @throws CommandError */
function scopeOf({ workflow, nodeType, datacenter, node, everything }: WindowAddFlags): ApiWindowScope {
  const scope = {
    ...(workflow === undefined ? {} : { workflows: workflow }),
    ...(nodeType === undefined ? {} : { node_types: nodeType }),
    ...(datacenter === undefined ? {} : { datacenters: datacenter }),
    ...(node === undefined ? {} : { nodes: node }),
  };
  const empty = Object.keys(scope).length === 0;
  if (empty && everything !== true)
    throw usage('say what it covers: --workflow, --node-type, --datacenter, --node, or --everything');
  if (!empty && everything === true) throw usage('--everything and a narrower scope exclude one another');
  return scope;
}

function intervalOf(io: Io, flags: WindowAddFlags): { from: string | undefined; until: string } {
  const from = flags.from === undefined ? undefined : time('--from', flags.from);
  if ((flags.until === undefined) === (flags.for === undefined)) throw usage('say how long: --for 2h, or --until TIME');
  if (flags.until !== undefined) return { from, until: time('--until', flags.until) };
  const start = from === undefined ? io.now() : Date.parse(from);
  return { from, until: new Date(start + (flags.for ?? 0)).toISOString() };
}

function time(flag: string, text: string): string {
  const at = parseTime(text);
  if (at === null) throw usage(`${flag} ${JSON.stringify(text)} is not a time such as 2026-11-21T22:00:00Z`);
  return new Date(at).toISOString();
}

const usage = (message: string): CommandError => new CommandError(EXIT.usage, message, 'fettle window add --help');
